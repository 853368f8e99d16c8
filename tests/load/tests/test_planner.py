"""The simulated planner, small: it beats round-robin where people care, keeps to budgets, and repeats."""

from collections.abc import Iterator

import pytest
from planner.main import report
from planner.simulation import ByPollSchedule, Measured, RoundRobin, simulate
from planner.world import World, draw

HOURS = 0.6


@pytest.fixture(scope="module", autouse=True)
def fewer_polls() -> Iterator[None]:
    """As many a school as in the large simulation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planner.simulation.POLLS_A_ROUND", 14)
        patch.setattr("planner.simulation.WARM_UP_SECONDS", 900.0)
        yield


@pytest.fixture(scope="module")
def world() -> World:
    return draw(schools=140, centres=42, hours=HOURS, seed=2)


@pytest.fixture(scope="module")
def few_schools() -> World:
    """Whose tokens are spent as those of many are, and whose day is planned in a quarter of the time."""
    return draw(schools=40, centres=12, hours=HOURS / 2, seed=2)


@pytest.fixture(scope="module")
def planned(few_schools: World) -> Measured:
    return simulate(few_schools, ByPollSchedule, HOURS / 2)


def test_answers_that_people_care_about_are_younger_than_by_round_robin(world: World) -> None:
    ours, theirs = (
        report(simulate(world, ByPollSchedule, HOURS), world),
        report(simulate(world, RoundRobin, HOURS), world),
    )
    for why, at_the_median, late in (("watched", 3, 3), ("favourite", 1.3, 1.2), ("saved", 1.3, 1.2)):
        assert ours["age_seconds"][why]["median"] * at_the_median < theirs["age_seconds"][why]["median"]
        assert ours["age_seconds"][why]["p95"] * late < theirs["age_seconds"][why]["p95"]
    assert ours["polls"] <= theirs["polls"]


@pytest.mark.req("R-27")
def test_no_token_goes_beyond_its_budget_and_people_keep_their_half(few_schools: World, planned: Measured) -> None:
    calls = report(planned, few_schools)["most_calls_of_a_token_in_a_minute"]
    assert set(calls) == {"210", "600"}
    assert min(calls.values()) > 20, "what is hardly spent is within every budget"
    assert all(most <= int(limit) for limit, most in calls.items())


def test_equal_worlds_give_equal_figures(few_schools: World, planned: Measured) -> None:
    again = draw(schools=40, centres=12, hours=HOURS / 2, seed=2)
    assert report(simulate(again, ByPollSchedule, HOURS / 2), again) == report(planned, few_schools)
