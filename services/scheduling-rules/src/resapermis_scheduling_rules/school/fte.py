"""FTE from declared hours (D-17): which months count, when it is computed, and what comes out. Pure.

Sources: arrêté of 21 July 2016; Codes Rousseau 2025. How we read them:

- *Three rolling full months*: the three calendar months before the one in which it is computed. The night of 24 November
  counts August to October.
- *The night between the 24th and the 25th*: midnight at the end of the 24th, where the department is. Is the 24th or the
  25th a public holiday there (Christmas always; now and then Easter or Whit Monday, Ascension, Alsace's Good Friday), it
  is the night before, once: midnight at the end of the 23rd, whatever the 23rd is.
- *Hours count* where and while a trainer is active: in the department of the term that is in force when it is computed.
  The hours of who has left no longer do, so that a threshold follows its trainers at once.
- Between two nights the months stay those of the last night; a change of trainers or hours is computed with them at once.
- *Rounding*: down to the hundredth, exact integers until then. A single person may exceed one full time: no source caps it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from resapermis_places.days import day_start, local_day, month_of
from resapermis_scheduling_rules.domain.days import is_public_holiday, next_month

MONTHS = 3
FULL_TIME_HUNDREDTHS = 15_167
"""151.67 h a month."""
NIGHT = 24


class Kind(StrEnum):
    """Kinds of teaching that hours are declared for; WEIGHT_TENTHS says how each counts."""

    PRACTICAL = "practical"
    ACCOMPANIED = "accompanied"
    """Accompanied driving (AAC)."""
    THEORY = "theory"
    """Counts once whatever the number of pupils."""


WEIGHT_TENTHS: Mapping[Kind, int] = {Kind.PRACTICAL: 10, Kind.ACCOMPANIED: 12, Kind.THEORY: 10}


@dataclass(frozen=True, slots=True)
class Hours:
    """A trainer's hours of one kind in one month, for one category group."""

    trainer_id: str
    month: str
    category: str
    kind: Kind
    hundredths: int


@dataclass(frozen=True, slots=True)
class MonthWindow:
    """The full months that count, first and last: "2026-08", "2026-10"."""

    first: str
    last: str

    def __contains__(self, month: str) -> bool:
        """Say whether a month counts."""
        return self.first <= month <= self.last


@dataclass(frozen=True, slots=True)
class Fte:
    """Full-time trainers of a school, in hundredths."""

    department: str
    category: str
    hundredths: int
    months: MonthWindow


def night(year: int, month: int, department: str) -> datetime:
    """When a month's FTE is computed, UTC: midnight after the 24th, or after the 23rd where a holiday is in the way."""
    either = (date(year, month, NIGHT), date(year, month, NIGHT + 1))
    first = NIGHT - 1 if any(is_public_holiday(day, department) for day in either) else NIGHT
    return day_start(date(year, month, first + 1), department)


def _months_before(day: date, count: int) -> date:
    number = day.year * 12 + day.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)


def last_night(now: datetime, department: str) -> datetime:
    """The newest `night` that is not after `now`, UTC."""
    today = local_day(now, department)
    this = night(today.year, today.month, department)
    if this <= now:
        return this
    before = _months_before(today, 1)
    return night(before.year, before.month, department)


def next_night(now: datetime, department: str) -> datetime:
    """The first `night` after `now`, UTC."""
    today = local_day(now, department)
    this = night(today.year, today.month, department)
    if now < this:
        return this
    after = next_month(month_of(today))
    return night(int(after[:4]), int(after[5:]), department)


def months_of(computed: datetime, department: str) -> MonthWindow:
    """The three full months before the month of a night."""
    of_night = local_day(computed - timedelta(seconds=1), department)
    return MonthWindow(month_of(_months_before(of_night, MONTHS)), month_of(_months_before(of_night, 1)))


def months_in_force(now: datetime, department: str) -> MonthWindow:
    """The months that count at a moment: those of the last night."""
    return months_of(last_night(now, department), department)


def oldest_month(today: date) -> str:
    """The first month that an FTE in force may count: one more than the window, for the days before the next night."""
    return month_of(_months_before(today, MONTHS + 1))


def hundredths(hours: Iterable[Hours]) -> int:
    """Full-time trainers that hours of three months make, in hundredths, rounded down."""
    tenths = sum(WEIGHT_TENTHS[one.kind] * one.hundredths for one in hours)
    return tenths * 100 // (10 * MONTHS * FULL_TIME_HUNDREDTHS)


def compute(
    hours: Sequence[Hours], department_of: Mapping[str, str], departments: Iterable[str], months: MonthWindow
) -> list[Fte]:
    """FTE of a school by department and category group.

    `department_of` says where each trainer who is active now teaches; `departments`, where the school is to have a figure.
    A category has one once each of the three months has hours declared for it, if need be 0: a school that begins to
    declare, or is late with a month, keeps the number that RdvPermis knows instead of losing slots that it may take.
    It has one in each department then, also where no trainer is left.
    """
    counted = [one for one in hours if one.month in months]
    declared: dict[str, set[str]] = defaultdict(set)
    for one in counted:
        declared[one.category].add(one.month)
    whole = sorted(category for category, months in declared.items() if len(months) == MONTHS)
    taught: dict[tuple[str, str], list[Hours]] = defaultdict(list)
    for one in counted:
        if one.trainer_id in department_of:
            taught[department_of[one.trainer_id], one.category].append(one)
    return [
        Fte(department, category, hundredths(taught[department, category]), months)
        for department in sorted({*departments, *department_of.values()})
        for category in whole
    ]
