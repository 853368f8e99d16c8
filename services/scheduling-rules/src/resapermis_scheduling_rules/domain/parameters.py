"""Parameters of the rules: rows dated by when they count, put together for a place and a moment."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of domain.md in force for one department and category at one moment."""

    territory_hours: int = 48
    threshold_rate: Decimal = Decimal("4.5")
    """Slots per full-time trainer and month."""
    pace_first_percent: int = 60
    pace_full_day: int = 15
    basket: int = 12
    group: int = 4
    hold_ttl_seconds: int = 900
    notice_seconds: int = 0
    warn_percent: int = 80
    poll_stale_seconds: int = 60
    publication_minutes: int = 900
    """When new slots go on line, minutes after the department's midnight."""
    publication_weekday: int = 0
    """On which ISO weekday; 0: any."""
    replacements: int = 5
    """Replacements a month, where RdvPermis allows more."""
    plateau: int = 0
    """1 where a candidate passes the plateau before the circulation test."""
    eligibility_fresh_seconds: int = 900
    """How long RdvPermis' word on a candidate is believed."""
    absence_days: int = 40
    late_cancel_days: int = 6
    """A cancellation is late this many calendar days before the exam, or fewer."""
    late_cancel_restriction_days: int = 30
    pass_points: int = 20
    """Of 31; a failure with as many was an eliminatory error."""
    failure_17_days: int = 7
    failure_14_days: int = 14
    failure_10_days: int = 21
    failure_5_days: int = 28
    failure_0_days: int = 35
    """Below 5 points, or an eliminatory error."""
    result_hours: int = 48
    """How long after an exam its result may be awaited."""
    exam_minutes: int = 32
    available_margin_minutes: int = 30
    """Kept free on each side of an exam."""
    travel_kmh: int = 50
    travel_detour: Decimal = Decimal("1.3")
    """Road distance over great-circle distance."""


USUAL = Parameters()
DECIMALS = frozenset({"threshold_rate", "travel_detour"})
NAMES = frozenset(field.name for field in fields(Parameters))
WHOLE_NUMBERS = NAMES - DECIMALS


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value in force: for everywhere, or for one department, one category, or both."""

    name: str
    department: str | None
    category: str | None
    value: Decimal


@dataclass(frozen=True, slots=True)
class DatedValue:
    """An approved value and the moment from which it counts."""

    parameter: Parameter
    valid_from: datetime


def plain_number(value: Decimal) -> str:
    """A value as people write it: "5.1" for 5.1000, "60" for 60.0000; never with an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class Proposal:
    """A value that somebody proposed, and who approved it; nobody yet: ""."""

    id: UUID
    parameter: Parameter
    valid_from: datetime
    proposed_by: str
    approved_by: str = ""


def parameters_for(rows: Sequence[Parameter], department: str = "", category: str = "") -> Parameters:
    """Put the values for a place together: one for (department, category) before department, category, everywhere.

    `rows`: values in force, at most one a name and place. What none of them sets has domain.md's default. A name that
    this release does not know is left alone: a newer release may have written it.
    """
    best: dict[str, tuple[tuple[bool, bool], Decimal]] = {}
    for row in rows:
        if row.name in NAMES and row.department in {None, department} and row.category in {None, category}:
            rank = (row.department is not None, row.category is not None)
            if row.name not in best or best[row.name][0] <= rank:
                best[row.name] = (rank, row.value)
    values: dict[str, Any] = {name: int(value) if name in WHOLE_NUMBERS else value for name, (_, value) in best.items()}
    return Parameters(**values)


def in_force(rows: Sequence[DatedValue], at: datetime) -> list[Parameter]:
    """Of approved rows, for each name and place the one with the latest `valid_from` that is not after `at`; in any order."""
    newest: dict[tuple[str, str | None, str | None], DatedValue] = {}
    for row in rows:
        value = row.parameter
        place = (value.name, value.department, value.category)
        if row.valid_from <= at and (place not in newest or newest[place].valid_from < row.valid_from):
            newest[place] = row
    return [row.parameter for row in newest.values()]


class Rulebook:
    """Every value that was ever approved: what was in force for a place at any moment.

    Answers are remembered by the period between two changes, so that asking costs a look-up.
    """

    def __init__(self, rows: Sequence[DatedValue]) -> None:
        """`rows` in any order."""
        self.rows = tuple(rows)
        self._changes = sorted({row.valid_from for row in rows})
        self._answers: dict[tuple[int, str, str], Parameters] = {}
        self._widest: dict[int, Parameters] = {}

    def at(self, moment: datetime, department: str = "", category: str = "") -> Parameters:
        """All parameters in force at `moment` for a department and category; "": in general, without what is set for one."""
        key = (bisect_right(self._changes, moment), department, category)
        if key not in self._answers:
            self._answers[key] = parameters_for(in_force(self.rows, moment), department, category)
        return self._answers[key]

    def widest(self, moment: datetime) -> Parameters:
        """Of the values in force anywhere at a moment, those that reach furthest around an exam; the rest as usual.

        For whoever searches around an exam without knowing where it is: nothing that matters there lies further away.
        """
        period = bisect_right(self._changes, moment)
        if period not in self._widest:
            values = in_force(self.rows, moment)

            def of(name: str) -> list[Decimal]:
                return [Decimal(getattr(USUAL, name)), *(value.value for value in values if value.name == name)]

            self._widest[period] = Parameters(
                exam_minutes=int(max(of("exam_minutes"))),
                available_margin_minutes=int(max(of("available_margin_minutes"))),
                travel_kmh=int(min(of("travel_kmh"))),
                travel_detour=max(of("travel_detour")),
            )
        return self._widest[period]

    def with_value(self, changed: Parameter) -> "Rulebook":
        """The same with one value in force for its place at every moment, whatever was set there; to preview a change."""
        others = [row for row in self.rows if not _same_place(row.parameter, changed)]
        first = min((row.valid_from for row in self.rows), default=None)
        return Rulebook([*others, DatedValue(changed, first)] if first is not None else others)


def _same_place(one: Parameter, other: Parameter) -> bool:
    return (one.name, one.department, one.category) == (other.name, other.department, other.category)
