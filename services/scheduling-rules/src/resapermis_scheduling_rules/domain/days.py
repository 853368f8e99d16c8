"""Days, months and hours where a department is."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

PARIS = "Europe/Paris"
OVERSEAS_ZONES: Mapping[str, str] = {
    "971": "America/Guadeloupe",
    "972": "America/Martinique",
    "973": "America/Cayenne",
    "974": "Indian/Reunion",
    "975": "America/Miquelon",
    "976": "Indian/Mayotte",
}


def zone_of(department: str) -> str:
    """IANA zone in which a department's exam hours are meant."""
    return OVERSEAS_ZONES.get(department, PARIS)


def local_day(at: datetime, department: str) -> date:
    """Day of `at` where the department is."""
    return _day(at, zone_of(department))


@lru_cache(maxsize=65_536)
def _day(at: datetime, zone: str) -> date:
    """Remembered: each slot of a page asks several times, and most departments have one clock."""
    return at.astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=4096)
def month_of(day: date) -> str:
    """As "2026-12". Remembered, like days."""
    return f"{day.year:04d}-{day.month:02d}"


@lru_cache(maxsize=65_536)
def local_month(at: datetime, department: str) -> str:
    """Month of `at` where the department is, as "2026-12"."""
    return month_of(local_day(at, department))


def day_start(day: date, department: str) -> datetime:
    """Local midnight at the start of a day, UTC. French zones never skip midnight."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone_of(department))).astimezone(UTC)


def month_start(month: str, department: str, day: int = 1) -> datetime:
    """Local midnight at the start of day `day` of "2026-12", UTC."""
    year, number = (int(part) for part in month.split("-"))
    return day_start(date(year, number, day), department)


def next_month(month: str) -> str:
    """The month after "2026-12"."""
    year, number = (int(part) for part in month.split("-"))
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


def days_later(at: datetime, days: int, department: str) -> datetime:
    """The same hour on the clock `days` later where the department is, over a change of clocks too; UTC."""
    zone = ZoneInfo(zone_of(department))
    local = at.astimezone(zone)
    return (local.replace(tzinfo=None, fold=0) + timedelta(days=days)).replace(tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=65_536)
def instant(at: datetime) -> str:
    """As text in a verdict's facts."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
