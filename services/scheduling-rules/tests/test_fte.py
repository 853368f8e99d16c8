"""FTE purely: its nights, its months, its arithmetic."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_places.table import zone_of
from resapermis_scheduling_rules.school.fte import (
    Fte,
    Hours,
    Kind,
    MonthWindow,
    compute,
    hundredths,
    last_night,
    months_in_force,
    months_of,
    next_night,
    night,
)

DEPARTMENTS = ["01", "2A", "57", "67", "75", "91", "971", "973", "974", "975", "976"]
moments = st.datetimes(datetime(2024, 1, 1), datetime(2035, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 - made aware at once
hours = st.builds(
    Hours,
    st.sampled_from(["t1", "t2", "t3"]),
    st.sampled_from(["2026-07", "2026-08", "2026-09", "2026-10", "2026-11"]),
    st.sampled_from(["A", "B"]),
    st.sampled_from(Kind),
    st.integers(0, 74_400),
)


@pytest.mark.req("D-17")
@pytest.mark.parametrize(
    ("year", "month", "department", "expected"),
    [
        (2026, 11, "91", "2026-11-25T00:00"),
        (2026, 12, "91", "2026-12-24T00:00"),  # Christmas is in the way
        (2026, 5, "91", "2026-05-24T00:00"),  # the 25th is Whit Monday
        (2021, 5, "91", "2021-05-24T00:00"),  # the 24th is Whit Monday
        (2016, 3, "67", "2016-03-24T00:00"),  # Good Friday, in Alsace …
        (2016, 3, "57", "2016-03-24T00:00"),  # … and Moselle
        (2016, 3, "91", "2016-03-25T00:00"),  # … not elsewhere
        (2026, 11, "974", "2026-11-25T00:00"),
        (2026, 12, "975", "2026-12-24T00:00"),
    ],
)
def test_it_is_computed_in_the_night_after_the_24th_or_the_night_before_where_a_holiday_is_in_the_way(
    year: int, month: int, department: str, expected: str
) -> None:
    at = night(year, month, department).astimezone(ZoneInfo(zone_of(department)))
    assert at.isoformat(timespec="minutes")[:16] == expected


@pytest.mark.req("D-17")
@pytest.mark.parametrize(
    ("now", "months"),
    [
        ("2026-11-24T12:00+01:00", MonthWindow("2026-07", "2026-09")),
        ("2026-11-24T23:59+01:00", MonthWindow("2026-07", "2026-09")),
        ("2026-11-25T00:00+01:00", MonthWindow("2026-08", "2026-10")),
        ("2026-12-10T12:00+01:00", MonthWindow("2026-08", "2026-10")),
        ("2026-12-24T00:00+01:00", MonthWindow("2026-09", "2026-11")),
        ("2027-01-31T12:00+01:00", MonthWindow("2026-10", "2026-12")),
    ],
)
def test_three_full_months_count_those_before_the_last_night(now: str, months: MonthWindow) -> None:
    assert months_in_force(datetime.fromisoformat(now), "91") == months


@pytest.mark.req("D-17")
@given(moments, st.sampled_from(DEPARTMENTS))
def test_nights_follow_each_other_and_each_counts_one_month_more(now: datetime, department: str) -> None:
    last, following = last_night(now, department), next_night(now, department)
    assert last <= now < following
    assert timedelta(days=26) < following - last < timedelta(days=33)
    assert last_night(following, department) == following
    assert last_night(following - timedelta(seconds=1), department) == last
    earlier, later = months_of(last, department), months_of(following, department)
    assert earlier.first < later.first <= earlier.last < later.last
    assert months_in_force(now, department) == earlier


@pytest.mark.req("D-17")
def test_a_full_timer_of_three_months_is_one() -> None:
    full = [Hours("t", month, "B", Kind.PRACTICAL, 15_167) for month in ("2026-08", "2026-09", "2026-10")]
    assert hundredths(full) == 100
    assert hundredths(full[:-1]) == 66  # rounded down
    assert hundredths([Hours("t", "2026-08", "B", Kind.PRACTICAL, 3 * 15_167 - 1)]) == 99
    assert hundredths([Hours("t", "2026-08", "B", Kind.THEORY, 3 * 15_167)]) == 100


@pytest.mark.req("D-17")
def test_an_hour_of_accompanied_driving_counts_a_fifth_more() -> None:
    # 1000 h x 1.2 / 455.01 = 2.637…
    assert hundredths([Hours("t", "2026-08", "B", Kind.ACCOMPANIED, 100_000)]) == 263
    assert hundredths([Hours("t", "2026-08", "B", Kind.PRACTICAL, 100_000)]) == 219


@pytest.mark.req("D-17")
@given(st.lists(hours, max_size=20), st.permutations(range(20)))
def test_neither_order_nor_splitting_changes_a_sum(declared: list[Hours], order: list[int]) -> None:
    mixed = [declared[n] for n in order if n < len(declared)]
    split = [
        Hours(h.trainer_id, h.month, h.category, h.kind, part)
        for h in declared
        for part in (h.hundredths // 2, h.hundredths - h.hundredths // 2)
    ]
    assert hundredths(declared) == hundredths(mixed) == hundredths(split)


@pytest.mark.req("D-17")
@given(st.lists(hours, max_size=20), hours)
def test_more_hours_never_make_less_and_less_than_a_hundredth_is_lost(declared: list[Hours], more: Hours) -> None:
    assert hundredths(declared) <= hundredths([*declared, more])
    exact = sum(h.hundredths * (1.2 if h.kind is Kind.ACCOMPANIED else 1.0) for h in declared) / (3 * 151.67)
    assert exact - 1.0000001 < hundredths(declared) <= exact + 0.0000001


@pytest.mark.req("D-17", "R-10")
@given(st.lists(hours, min_size=4, max_size=40))
def test_what_is_outside_of_the_months_or_of_who_has_left_counts_for_nothing(declared: list[Hours]) -> None:
    months = MonthWindow("2026-08", "2026-10")
    within = [one for one in declared if "2026-08" <= one.month <= "2026-10"]
    where = {"t1": "91", "t2": "75"}
    computed = {(one.department, one.category): one.hundredths for one in compute(declared, where, ["91"], months)}
    whole = {
        category
        for category in {one.category for one in within}
        if len({one.month for one in within if one.category == category}) == 3
    }
    assert {category for _, category in computed} == whole
    for (department, category), found in computed.items():
        trainers = {trainer for trainer, at in where.items() if at == department}
        assert found == hundredths([h for h in within if h.trainer_id in trainers and h.category == category])


@pytest.mark.req("R-10")
def test_hours_of_a_trainer_who_left_make_none_not_an_unknown() -> None:
    months = MonthWindow("2026-08", "2026-10")
    declared = [Hours("t1", f"2026-{month}", "B", Kind.PRACTICAL, 15_167) for month in ("08", "09", "10")]
    assert compute(declared, {}, ["91"], months) == [Fte("91", "B", 0, months)]
    assert compute([], {"t1": "91"}, ["91"], months) == []


@pytest.mark.req("D-17", "R-10")
def test_a_category_has_a_figure_once_each_of_its_three_months_was_declared() -> None:
    months = MonthWindow("2026-08", "2026-10")
    declared = [Hours("t1", f"2026-{month}", "B", Kind.PRACTICAL, 15_167) for month in ("08", "09")]
    assert compute(declared, {"t1": "91"}, ["91"], months) == []
    idle = Hours("t1", "2026-10", "B", Kind.PRACTICAL, 0)
    assert compute([*declared, idle], {"t1": "91"}, ["91"], months) == [Fte("91", "B", 66, months)]
