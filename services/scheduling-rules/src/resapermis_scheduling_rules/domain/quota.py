"""Thresholds: how many slots a school may take in a month, and how many of them by today."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from resapermis_places.days import local_day, month_of
from resapermis_scheduling_rules.domain.days import month_start, next_month
from resapermis_scheduling_rules.domain.parameters import Parameters


@dataclass(frozen=True, slots=True)
class ThresholdKey:
    """What a threshold counts by: the centre's department, the exam's month, the category group."""

    department: str
    month: str
    """Of the exam: "2026-12"."""
    category: str


@dataclass(frozen=True, slots=True)
class SeenThreshold:
    """RdvPermis' own figures for a school, in the department of its licence."""

    limit: int | None = None
    elsewhere: int = 0
    fte: Decimal | None = None
    reached: bool = False
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ComputedFte:
    """Full-time trainers computed from declared hours, and when."""

    fte: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Quota:
    """What a school's threshold for one department, month and category rests on."""

    rate: Decimal
    fte: Decimal | None
    taken: int = 0
    """Booked and held through us, in its threshold's month."""
    elsewhere: int = 0
    """Booked at RdvPermis without us, as far as its own figure shows."""
    rdvpermis_limit: int | None = None
    rdvpermis_says_reached: bool = False
    fte_source: str = "unknown"
    """ "hours" (computed from declared ones), "declared" (RdvPermis') or "unknown"."""
    fte_as_of: datetime | None = None

    @property
    def own_limit(self) -> int | None:
        """Slots a month by our own count: floor(rate × FTE); None where the FTE is unknown."""
        return None if self.fte is None else int(self.rate * self.fte)

    @property
    def limit(self) -> int:
        """Slots a month that may be taken: the lower of ours and RdvPermis', never negative.

        0 where neither is known, for going over cuts everybody off (source: RdvPermis charter 3.2).
        """
        known = [limit for limit in (self.own_limit, self.rdvpermis_limit) if limit is not None]
        return max(0, min(known, default=0))

    @property
    def difference(self) -> int | None:
        """RdvPermis' figure less ours, in slots; None where one is not known or both are the same."""
        if self.own_limit is None or self.rdvpermis_limit is None or self.own_limit == self.rdvpermis_limit:
            return None
        return self.rdvpermis_limit - self.own_limit

    @property
    def counted(self) -> int:
        """Slots of the month that count: booked or held through us, and booked at RdvPermis without us."""
        return self.taken + self.elsewhere


def pace_day(month: str, department: str, now: datetime) -> int:
    """Day of `month` ("2026-12") that counts for the pace, on the clock of the department.

    1 before the month begins; 99, a day beyond any, when it is over.
    """
    today = local_day(now, department)
    if month_of(today) == month:
        return today.day
    return 1 if month_of(today) < month else 99


def paced(limit: int, day: int, parameters: Parameters) -> int:
    """Slots of `limit` that may be taken by `day` of the month, rounded down (R-API-PACE).

    `pace_first_percent` of it on the 1st, evenly to all of it on `pace_full_day`; 99 stands for a month that is over.
    """
    full = parameters.pace_full_day
    if day >= full:
        return limit
    first = parameters.pace_first_percent
    return limit * (first * (full - 1) + (100 - first) * (day - 1)) // (100 * (full - 1))


def pace_opens_on(limit: int, wanted: int, parameters: Parameters) -> int | None:
    """First day of the month, 1 to 31, by which `wanted` slots in all may be taken; None when that is more than `limit`."""
    if wanted > limit:
        return None
    return next(day for day in range(1, 32) if paced(limit, day, parameters) >= wanted)


def next_pace_change(limit: int, month: str, department: str, now: datetime, parameters: Parameters) -> datetime:
    """When the paced limit next rises, else when the month ends: local midnight in the department, UTC."""
    day = pace_day(month, department, now)
    today = paced(limit, day, parameters)
    for later in range(day + 1, parameters.pace_full_day + 1):
        if paced(limit, later, parameters) > today:
            return month_start(month, department, later)
    return month_start(next_month(month), department)
