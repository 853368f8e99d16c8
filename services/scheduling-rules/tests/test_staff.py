"""Terms of trainers, warnings before an end, and what a declaration meets: purely."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scheduling_peers import NOW

from resapermis_scheduling_rules.availability.unavailability import ConflictingBooking, first_conflicts
from resapermis_scheduling_rules.domain.availability import ResourceKind
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.school.staff import WARN_DAYS, Term, departments_at, due_warnings, terms_with

days = st.integers(0, 60).map(lambda n: datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=n))
lengths = st.none() | st.integers(1, 40).map(lambda n: timedelta(days=n))


@st.composite
def terms(draw: st.DrawFn) -> Term:
    since, length = draw(days), draw(lengths)
    until = None if length is None else since + length
    return Term("t1", draw(st.sampled_from(["75", "91"])), ("B",), since, until)


@pytest.mark.req("R-28")
@given(st.lists(terms(), max_size=8), days)
def test_terms_never_overlap_and_the_last_word_holds_from_its_day(declared: list[Term], at: datetime) -> None:
    kept: list[Term] = []
    for term in declared:
        before = kept
        kept = terms_with(kept, term)
        assert kept[-1] == term
        if at < term.active_from:  # what is past stays as it was
            assert departments_at(kept, at) == departments_at(before, at)
    for one, following in pairwise(kept):
        assert one.active_until is not None
        assert one.active_from < one.active_until <= following.active_from
    assert len(departments_at(kept, at)) <= 1


@pytest.mark.req("R-28")
@given(st.integers(-200 * 24, 60 * 24))
def test_warnings_come_in_order_and_stay_due(hours: int) -> None:
    ends = NOW + timedelta(days=100)
    now = ends + timedelta(hours=hours)
    assert list(due_warnings(ends, now)) == [days for days in WARN_DAYS if hours >= -24 * days]
    assert set(due_warnings(ends, now)) <= set(due_warnings(ends, now + timedelta(hours=1)))


def booking(
    starts: int, ends: int, since: int, until: int, whose: ResourceKind = ResourceKind.TRAINER, line: str = "line"
) -> ConflictingBooking:
    """In minutes from now."""
    times = [NOW + timedelta(minutes=minutes) for minutes in (starts, ends, since, until)]
    return ConflictingBooking(line, "school-1", "s", "p", "91", "B", times[0], times[1], whose, (times[2], times[3]))


@pytest.mark.req("R-17")
@given(st.integers(-200, 200), st.integers(1, 120), st.integers(0, 60), st.integers(20, 60))
def test_an_exam_meets_what_comes_within_its_margin(since: int, length: int, margin: int, exam: int) -> None:
    parameters = Parameters(available_margin_minutes=margin, exam_minutes=exam)
    apart = max(since - max(32, exam), -(since + length))  # minutes between the two, negative when they overlap
    assert booking(0, 32, since, since + length).meets(parameters) == (apart < margin)


@pytest.mark.req("R-17")
def test_a_booking_is_published_once_for_each_whose_time_it_meets() -> None:
    met = [
        booking(0, 32, 10, 20),
        booking(0, 32, -5, 5),
        booking(0, 32, 10, 20, ResourceKind.SCHOOL),
        booking(60, 92, 10, 70, line="later"),
    ]
    assert [(one.line_id, one.whose, (one.span[0] - NOW).total_seconds() / 60) for one in first_conflicts(met)] == [
        ("line", "school", 10),
        ("line", "trainer", -5),
        ("later", "trainer", 10),
    ]
