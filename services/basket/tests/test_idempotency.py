"""The same request id twice: one effect, one answer, also while it is being forgotten."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from basket_peers import Basket, candidate
from paused_acts import waits_or_ended

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure

HELD, BOOKED = pb.LINE_STATE_HELD, pb.LINE_STATE_BOOKED
KEY = "the-one-that-is-forgotten"


@dataclass(frozen=True)
class Act:
    """A command whose effect of the first time is gone: asked anew, it must act anew."""

    method: str
    """What RdvPermis is asked."""
    repeat: Callable[[], Awaitable[bool]]
    """Send the command with the same request id; return whether what it wants is so, by its answer."""


async def holding(basket: Basket) -> Act:
    async def repeat() -> bool:
        return [line.state for line in (await basket.hold("s1", key=KEY)).lines] == [HELD]

    (line,) = (await basket.hold("s1", key=KEY)).lines
    await basket.ask("ReleaseLine", pb.ReleaseLineRequest(request_id=basket.key(), line_id=line.id))
    return Act("HoldSlots", repeat)


async def naming(basket: Basket) -> Act:
    (line,) = (await basket.hold("s1")).lines

    async def name(number: int, key: str) -> str:
        request = pb.NameCandidateRequest(request_id=key, line_id=line.id, candidate_id=candidate(number))
        named: pb.NameCandidateResponse = await basket.ask("NameCandidate", request)
        return named.line.candidate_id

    async def repeat() -> bool:
        return await name(1, KEY) == candidate(1)

    await name(1, KEY)
    await name(2, basket.key())
    return Act("NameCandidate", repeat)


async def validating(basket: Basket) -> Act:
    group = await basket.hold(("s1", 1))

    async def repeat() -> bool:
        return [line.state for line in (await basket.validate(group.id, key=KEY)).lines] == [BOOKED]

    basket.rdvpermis.before["ValidateBasket"] = Failure(Code.CODE_UNKNOWN_OUTCOME, "the answer was lost")
    await basket.validate(group.id, key=KEY)
    basket.rdvpermis.before.clear()
    await basket.rows("UPDATE basket_line SET next_poll_at = now() RETURNING 1")
    await settle_doubts(basket.dependencies)
    assert await basket.states() == {"s1": "held"}
    return Act("ValidateBasket", repeat)


@pytest.mark.parametrize("prepare", [holding, naming, validating])
async def test_a_command_forgotten_while_its_twin_is_looked_up_is_asked_again_once(
    basket: Basket, prepare: Callable[[Basket], Awaitable[Act]]
) -> None:
    act = await prepare(basket)
    asked = basket.rdvpermis.calls.count(act.method)
    async with transaction(basket.engine) as forgetting:  # as claims of a day ago are
        await forgetting.execute(sa.text("DELETE FROM request WHERE request_id = :key"), {"key": KEY})
        twin = asyncio.ensure_future(act.repeat())
        await waits_or_ended(basket, twin, 1)
    await asyncio.gather(twin, return_exceptions=True)  # what the first was answered, or that it shall ask again
    assert basket.rdvpermis.calls.count(act.method) == asked
    assert (await act.repeat(), basket.rdvpermis.calls.count(act.method)) == (True, asked + 1)
    await basket.check()


async def test_a_hold_that_release_0_2_0_left_in_doubt_is_answered_by_its_group(basket: Basket) -> None:
    basket.rdvpermis.after["HoldSlots"] = Failure(Code.CODE_UNKNOWN_OUTCOME, "the answer was lost")
    asked = await basket.hold("s1", key=KEY)
    await basket.rows("UPDATE request SET made = NULL RETURNING 1")  # as that release wrote it
    migration = importlib.import_module("resapermis_basket.migrations.versions.0008_commands")
    async with transaction(basket.engine) as tx:
        await tx.execute(sa.text(migration.MADE))
    await basket.rows("UPDATE basket_line SET next_poll_at = now() RETURNING 1")
    await settle_doubts(basket.dependencies)
    again = await basket.hold("s1", key=KEY)
    assert (again.id, [line.state for line in again.lines]) == (asked.id, [HELD])
    assert basket.rdvpermis.calls.count("HoldSlots") == 1
