"""The call budget, without a network: time is an argument."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_auth_gateway.egress.budget import LONGEST_WAIT, Budget, Limits, Reservation, retry_after_seconds

pytestmark = pytest.mark.req("R-27")

# (seconds since the last one, calls in one action, a person asks, network delay of each answer)
attempts = st.lists(
    st.tuples(st.floats(0, 20, allow_nan=False), st.integers(1, 6), st.booleans(), st.floats(0, 9, allow_nan=False)),
    max_size=120,
)


def run(limits: Limits, asked: list[tuple[float, int, bool, float]]) -> list[tuple[float, float, bool]]:
    """Play attempts; return (sent, answered, urgent) of each call that went."""
    budget, now = Budget(limits), 1000.0
    pending: list[tuple[float, Reservation]] = []
    calls: list[tuple[float, float, bool]] = []
    for pause, count, urgent, delay in asked:
        now += pause
        for ended, reservation in sorted((p for p in pending if p[0] <= now), key=lambda p: p[0]):
            budget.ended(reservation, ended, asked=True)
        pending = [p for p in pending if p[0] > now]
        found = budget.reserve("token", "school", count, now, urgent=urgent)
        if isinstance(found, Reservation):
            found.left = 0
            for _ in range(count):
                pending.append((now + delay, found))
                calls.append((now, now + delay, urgent))
    return calls


@given(attempts, st.floats(0, 1))
def test_no_minute_of_rdvpermis_sees_more_than_the_limit_whatever_the_delays(asked, where):
    limits = Limits(employee=10, school=14, background_share=0.5)
    arrivals = sorted((sent + (answered - sent) * where, urgent) for sent, answered, urgent in run(limits, asked))
    for index, (end, _) in enumerate(arrivals):
        minute = [urgent for at, urgent in arrivals[: index + 1] if at > end - 60]
        assert len(minute) <= 10
        assert minute.count(False) <= 5


@given(attempts)
def test_what_is_promised_for_later_goes_then_if_nobody_else_asks(asked):
    budget, now = Budget(Limits(employee=10, school=14)), 1000.0
    for pause, count, urgent, _ in asked:
        now += pause
        found = budget.reserve("token", "school", count, now, urgent=urgent)
        if isinstance(found, float) and count <= 5:
            assert now < found <= now + 61
            now = found
            found = budget.reserve("token", "school", count, now, urgent=urgent)
            assert isinstance(found, Reservation)
        if isinstance(found, Reservation):
            while found.left:
                found.left -= 1
                budget.ended(found, now, asked=True)


def test_background_work_leaves_half_to_people():
    budget = Budget(Limits(employee=10, school=100))
    for _ in range(5):
        assert isinstance(budget.reserve("token", "school", 1, 0, urgent=False), Reservation)
    assert isinstance(budget.reserve("token", "school", 1, 0, urgent=False), float)
    assert isinstance(budget.reserve("token", "school", 5, 0, urgent=True), Reservation)
    assert isinstance(budget.reserve("token", "school", 1, 0, urgent=True), float)


@given(attempts, st.lists(st.booleans(), min_size=120, max_size=120), st.floats(0, 1), st.integers(0, 60))
def test_two_processes_together_stay_within_the_limit_from_the_first_call_of_the_second(asked, seconds, where, joins):
    limits = Limits(employee=10, school=14, background_share=0.5)
    first, second, now = Budget(limits), Budget(limits), 1000.0
    second.divide(0)
    pending: list[tuple[float, Budget, Reservation]] = []
    arrivals: list[tuple[float, bool]] = []
    for number, ((pause, count, urgent, delay), at_second) in enumerate(zip(asked, seconds, strict=False)):
        now += pause
        for ended, budget, reservation in sorted((p for p in pending if p[0] <= now), key=lambda p: p[0]):
            budget.ended(reservation, ended, asked=True)
        pending = [p for p in pending if p[0] > now]
        if number >= joins:
            first.divide(2)
            if first.within(now):
                second.divide(2)
        budget = second if at_second else first
        found = budget.reserve("token", "school", count, now, urgent=urgent)
        if isinstance(found, Reservation):
            found.left = 0
            pending += [(now + delay, budget, found)] * count
            arrivals += [(now + delay * where, urgent)] * count
    arrivals.sort()
    for index, (end, _) in enumerate(arrivals):
        minute = [urgent for at, urgent in arrivals[: index + 1] if at > end - 60]
        assert len(minute) <= 10
        assert minute.count(False) <= 5


def test_a_part_of_a_budget_is_what_is_left_of_it_and_the_whole_comes_back():
    budget = Budget(Limits(employee=10, school=100))
    assert isinstance(budget.reserve("token", "school", 6, 0, urgent=True), Reservation)
    budget.divide(2)
    assert not budget.within(0)
    assert budget.left("token", "school", 0, urgent=True) == 0
    assert budget.left("other", "school", 0, urgent=True) == 5
    budget.divide(0)
    assert budget.left("new", "elsewhere", 0, urgent=True) == 0
    budget.divide(1)
    assert budget.within(0)
    assert budget.left("token", "school", 0, urgent=True) == 4


def test_employees_of_one_school_share_the_schools_limit():
    budget = Budget(Limits(employee=10, school=12))
    assert isinstance(budget.reserve("a", "school", 10, 0, urgent=True), Reservation)
    assert budget.left("b", "school", 0, urgent=True) == 2
    assert budget.left("b", "elsewhere", 0, urgent=True) == 10


def test_an_action_is_set_aside_whole_or_not_at_all_and_the_rest_comes_back():
    budget = Budget(Limits(employee=10, school=100))
    action = budget.reserve("token", "school", 6, 0, urgent=True)
    assert isinstance(action, Reservation)
    assert isinstance(budget.reserve("token", "school", 5, 0, urgent=True), float)
    action.left -= 1
    budget.ended(action, 1, asked=True)
    budget.give_back(action, 1)
    assert budget.left("token", "school", 1, urgent=True) == 9


def test_a_call_that_was_surely_not_asked_costs_nothing():
    budget = Budget(Limits(employee=2, school=2))
    action = budget.reserve("token", "school", 2, 0, urgent=True)
    assert isinstance(action, Reservation)
    action.left -= 1
    budget.ended(action, 1, asked=False)
    assert budget.left("token", "school", 1, urgent=True) == 1


def test_a_429_makes_people_wait_too_and_only_that_employee():
    budget = Budget()
    until = budget.refused("token", 100, 7)
    assert until == 107
    assert budget.reserve("token", "school", 1, 101, urgent=True) == 107
    assert isinstance(budget.reserve("other", "school", 1, 101, urgent=True), Reservation)
    assert isinstance(budget.reserve("token", "school", 1, 107, urgent=True), Reservation)


def test_429s_without_retry_after_back_off_and_start_anew_after_an_answer():
    budget = Budget()
    assert [budget.refused("token", at, None) - at for at in (0, 100, 200, 300)] == [1, 2, 4, 8]
    budget.accepted("token")
    assert budget.refused("token", 400, None) == 401


@given(st.one_of(st.none(), st.text(max_size=40), st.integers(-(10**12), 10**12).map(str)))
def test_any_retry_after_is_bounded(header):
    seconds = retry_after_seconds(header, datetime(2026, 12, 1, tzinfo=UTC))
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT


def test_retry_after_is_read_as_seconds_or_as_a_date():
    now = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
    assert retry_after_seconds("12", now) == 12
    assert retry_after_seconds(format_datetime(now + timedelta(seconds=30), usegmt=True), now) == 30
    assert retry_after_seconds("1000000000", now) == LONGEST_WAIT
    for nothing in (None, "", "-1", "soon", "1e9", format_datetime(now - timedelta(seconds=30), usegmt=True)):
        assert retry_after_seconds(nothing, now) is None


def test_memory_follows_who_is_at_work():
    budget = Budget()
    for number in range(50):
        action = budget.reserve(f"token-{number}", f"school-{number}", 1, 100, urgent=False)
        assert isinstance(action, Reservation)
        action.left = 0
        budget.ended(action, 100, asked=True)
    budget.reserve("late", "school", 1, 300, urgent=True)
    assert set(budget.employees) == {"late"}
    assert set(budget.schools) == {"school"}
