"""Days of a place: between instants and its own calendar, on the days too on which its clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_places.days import day_start, local_day, local_month, month_of
from resapermis_places.table import PLACES

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
codes = st.sampled_from(sorted(PLACES))
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
moments = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 - made aware at once
CHANGES = {
    "94": {date(2026, 3, 29): 23, date(2026, 10, 25): 25},
    "2A": {date(2026, 3, 29): 23, date(2026, 10, 25): 25},
    "975": {date(2026, 3, 8): 23, date(2026, 11, 1): 25},
}
"""Of 2026: the last Sundays of March and October in Europe; at Saint-Pierre, as in North America, earlier and later."""


@given(codes, days)
def test_a_day_has_two_bounds_and_what_lies_between_is_of_that_day(code: str, day: date) -> None:
    begins, ends = day_start(day, code), day_start(day + DAY, code)
    assert begins.tzinfo is UTC
    local = begins.astimezone(ZoneInfo(PLACES[code].zone))
    assert (local.date(), local.time()) == (day, time())
    assert ends - begins in {timedelta(hours=hours) for hours in (23, 24, 25)}
    assert [local_day(at, code) for at in (begins - INSTANT, begins, ends - INSTANT, ends)] == [
        day - DAY,
        day,
        day,
        day + DAY,
    ]


@given(codes, moments)
def test_every_moment_is_of_one_day_and_month(code: str, at: datetime) -> None:
    day = local_day(at, code)
    assert day_start(day, code) <= at < day_start(day + DAY, code)
    assert local_month(at, code) == month_of(day) == day.isoformat()[:7]


@pytest.mark.parametrize("code", PLACES)
def test_clocks_change_twice_a_year_or_never(code: str) -> None:
    year = [date(2026, 1, 1) + n * DAY for n in range(365)]
    lengths = {day: (day_start(day + DAY, code) - day_start(day, code)) // timedelta(hours=1) for day in year}
    mainland = CHANGES["94"] if len(code) == 2 else {}
    assert {day: hours for day, hours in lengths.items() if hours != 24} == CHANGES.get(code, mainland)
