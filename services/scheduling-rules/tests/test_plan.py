"""The planner of looks: what people watch first, within half of a token's budget, never for the unconnected."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scheduling_peers import DAY, NOW, Service

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_scheduling_rules.days import is_working_day
from resapermis_scheduling_rules.domain import Centre
from resapermis_scheduling_rules.plan import (
    Interest,
    Look,
    Seen,
    background_budget,
    is_due,
    looks_for,
    next_looks,
)

FRESH = timedelta(seconds=60)
CENTRES = {("91", "B"): [Centre("c1", "C1", "91"), Centre("c2", "C2", "91")], ("33", "B"): [Centre("c3", "C3", "33")]}


@given(st.integers(0, 700), st.integers(0, 700))
def test_people_keep_half_of_every_minute(left: int, per_minute: int) -> None:
    spent = background_budget(left, per_minute)
    assert spent == 0 or left - spent >= per_minute / 2


@given(st.dictionaries(st.sampled_from(["s1", "s2", "s3"]), st.integers(0, 10)), st.integers(0, 30))
def test_no_school_pays_more_than_its_budget_nor_for_what_is_not_its_own(budgets: dict[str, int], most: int) -> None:
    watched = [Interest("s1", "33", "B", DAY, DAY), Interest("unconnected", "33", "B", DAY, DAY)]
    homes = {"s1": "91", "s2": "91", "s3": "33"}
    planned = next_looks(NOW, watched, homes, CENTRES, {}, budgets, most)
    assert len(planned) <= most
    assert len({look for _, look in planned}) == len(planned)
    for school in {school for school, _ in planned}:
        mine = [look for payer, look in planned if payer == school]
        assert len(mine) <= budgets[school]
        assert {look.department for look in mine} <= ({homes[school], "33"} if school == "s1" else {homes[school]})


def test_what_people_watch_comes_before_everything_else() -> None:
    watched = [Interest("s1", "33", "B", DAY, DAY)]
    planned = next_looks(NOW, watched, {"s1": "91"}, CENTRES, {}, {"s1": 100}, 3)
    assert planned[0] == ("s1", Look(DAY, "c3", "B", "33"))


def test_working_days_are_looked_at_first() -> None:
    until = datetime(2026, 12, 28, tzinfo=UTC)
    days = [look.day for look in looks_for(CENTRES["33", "B"], "B", datetime(2026, 12, 24, tzinfo=UTC), until)]
    assert days == [date(2026, 12, day) for day in (24, 25, 26, 27, 28)][:1] + [
        date(2026, 12, d) for d in (28, 25, 26, 27)
    ]


@pytest.mark.parametrize(
    ("day", "department", "working"),
    [
        (date(2026, 12, 26), "91", False),
        (date(2025, 12, 26), "91", True),
        (date(2025, 12, 26), "67", False),  # Saint-Étienne, in Alsace
        (date(2026, 5, 27), "971", False),  # abolition of slavery, in Guadeloupe
        (date(2026, 5, 27), "91", True),
    ],
)
def test_days_off_are_the_departments(day: date, department: str, working: bool) -> None:  # noqa: FBT001
    assert is_working_day(day, department) is working


def test_a_stale_day_is_due_an_empty_one_later_a_failed_one_after_a_rest() -> None:
    look = Look(DAY, "c1", "B", "91")
    minute_ago, now = NOW - FRESH, NOW
    assert is_due(look, None, now, FRESH)
    assert is_due(look, Seen(minute_ago, minute_ago, 3), now, FRESH)
    assert not is_due(look, Seen(minute_ago, minute_ago, 0), now, FRESH)
    assert is_due(look, Seen(now - 10 * FRESH, now - 10 * FRESH, 0), now, FRESH)
    assert not is_due(look, Seen(minute_ago, now - timedelta(seconds=4), 3), now, FRESH)
    assert is_due(look, Seen(minute_ago, now - timedelta(seconds=5), 3), now, FRESH)


def test_looks_are_denser_around_publication() -> None:
    look = Look(DAY, "c3", "B", "33")
    at_three = datetime(2026, 11, 24, 14, 2, tzinfo=UTC)  # 15:02 in Paris
    for now, wanted in ((at_three, True), (at_three + timedelta(hours=2), False)):
        seen = {one: Seen(now - timedelta(minutes=5), now - timedelta(minutes=5), 1) for one in _all(now)}
        planned = [one for _, one in next_looks(now, [], {"s1": "33"}, CENTRES, seen, {"s1": 999}, 999)]
        assert (look in planned) is wanted


def _all(now: datetime) -> list[Look]:
    return looks_for(CENTRES["33", "B"], "B", now, now + timedelta(days=57))


async def test_a_round_looks_on_behalf_of_a_connected_school_and_spends_half(service: Service) -> None:
    service.state.slot("s1")
    request = pb.SearchSlotsRequest(department="91", category="B")
    getattr(request, "from").FromDatetime(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC))
    request.to.FromDatetime(datetime(DAY.year, DAY.month, DAY.day, 20, tzinfo=UTC))
    await service.stub().SearchSlots(request, metadata=service.who())
    service.clock.move(minutes=2)
    service.state.asked.clear()
    await service.planner.round()
    assert service.state.asked == []  # not connected: nothing is asked
    service.clock.move(minutes=2)
    service.state.budget.connected = service.state.budget.reachable = True
    service.state.budget.calls_per_minute, service.state.budget.calls_left = 210, 110
    await service.planner.round()
    assert len(service.state.asked) == 5
    # What a person looked at is among them; looks leave side by side, so which arrives first says nothing.
    assert ("school-1", "c1", DAY.isoformat()) in service.state.asked
