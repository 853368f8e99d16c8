"""Commands with a request id act once, and a question about an earlier answer leaves nothing behind."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.mandate.v1.mandate_pb2 import CreateCandidateRequest
from resapermis_kit.clock import utc_now
from resapermis_kit.database import idempotency
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_testing.known_fault import KnownFault, wrongly_refused
from resapermis_testing.postgres import MakeEngine

CALLER = "account-1"
LONGER_THAN_ANY_CALL = timedelta(minutes=10)
"""No deadline is longer than a minute: whoever claimed so long ago is not at work any more."""


def command(request_id: str = "request-1") -> CreateCandidateRequest:
    return CreateCandidateRequest(request_id=request_id)


async def claims(engine: AsyncEngine) -> int:
    async with transaction(engine) as tx:
        return int((await tx.execute(sa.select(sa.func.count()).select_from(idempotency.requests))).scalar_one())


@pytest.mark.xfail(strict=True, reason="fault 6: asking for an earlier answer claims the id", raises=AssertionError)
async def test_who_only_asks_for_an_earlier_answer_claims_nothing(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    async with transaction(engine) as tx:
        assert await idempotency.earlier_answer(tx, CALLER, command(), utc_now()) is None
    assert await claims(engine) == 0


@pytest.mark.xfail(strict=True, reason="fault 6: the question makes the repeat a twin", raises=KnownFault)
async def test_a_command_that_was_only_looked_up_can_be_given_later(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    for _ in range(2):
        async with transaction(engine) as tx:
            with wrongly_refused(Code.CODE_IN_PROGRESS):
                assert await idempotency.earlier_answer(tx, CALLER, command(), utc_now()) is None


@pytest.mark.xfail(
    strict=True, reason="fault 3: a claim whose process died is in progress for a day", raises=AssertionError
)
async def test_a_command_whose_process_died_is_not_in_progress_for_a_day(make_engine: MakeEngine) -> None:
    engine, claimed_at = await make_engine("kit_sample"), utc_now()
    async with transaction(engine) as tx:  # the intention is committed; then the process dies in the call that follows
        values = {"caller": CALLER, "request_id": "request-1", "digest": idempotency.digest(command())}
        await tx.execute(sa.insert(idempotency.requests).values(**values, created_at=claimed_at))
    code: Code.ValueType | None = None
    try:
        async with transaction(engine) as tx:
            await idempotency.earlier_answer(tx, CALLER, command(), claimed_at + LONGER_THAN_ANY_CALL)
    except Failure as failure:
        code = failure.code
    assert code != Code.CODE_IN_PROGRESS
