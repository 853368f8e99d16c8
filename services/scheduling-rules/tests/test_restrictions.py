"""Restrictions as arithmetic: what restricts whom until when, over marks, days and changes of clocks; and when people meet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_snapshots import departments, moments
from rule_snapshots import restrictions as some_restrictions

from resapermis_places.table import zone_of
from resapermis_scheduling_rules.domain.availability import (
    LineResources,
    Occupation,
    OccupationCause,
    ResourceKind,
    conflicts,
    of_one_action,
)
from resapermis_scheduling_rules.domain.days import days_later
from resapermis_scheduling_rules.domain.distance import distance_km, travel_minutes
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.restrictions import (
    Reason,
    ReportedOutcome,
    Restriction,
    after_cancellation,
    after_exam,
    after_result,
    failure_days,
    is_late,
    next_possible,
)
from resapermis_scheduling_rules.domain.slots import Centre, Point, Slot, Status

EXAM = datetime(2026, 12, 9, 8, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
EVRY, CRETEIL = Point(48.6238, 2.4296), Point(48.7904, 2.4556)


@pytest.mark.req("R-21")
@pytest.mark.parametrize(
    ("points", "days"),
    [(19, 7), (17, 7), (16, 14), (14, 14), (13, 21), (10, 21), (9, 28), (5, 28), (4, 35), (0, 35), (20, 35), (31, 35)],
)
def test_the_lower_the_mark_the_longer_the_wait_and_enough_points_were_an_eliminatory_error(
    points: int, days: int
) -> None:
    assert failure_days(points, Parameters()) == days


@pytest.mark.req("R-21")
def test_where_the_mark_is_not_stated_only_the_shortest_wait_is_certain() -> None:
    assert failure_days(None, Parameters()) == 7


@pytest.mark.req("R-21")
def test_absence_failure_and_pass_restrict_from_the_exam_on() -> None:
    values = Parameters()
    absent = after_result(ReportedOutcome.ABSENT, None, EXAM, "CIRCULATION", "91", values)
    assert absent is not None
    assert (absent.reason, absent.until) == (Reason.ABSENCE, EXAM + timedelta(days=40))
    failed = after_result(ReportedOutcome.FAILED, 11, EXAM, "CIRCULATION", "91", values)
    assert failed is not None
    assert (failed.reason, failed.since, failed.until) == (Reason.FAILURE, EXAM, EXAM + timedelta(days=21))
    passed = after_result(ReportedOutcome.PASSED, 28, EXAM, "PLATEAU", "91", values)
    assert passed is not None
    assert (passed.reason, passed.until, passed.kind) == (Reason.PASSED, None, "PLATEAU")
    assert after_result(ReportedOutcome.PASSED, 28, EXAM, "", "91", values) is None
    awaited = after_exam(EXAM, "CIRCULATION", values)
    assert (awaited.reason, awaited.until) == (Reason.RESULT_PENDING, EXAM + timedelta(hours=48))


@pytest.mark.req("R-21")
@pytest.mark.parametrize(
    ("cancelled", "late"),
    [
        (datetime(2026, 12, 2, 23, 59, 59, tzinfo=PARIS), False),
        (datetime(2026, 12, 3, 0, 0, tzinfo=PARIS), True),
        (datetime(2026, 12, 9, 8, 59, tzinfo=PARIS), True),
    ],
)
def test_six_calendar_days_before_the_exam_is_late_and_seven_is_not(cancelled: datetime, *, late: bool) -> None:
    assert is_late(cancelled, EXAM, "91", Parameters()) == late
    restriction = after_cancellation(cancelled, EXAM, "91", Parameters())
    assert (restriction is not None) == late
    if restriction is not None:
        assert restriction.until == cancelled + timedelta(days=30)


@pytest.mark.req("R-21")
def test_the_day_is_that_of_the_centre() -> None:
    exam = datetime(2026, 12, 9, 13, 0, tzinfo=UTC)
    cancelled = datetime(2026, 12, 3, 2, 0, tzinfo=UTC)  # the 2nd, ten in the evening in Guadeloupe
    assert not is_late(cancelled, exam, "971", Parameters())
    assert is_late(cancelled, exam, "974", Parameters())


@pytest.mark.req("R-21")
@pytest.mark.parametrize(
    "change", [datetime(2026, 10, 20, 10, 30, tzinfo=PARIS), datetime(2027, 3, 20, 2, 30, tzinfo=PARIS)]
)
def test_days_later_is_the_same_hour_on_the_clock_over_both_changes(change: datetime) -> None:
    later = days_later(change, 40, "91").astimezone(PARIS)
    assert (later.hour, later.minute) == (change.hour, change.minute)
    assert (later.date() - change.date()).days == 40


@given(moments, st.integers(-60, 400), departments)
def test_days_later_keeps_order_and_is_within_an_hour_of_whole_days(at: datetime, days: int, department: str) -> None:
    later = days_later(at, days, department)
    assert abs(later - at - timedelta(days=days)) <= timedelta(hours=1)
    assert later.tzinfo is UTC
    assert (
        zone_of(department) == "Europe/Paris" or department not in {"971", "974"} or later == at + timedelta(days=days)
    )


@pytest.mark.req("R-21", "R-22")
@given(st.lists(some_restrictions(EXAM), max_size=5))
def test_the_next_possible_moment_has_no_restriction_and_every_one_before_has(known: list[Restriction]) -> None:
    possible = next_possible(known, EXAM)
    if possible is None:
        assert any(restriction.until is None for restriction in known)
        return
    assert not any(restriction.stands(possible) for restriction in known)
    moments = (
        {EXAM}
        | {restriction.until for restriction in known if restriction.until is not None}
        | {restriction.since for restriction in known}
    )
    for at in moments:
        if EXAM <= at < possible:
            assert any(restriction.stands(at) for restriction in known)


# --- meeting --------------------------------------------------------------------------------------------------------

SLOT = Slot(
    "slot",
    Centre("evry", "Évry", "91", EVRY.latitude, EVRY.longitude),
    EXAM,
    EXAM + timedelta(minutes=32),
    "B",
    "CIRCULATION",
    EXAM,
    Status.FREE,
    EXAM,
)


def busy(after: int, minutes: int = 32, **changes: object) -> Occupation:
    """Something that begins so many minutes after the exam has begun."""
    starts = EXAM + timedelta(minutes=after)
    given: dict[str, object] = {
        "whose": ResourceKind.TRAINER,
        "what": OccupationCause.BOOKING,
        "id": "line",
        "centre_id": "creteil",
    }
    return Occupation(starts_at=starts, ends_at=starts + timedelta(minutes=minutes), **(given | changes))  # type: ignore[arg-type]


def test_the_drive_is_estimated_from_coordinates() -> None:
    assert 18 < distance_km(EVRY, CRETEIL) < 19
    assert travel_minutes(EVRY, CRETEIL, Parameters()) == 30  # 18.6 km × 1.3 ÷ 50 km/h, rounded up
    assert travel_minutes(EVRY, EVRY, Parameters()) == 0
    assert distance_km(EVRY, CRETEIL) == pytest.approx(distance_km(CRETEIL, EVRY))


@pytest.mark.req("R-17")
@pytest.mark.parametrize(
    ("one", "meets"),
    [
        (busy(32 + 29), True),
        (busy(32 + 30), False),
        (busy(-32 - 29), True),
        (busy(-32 - 30), False),
        (busy(32 + 30, point=CRETEIL), False),
        (busy(32 + 60, point=Point(48.1, 2.4)), True),  # 58 km: an hour and a half
        (busy(32 + 100, point=Point(48.1, 2.4)), False),
        (busy(32, centre_id="evry"), False),
        (busy(31, centre_id="evry"), True),
        (busy(32 + 29, what=OccupationCause.UNAVAILABLE, centre_id=""), True),
        (busy(32 + 30, what=OccupationCause.UNAVAILABLE, centre_id=""), False),
    ],
)
def test_a_margin_or_the_drive_is_kept_on_each_side(one: Occupation, *, meets: bool) -> None:
    assert bool(conflicts(SLOT, [one], Parameters())) == meets


@pytest.mark.req("R-17")
def test_an_exam_that_rdvpermis_shows_too_short_still_takes_its_32_minutes() -> None:
    short = Slot(**{name: getattr(SLOT, name) for name in SLOT.__slots__} | {"ends_at": EXAM + timedelta(minutes=5)})
    assert conflicts(short, [busy(31, centre_id="evry")], Parameters())


@pytest.mark.req("R-17")
@given(
    st.lists(st.integers(-200, 200).map(lambda n: busy(n, id=f"line{n}")), max_size=6),
    st.randoms(use_true_random=False),
)
def test_the_order_in_which_things_are_known_changes_nothing(known: list[Occupation], random: object) -> None:
    shuffled = list(known)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert conflicts(SLOT, shuffled, Parameters()) == conflicts(SLOT, known, Parameters())


def want(line_id: str, trainer_id: str, vehicle_id: str, after: int = 0, centre: Centre = SLOT.centre) -> LineResources:
    starts = EXAM + timedelta(minutes=after)
    slot = replace(
        SLOT, id=f"slot-of-{line_id}", starts_at=starts, ends_at=starts + timedelta(minutes=32), centre=centre
    )
    return LineResources(slot, trainer_id=trainer_id, vehicle_id=vehicle_id, line_id=line_id)


@pytest.mark.req("R-17")
def test_lines_asked_for_together_meet_each_other_and_not_what_they_leave() -> None:
    far = Centre("creteil", "Créteil", "94", CRETEIL.latitude, CRETEIL.longitude)
    asked = [
        want("a", "t1", "v1"),
        want("b", "t1", "v2", 40, far),
        want("c", "t2", "v1", 32),
    ]
    together = of_one_action(asked)
    met = [[(one.whose, one.id) for one in conflicts(each.slot, each.beside, Parameters())] for each in together]
    assert met == [
        [(ResourceKind.TRAINER, "b")],
        [(ResourceKind.TRAINER, "a")],
        [],
    ]  # c follows a in the same vehicle, same centre
    assert {each.own_lines for each in together} == {frozenset({"a", "b", "c"})}
