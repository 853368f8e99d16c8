"""Months, spans of days, working days and public holidays where a department is.

Alsace and Moselle keep Good Friday and 26 December; departments and collectivities overseas keep days of their own.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

import holidays

from resapermis_places.days import day_start
from resapermis_places.table import zone_of

LOCAL_HOLIDAYS: Mapping[str, str] = {
    "57": "57",
    "67": "6AE",
    "68": "6AE",
    "971": "971",
    "972": "972",
    "973": "973",
    "974": "974",
    "975": "PM",
    "976": "976",
    "977": "BL",
    "978": "MF",
    "986": "WF",
    "987": "PF",
    "988": "NC",
}
"""Departments with holidays of their own, as the holidays package names them."""


def month_start(month: str, department: str, day: int = 1) -> datetime:
    """Local midnight at the start of day `day` of a month ("2026-12"), UTC. ValueError where there is no such day."""
    year, number = (int(part) for part in month.split("-"))
    return day_start(date(year, number, day), department)


def next_month(month: str) -> str:
    """The month after "2026-12", written alike; ValueError where `month` is not."""
    year, number = (int(part) for part in month.split("-"))
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


def days_later(at: datetime, days: int, department: str) -> datetime:
    """The same hour on the clock `days` later where the department is, over a change of clocks too; UTC."""
    zone = ZoneInfo(zone_of(department))
    local = at.astimezone(zone)
    return (local.replace(tzinfo=None, fold=0) + timedelta(days=days)).replace(tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=65_536)
def instant(at: datetime) -> str:
    """As text in a verdict's facts: ISO 8601, UTC, "2026-12-09T08:32:00Z"."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@cache
def _days_off(department: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("FR", subdiv=LOCAL_HOLIDAYS.get(department), years=year))


def is_public_holiday(day: date, department: str) -> bool:
    """Whether a day is a public holiday of France or of the department (source: the holidays package)."""
    return day in _days_off(department, day.year)


def is_working_day(day: date, department: str) -> bool:
    """Whether a day is a Monday to Friday and no public holiday of the department."""
    return day.weekday() < 5 and not is_public_holiday(day, department)
