"""What two replicas of basket answer to many schools at once is one order of a register's life, slot by slot."""

import history
import pytest
from history import Act, Op, Outcome
from linear.house import house
from linear.main import judged, mutants, record

pytestmark = pytest.mark.timeout(180)
SLOT = "s"


@pytest.mark.req("R-14", "R-15", "C1", "C2")
async def test_two_replicas_are_linearizable_and_without_their_index_they_are_not() -> None:
    async with house(replicas=2) as place:
        made = await record(place, seed=1, operations=2_500)
        verdict = judged(made, killed=False)
        assert verdict["linearizable"], verdict["unexplained"]
        lies = mutants(made.operations, 1, 30)
        assert len(lies) == 30
        assert not any(history.explain("lie", lie).explained for lie in lies)
        await place.without_guard()
        control = judged(await record(place, seed=1, operations=2_500), killed=False)
        assert control["slots_unexplained"] > 0


@pytest.mark.req("R-16")
async def test_a_record_under_kill_9_is_explained() -> None:
    async with house(replicas=2) as place:
        verdict = judged(await record(place, seed=2, operations=1_500, kills=2.0), killed=True)
    assert any(word.startswith("kill -9") for word in verdict["acts"])
    assert verdict["linearizable"], verdict["unexplained"]


def test_a_mutant_differs_from_its_record_by_one_lie_about_a_booked_slot() -> None:
    held = Op(Act.HOLD, SLOT, "ae-1", 0, 1, Outcome.DONE, "a", 900)
    booked = Op(Act.VALIDATE, SLOT, "ae-1", 2, 3, Outcome.DONE, "a")
    ended = Op(Act.CANCEL, SLOT, "ae-1", 8, 9, Outcome.DONE, "a")
    (mutant,) = mutants([held, booked, ended], 1, 5)
    assert mutant[:-1] == [held, booked, ended]
    assert 3 < mutant[-1].called <= mutant[-1].answered < 8
    assert history.explain(SLOT, mutant[:-1]).explained
    assert mutants([held], 1, 5) == []
