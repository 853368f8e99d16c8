"""What two replicas of basket answer to many schools at once is one order of a register's life, slot by slot."""

from collections.abc import AsyncIterator

import asyncpg
import history
import pytest
import pytest_asyncio
from history import Act, Op, OpOutcome
from linear.main import Outages, Record, caught, judged, mutants, record
from linear.platform import Platform, started

from devstack.components import POSTGRES

pytestmark = pytest.mark.timeout(180)
on_the_platform = pytest.mark.asyncio(loop_scope="module")
SLOT = "s"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Platform]:
    """One for all tests: each record has slots of its own. Who takes the index away comes last (conftest.py)."""
    async with started(replicas=2) as made:
        yield made


async def _states(platform: Platform) -> dict[str, str]:
    connection = await asyncpg.connect(platform.stack.database_url("basket"), timeout=10)
    try:
        return {str(row["id"]): row["state"] for row in await connection.fetch("SELECT id, state FROM basket_line")}
    finally:
        await connection.close()


def _forgotten(made: Record, states: dict[str, str]) -> list[Op]:
    """What a school was answered, and the database does not have."""
    after = {Act.VALIDATE: {"booked", "cancelled"}, Act.RELEASE: {"released"}, Act.CANCEL: {"cancelled"}}
    answered = [op for op in made.operations if op.outcome is OpOutcome.DONE and op.act in {Act.HOLD, *after}]
    return [op for op in answered if states.get(op.line) not in after.get(op.act, set(states.values()))]


async def _nothing_was_lost(made: Record, platform: Platform) -> None:
    assert _forgotten(made, await _states(platform)) == []
    lost = [op for op in made.operations if op.outcome is OpOutcome.LOST and op.act is not Act.VALIDATE]
    assert lost == [], "\n".join([str(dict(made.tally)), *platform.errors()])  # pytest would cut the dict
    assert judged(made, killed=True)["linearizable"]


@on_the_platform
@pytest.mark.req("C1", "C2")
async def test_a_short_record_of_two_replicas_is_linearizable_and_each_lie_about_it_is_found(
    platform: Platform,
) -> None:
    made = await record(platform, seed=1, operations=300, schools=4)
    verdict = judged(made, killed=False)
    assert verdict["linearizable"], verdict["unexplained"]
    assert caught(made.operations, 1, 10) == {"made": 10, "caught": 10}


@pytest.mark.long_only
@on_the_platform
@pytest.mark.req("E17")
async def test_while_each_replica_is_restarted_once_no_answer_is_lost_or_in_doubt(platform: Platform) -> None:
    made = await record(
        platform, seed=4, operations=100, outages=Outages(0.2, softly=True, once=True), schools=4, pause=0.1
    )
    assert {word for word in made.tally if word.startswith("SIGTERM")} == {"SIGTERM basket", "SIGTERM basket-2"}
    await _nothing_was_lost(made, platform)


@pytest.mark.long_only
@on_the_platform
@pytest.mark.req("C1", "C2")
async def test_two_replicas_are_linearizable_and_without_their_index_they_are_not(platform: Platform) -> None:
    made = await record(platform, seed=1, operations=2_500)
    verdict = judged(made, killed=False)
    assert verdict["linearizable"], verdict["unexplained"]
    assert caught(made.operations, 1, 30) == {"made": 30, "caught": 30}
    await platform.without_guard()
    control = judged(await record(platform, seed=1, operations=2_500), killed=False)
    assert control["slots_unexplained"] > 0


@pytest.mark.long_only
@on_the_platform
@pytest.mark.req("R-16")
async def test_a_record_under_kill_9_is_explained(platform: Platform) -> None:
    made = await record(platform, seed=2, operations=1_500, outages=Outages(2))
    verdict = judged(made, killed=True)
    assert any(word.startswith("kill -9") for word in verdict["acts"])
    assert verdict["linearizable"], verdict["unexplained"]


@pytest.mark.long_only
@on_the_platform
@pytest.mark.req("E13", "E15")
async def test_what_anybody_was_told_before_postgresql_was_killed_is_there_afterwards(platform: Platform) -> None:
    made = await record(platform, seed=3, operations=1_500, outages=Outages(2, (POSTGRES,)))
    assert made.tally[f"kill -9 {POSTGRES}"] > 0
    assert _forgotten(made, await _states(platform)) == []
    verdict = judged(made, killed=True)
    assert verdict["linearizable"], verdict["unexplained"]


@pytest.mark.long_only
@on_the_platform
@pytest.mark.req("E17")
async def test_in_a_rolling_restart_under_load_no_answer_is_lost_or_in_doubt(platform: Platform) -> None:
    made = await record(platform, seed=4, operations=2_500, outages=Outages(1.0, softly=True))
    assert any(word.startswith("SIGTERM") for word in made.tally)
    await _nothing_was_lost(made, platform)


def test_a_mutant_differs_from_its_record_by_one_lie_about_a_booked_slot() -> None:
    held = Op(Act.HOLD, SLOT, "ae-1", 0, 1, OpOutcome.DONE, "a", 900)
    booked = Op(Act.VALIDATE, SLOT, "ae-1", 2, 3, OpOutcome.DONE, "a")
    ended = Op(Act.CANCEL, SLOT, "ae-1", 8, 9, OpOutcome.DONE, "a")
    (mutant,) = mutants([held, booked, ended], 1, 5)
    assert mutant[:-1] == [held, booked, ended]
    assert 3 < mutant[-1].called <= mutant[-1].answered < 8
    assert history.explain(SLOT, mutant[:-1]).explained
    assert mutants([held], 1, 5) == []
