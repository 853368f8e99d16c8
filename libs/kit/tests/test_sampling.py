"""Counting by kind: nothing added is lost or counted twice, and what comes of it stays few, whatever comes."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resapermis_kit.denials.denial import Denial
from resapermis_kit.denials.sampling import Bounds, Sample, Sampler
from resapermis_testing.profile import tries

pytestmark = pytest.mark.req("S-14")
SMALL = Bounds(window=60, kinds=6, of_one=3)
REASONS = ("csrf", "no_session")
KINDS = [Denial(reason, "route", f"/{where}", place=who) for reason in REASONS for where in range(5) for who in "abcd"]
STEPS = st.lists(
    st.one_of(
        st.sampled_from(KINDS).map(lambda kind: ("add", kind)),
        st.floats(0, 50).map(lambda seconds: ("pass", seconds)),
        st.sampled_from([("write", True), ("write", False), ("end", True)]),
    ),
    max_size=80,
)


def sampler(bounds: Bounds = SMALL) -> Sampler[Denial]:
    return Sampler(lambda denial: denial.who, Denial.coarser, bounds)


def written(what: Sampler[Denial], now: float) -> list[Sample[Denial]]:
    """What is due, put into the journal."""
    found = what.due(now)
    what.written(found, now)
    return found


def few(bounds: Bounds) -> int:
    """What may be remembered at once, the kinds without who among them."""
    return bounds.kinds + len(REASONS)


@given(STEPS)
@settings(max_examples=tries(briefly=100, long=3000), deadline=None)
def test_each_thing_is_in_one_sample_and_few_are_remembered(steps: list[tuple[str, object]]) -> None:
    """Writing fails now and then: what was not written stays counted."""
    counted, now = sampler(), 0.0
    added: Counter[str] = Counter()
    kept: list[Sample[Denial]] = []
    for what, value in [*steps, ("end", True)]:
        if what == "add":
            assert isinstance(value, Denial)
            counted.add(value, now)
            added[value.reason] += 1
        elif what == "pass":
            now += float(str(value))
        else:
            due = counted.due(now, all_of_it=what == "end")
            if value:
                counted.written(due, now)
                kept += due
        assert len(counted) <= few(SMALL)
    assert counted.due(now, all_of_it=True) == []
    found: Counter[str] = Counter()
    for sample in kept:
        found[sample.kind.reason] += sample.count
        assert sample.count > 0
        assert sample.first <= sample.last <= now
    assert found == added


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 3)), min_size=1, max_size=200))
@settings(max_examples=tries(briefly=50, long=1500), deadline=None)
def test_no_minute_has_more_records_than_two_of_each_kind(arrivals: list[tuple[Denial, float]]) -> None:
    """Written as soon as anything is due, the worst for the database."""
    counted, now = sampler(), 0.0
    moments: list[float] = []
    for kind, pause in arrivals:
        now += pause
        counted.add(kind, now)
        moments += [now] * len(written(counted, now))
    most = max(sum(begin <= moment < begin + SMALL.window for moment in moments) for begin in moments)
    assert most <= 2 * few(SMALL)


def test_the_first_of_a_kind_is_due_at_once_and_those_that_follow_when_its_window_ends() -> None:
    counted, kind = sampler(), KINDS[0]
    assert counted.add(kind, 100)
    assert written(counted, 100) == [Sample(kind, 1, 100, 100)]
    assert not counted.add(kind, 101)
    assert not counted.add(kind, 130)
    assert counted.due(159.9) == []
    assert written(counted, 160) == [Sample(kind, 2, 101, 130)]
    assert len(counted) == 0
    assert counted.add(kind, 161), "a new window"


def test_another_reason_place_or_route_is_another_kind() -> None:
    counted = sampler()
    assert counted.add(KINDS[0], 0)
    written(counted, 0)
    assert counted.add(Denial("csrf", "route", "/0", place="b"), 1)
    assert counted.add(Denial("csrf", "route", "/1", place="a"), 1)
    assert counted.add(Denial("no_session", "route", "/0", place="a"), 1)
    assert counted.add(Denial("csrf", "route", "/0", place="a", account_id="account-1"), 1)


def test_one_who_tries_everything_is_still_named_and_leaves_room_for_others() -> None:
    counted = sampler()
    for where in range(20):
        counted.add(Denial("csrf", "route", f"/{where}", place="a"), 0)
    other = Denial("csrf", "route", "/0", place="b")
    counted.add(other, 0)
    due = {sample.kind: sample.count for sample in written(counted, 0)}
    assert due[Denial("csrf", place="a")] == 17
    assert due[other] == 1
    assert len(due) == SMALL.of_one + 2


def test_of_more_who_than_are_remembered_the_count_is_kept() -> None:
    counted = sampler()
    for number in range(1000):
        counted.add(Denial("csrf", "route", "/", place=str(number)), 0)
    due = {sample.kind: sample.count for sample in written(counted, 0)}
    assert due[Denial("csrf")] == 1000 - SMALL.kinds
    assert len(due) == SMALL.kinds + 1


def test_what_comes_while_records_are_written_is_counted_on() -> None:
    counted, kind = sampler(), KINDS[0]
    counted.add(kind, 0)
    writing = counted.due(0)
    counted.add(kind, 1)
    counted.written(writing, 2)
    assert written(counted, 61) == [Sample(kind, 1, 0, 1)], "it came not before the last that was written"
