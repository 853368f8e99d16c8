"""Between instants and the days and months of a department's own calendar, over changes of clocks too."""

from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from resapermis_places.table import zone_of


def local_day(at: datetime, department: str) -> date:
    """Calendar day of `at` (aware) on the clock of the department."""
    return _day(at, zone_of(department))


@lru_cache(maxsize=65_536)
def _day(at: datetime, zone: str) -> date:
    """Remembered: each slot of a page asks several times, and most departments have one clock."""
    return at.astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=4096)
def month_of(day: date) -> str:
    """Month of a day, as "2026-12". Remembered, like days."""
    return f"{day.year:04d}-{day.month:02d}"


@lru_cache(maxsize=65_536)
def local_month(at: datetime, department: str) -> str:
    """Month of `at` (aware) on the clock of the department, as "2026-12"."""
    return month_of(local_day(at, department))


def day_start(day: date, department: str) -> datetime:
    """Local midnight at the start of a day, UTC. French zones never skip midnight."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone_of(department))).astimezone(UTC)
