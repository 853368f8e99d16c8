"""Commands with a request id act once, whoever dies in between; a question about an earlier answer leaves nothing behind."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.mandate.v1.mandate_pb2 import Candidate, CreateCandidateRequest, CreateCandidateResponse
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.idempotency import Command, abandon, answer_twin, begin, finish, requests
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_testing.eventually import eventually
from resapermis_testing.postgres import MakeEngine

CALLER = "account-1"
LONGER_THAN_ANY_CALL = timedelta(minutes=10)
"""No deadline is longer than a minute: whoever claimed so long ago is not at work any more."""
MADE = new_id()
CreateCandidate = Command[CreateCandidateRequest, CreateCandidateResponse]
Ask = Callable[[Tx, CreateCandidate, datetime], Awaitable[CreateCandidateResponse | None]]


async def unknown(tx: Tx, made: UUID) -> None:
    """Nobody knows yet what became of it."""


async def found(tx: Tx, made: UUID) -> CreateCandidateResponse:
    """What became of it."""
    return answer(str(made))


def answer(candidate_id: str) -> CreateCandidateResponse:
    return CreateCandidateResponse(candidate=Candidate(id=candidate_id))


def command(recover: Any = unknown, **more: str) -> CreateCandidate:
    request = CreateCandidateRequest(request_id="request-1", **more)
    return Command(CALLER, request, CreateCandidateResponse, recover)


async def claims(engine: AsyncEngine) -> int:
    async with transaction(engine) as tx:
        return int((await tx.execute(sa.select(sa.func.count()).select_from(requests))).scalar_one())


async def asked(engine: AsyncEngine, ask: Ask, given: CreateCandidate, at: datetime) -> Any:
    """What the question answers in a transaction of its own, or the code with which it refuses."""
    try:
        async with transaction(engine) as tx:
            return await ask(tx, given, at)
    except Failure as failure:
        return failure.code


async def begun(engine: AsyncEngine, at: datetime, made: UUID | None = None) -> None:
    """The intention is committed; then the process dies in the call that follows."""
    async with transaction(engine) as tx:
        assert await begin(tx, command(), at, made) is None


async def test_who_only_asks_for_an_earlier_answer_claims_nothing(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    assert await asked(engine, answer_twin, command(), utc_now()) is None
    assert await claims(engine) == 0


async def test_a_command_that_was_only_looked_up_can_be_given_later(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    for ask in (answer_twin, answer_twin, begin):
        assert await asked(engine, ask, command(), utc_now()) is None


@pytest.mark.parametrize("ask", [answer_twin, begin])
async def test_a_twin_gets_the_answer_and_another_request_under_its_id_is_refused(
    make_engine: MakeEngine, ask: Ask
) -> None:
    engine, now = await make_engine("kit_sample"), utc_now()
    async with transaction(engine) as tx:
        assert await begin(tx, command(), now) is None
        await finish(tx, command(), answer("1"))
    assert await asked(engine, ask, command(found), now) == answer("1")
    assert await asked(engine, ask, command(neph="2"), now) == Code.CODE_KEY_REUSED
    assert await claims(engine) == 1


@pytest.mark.parametrize("ask", [answer_twin, begin])
async def test_a_command_whose_process_died_is_not_in_progress_for_a_day(make_engine: MakeEngine, ask: Ask) -> None:
    engine, claimed_at = await make_engine("kit_sample"), utc_now()
    await begun(engine, claimed_at)
    assert await asked(engine, ask, command(), claimed_at) == Code.CODE_IN_PROGRESS
    assert await asked(engine, ask, command(), claimed_at + LONGER_THAN_ANY_CALL) is None


async def test_of_many_who_press_again_after_a_process_died_one_begins(make_engine: MakeEngine) -> None:
    engine, claimed_at = await make_engine("kit_sample"), utc_now()
    await begun(engine, claimed_at)
    at = claimed_at + LONGER_THAN_ANY_CALL
    answers = await asyncio.gather(*(asked(engine, begin, command(), at) for _ in range(8)))
    assert sorted(answers, key=str) == [Code.CODE_IN_PROGRESS] * 7 + [None]


@pytest.mark.parametrize("ask", [answer_twin, begin])
async def test_what_a_process_that_died_had_made_is_the_answer_once_it_is_known_and_is_never_made_again(
    make_engine: MakeEngine, ask: Ask
) -> None:
    engine, claimed_at = await make_engine("kit_sample"), utc_now()
    await begun(engine, claimed_at, MADE)
    later = claimed_at + LONGER_THAN_ANY_CALL
    assert await asked(engine, ask, command(), claimed_at) == Code.CODE_IN_PROGRESS
    assert await asked(engine, ask, command(), later) == Code.CODE_UNKNOWN_OUTCOME
    for at in (claimed_at, later):
        assert await asked(engine, ask, command(found), at) == answer(str(MADE))


async def test_a_twin_that_waits_begins_when_the_first_is_given_up(make_engine: MakeEngine) -> None:
    engine, now = await make_engine("kit_sample"), utc_now()
    await begun(engine, now, MADE)
    locks = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async def waits() -> bool:  # in a transaction of its own: within one the view stays as it was first read
        async with transaction(engine) as other:
            return bool((await other.execute(locks)).scalar_one())

    async with transaction(engine) as tx:
        await abandon(tx, command())
        twin = asyncio.ensure_future(asked(engine, begin, command(), now))
        await eventually(waits)
        assert not twin.done()
    assert await twin is None
    assert await claims(engine) == 1
