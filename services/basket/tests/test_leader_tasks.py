"""What one replica does for all: no task holds up another, and one bad line stops none of the others."""

import asyncio
import contextlib
from typing import Any

import pytest
import sqlalchemy as sa
from basket_peers import Basket, candidate
from basket_work import LOST, due_now, mandate_ended
from paused_acts import break_s1, broken, waits_or_ended
from test_process import leader_tasks, wired

from resapermis_basket.domain.line import Line
from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_basket.reconcile.expiry import expire_holds, finish_begun_exams
from resapermis_basket.reconcile.queries import due_to_poll
from resapermis_basket.reconcile.release import give_back
from resapermis_basket.reconcile.school_batches import SchoolBatches
from resapermis_basket.settings import Settings
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_testing.eventually import eventually

HANGS_SECONDS = 60.0
"""How long an answer of RdvPermis is waited for that does not come: longer than any of these tests."""


async def owed(basket: Basket, *slots: str, school: str = "school-1") -> None:
    """A slot that RdvPermis granted and is to have back: the first of an action that got not all of its slots."""
    basket.rdvpermis.refuse[slots[1]] = "CRENEAU_NON_DISPONIBLE"
    group = await basket.hold(*slots, school=school, all_or_nothing=True)
    assert [line.refusal.code for line in group.lines] == [
        Code.CODE_ALL_OR_NOTHING_FAILED,
        Code.CODE_RDVPERMIS_SLOT_GONE,
    ]


async def doubtful(basket: Basket, slot: str, school: str = "school-1") -> None:
    """A hold whose answer was lost; RdvPermis never got the question."""
    basket.rdvpermis.before["HoldSlots"] = LOST
    await basket.hold(slot, school=school)
    del basket.rdvpermis.before["HoldSlots"]


async def test_while_rdvpermis_is_slow_to_take_slots_back_doubts_are_settled_and_ended_mandates_acted_on(
    basket: Basket, settings_for: Any, make_bus: Any
) -> None:
    await owed(basket, "s1", "s2")
    await doubtful(basket, "s3")
    await basket.hold(("s4", 1))
    await due_now(basket)
    basket.rdvpermis.gates["ReleaseSlot"] = asyncio.Event()
    settings = settings_for(
        Settings, "basket", grace_seconds=0.05, settle_every_seconds=0.05, egress_seconds=HANGS_SECONDS
    )

    async def first_round_hangs() -> bool:
        return "ReleaseSlot" in basket.rdvpermis.calls and (await basket.states())["s3"] == "refused"

    async def all_done() -> bool:
        states = await basket.states()
        return (states["s4"], states["s5"]) == ("released", "refused")

    async with leader_tasks(await wired(basket, settings, make_bus)):
        await eventually(first_round_hangs)
        await doubtful(basket, "s5")
        await mandate_ended(basket, 1)
        await eventually(all_done)


async def test_a_slot_that_rdvpermis_does_not_take_back_holds_up_no_other_schools(basket: Basket) -> None:
    await owed(basket, "s1", "s2")
    await owed(basket, "s3", "s4", school="school-2")
    await basket.rows("UPDATE basket_line SET next_poll_at = now() - interval '1 s' WHERE slot_id = 's1' RETURNING 1")
    basket.rdvpermis.gates["ReleaseSlot school-1"] = asyncio.Event()
    giving = asyncio.ensure_future(give_back(basket.dependencies))

    async def the_others_is_back() -> bool:
        return "s3" not in basket.rdvpermis.owner

    try:
        await eventually(the_others_is_back)
    finally:
        giving.cancel()
        await asyncio.gather(giving, return_exceptions=True)


async def test_a_line_that_cannot_be_settled_stops_none_of_its_schools_others(basket: Basket) -> None:
    """RdvPermis has put candidate 2 on the booking of s1, who stands on s2 here: that cannot be written down."""
    group = await basket.hold(("s1", 1))
    (booked,) = (await basket.validate(group.id)).lines
    await basket.hold(("s2", 3))
    await doubtful(basket, "s3")
    await basket.rows(
        "UPDATE basket_line SET changing = 'replace', wanted_candidate_id = :id, wanted_rdvpermis_id = 'rdv-002', "
        "next_poll_at = now() WHERE slot_id = 's1' RETURNING 1",
        id=candidate(2),
    )
    basket.rdvpermis.exams[booked.exam_id].rdvpermis_candidate_id = "rdv-002"
    await basket.rows("UPDATE basket_line SET candidate_id = :id WHERE slot_id = 's2' RETURNING 1", id=candidate(2))
    await due_now(basket)
    with contextlib.suppress(Failure):
        await settle_doubts(basket.dependencies)
    assert (await basket.states())["s3"] == "refused"


async def test_a_school_that_cannot_be_settled_ends_the_round_for_no_other(
    basket: Basket, monkeypatch: pytest.MonkeyPatch
) -> None:
    await doubtful(basket, "s1")
    await doubtful(basket, "s2", school="school-2")
    await due_now(basket)
    real, broke = basket.dependencies.peers.rdvpermis, asyncio.Event()
    read: list[str] = []

    async def one_breaks(method: str, request: Any, **how: Any) -> Any:
        school = request.on_behalf.school_id
        if school == "school-1":
            broke.set()
            raise RuntimeError(method)
        await broke.wait()
        answer = await real(method, request, **how)  # over a socket: many turns of the loop after the other broke
        read.append(school)
        return answer

    monkeypatch.setattr(basket.dependencies.peers, "rdvpermis", one_breaks)
    with contextlib.suppress(RuntimeError, ExceptionGroup):
        await settle_doubts(basket.dependencies)
    assert read == ["school-2"]


async def expired(basket: Basket) -> None:
    await basket.hold(("s1", 1), ("s2", 2))
    await basket.rows("UPDATE basket_line SET expires_at = now() - interval '1 s' RETURNING 1")


async def begun(basket: Basket) -> None:
    await basket.validate((await basket.hold(("s1", 1), ("s2", 2))).id)
    await basket.rows("UPDATE basket_line SET starts_at = now() - interval '1 s' RETURNING 1")


async def to_give_back(basket: Basket) -> None:
    await expired(basket)
    await expire_holds(basket.dependencies)


@pytest.mark.parametrize(
    ("prepare", "task", "state", "wanted"),
    [
        pytest.param(expired, expire_holds, "held", ("held", "expired", False, True), id="expiring"),
        pytest.param(begun, finish_begun_exams, "booked", ("booked", "done", False, False), id="finishing"),
        pytest.param(to_give_back, give_back, "expired", ("expired", "expired", True, False), id="giving back"),
    ],
)
async def test_a_line_that_cannot_be_written_stops_none_of_its_schools_others_and_is_counted(
    basket: Basket, prepare: Any, task: Any, state: str, wanted: tuple[str, str, bool, bool]
) -> None:
    await prepare(basket)
    before = broken(state)
    await break_s1(basket)
    await task(basket.dependencies)
    one, other = await basket.rows("SELECT state, owed FROM basket_line ORDER BY slot_id")
    assert (one.state, other.state, one.owed, other.owed) == wanted
    assert broken(state) == before + 1


async def test_a_line_that_another_act_moves_meanwhile_is_no_failure_and_is_dealt_with_next(basket: Basket) -> None:
    await basket.hold("s1")
    failures = broken("held")
    async with transaction(basket.engine) as tx:
        await tx.execute(sa.text("UPDATE basket_line SET expires_at = clock_timestamp()"))
    async with transaction(basket.engine) as other:
        await other.execute(sa.text("UPDATE basket_line SET version = version + 1"))
        expiring = asyncio.create_task(expire_holds(basket.dependencies))
        await waits_or_ended(basket, expiring, 1)
        assert not expiring.done()
    assert await expiring == 0
    assert broken("held") == failures
    assert await expire_holds(basket.dependencies) == 1


async def test_no_school_has_a_second_turn_before_each_had_one(basket: Basket) -> None:
    """However many lines of the first are due longest, and although one turn is under way at a time."""
    for number in range(1, 9):
        await doubtful(basket, f"s{number}", school="school-1" if number < 8 else "school-2")
    await due_now(basket)
    turns: list[tuple[str, int]] = []

    async def work(school_id: str, lines: list[Line]) -> int:
        turns.append((school_id, len(lines)))
        return len(lines)

    tried = SchoolBatches(basket.engine, "test", due_to_poll, work, at_once=1, most=3)
    assert (await tried.whole_round(), turns) == (4, [("school-1", 3), ("school-2", 1)])
