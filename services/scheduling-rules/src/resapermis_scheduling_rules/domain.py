"""Slots, schools, thresholds and parameters as values; what can be decided about them without looking anywhere.

Nothing here waits, reads a clock or imports what is ours: the rules of `rules/` stand on this page alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any
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
LONGEST_WINDOW = timedelta(days=56)


class Status(StrEnum):
    """How a slot stands. The mirror keeps FREE, TAKEN, WITHDRAWN and OTHER; the other two are an asker's view of it."""

    FREE = "FREE"
    OURS = "OURS"
    TAKEN = "TAKEN"
    THRESHOLD_REACHED = "THRESHOLD_REACHED"
    WITHDRAWN = "WITHDRAWN"
    OTHER = "OTHER"


STATUS_OF_WORD: Mapping[str, Status] = {
    "DISPONIBLE": Status.FREE,
    "NON_RÉSERVÉ": Status.FREE,
    "RÉSERVÉ_PAR_MON_AUTO_ÉCOLE": Status.OURS,
    "RÉSERVÉ_PAR_AUTRE_AUTO_ÉCOLE": Status.TAKEN,
    "RÉSERVÉ": Status.TAKEN,
    "SEUIL_ATTEINT": Status.THRESHOLD_REACHED,
    "ANNULÉ": Status.WITHDRAWN,
}
"""RdvPermis' statutDeReservation as seen in public client code; a word not listed is OTHER: shown, not bookable."""


def status_of(word: str) -> Status:
    """Read RdvPermis' word, verbatim."""
    return STATUS_OF_WORD.get(word, Status.OTHER)


def zone_of(department: str) -> str:
    """IANA zone in which a department's exam hours are meant."""
    return OVERSEAS_ZONES.get(department, PARIS)


@lru_cache(maxsize=65_536)
def local_day(at: datetime, department: str) -> date:
    """Day of `at` where the department is. Remembered: each slot of a page asks several times."""
    return at.astimezone(ZoneInfo(zone_of(department))).date()


def month_of(day: date) -> str:
    """As "2026-12"."""
    return f"{day.year:04d}-{day.month:02d}"


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says, as data; texts are made from it in the reader's language. Facts are never personal."""

    rule: str
    allowed: bool
    facts: Mapping[str, str]
    source: str
    opens_at: datetime | None = None
    """The first moment at which the same facts are allowed; None when time alone does not open it (or it is open)."""
    remedy: str = ""
    """A stable word for what the school can do."""


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
    look_stale_seconds: int = 60


WHOLE_NUMBERS = frozenset(field.name for field in fields(Parameters)) - {"threshold_rate"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value in force: for everywhere, or for one department, one category, or both."""

    name: str
    department: str | None
    category: str | None
    value: Decimal


def parameters_for(rows: Sequence[Parameter], department: str = "", category: str = "") -> Parameters:
    """Put the values for a place together: one for (department, category) before department, category, everywhere."""
    best: dict[str, tuple[tuple[bool, bool], Decimal]] = {}
    for row in rows:
        if row.department in {None, department} and row.category in {None, category}:
            rank = (row.department is not None, row.category is not None)
            if row.name not in best or best[row.name][0] <= rank:
                best[row.name] = (rank, row.value)
    values: dict[str, Any] = {name: int(value) for name, (_, value) in best.items() if name in WHOLE_NUMBERS}
    if "threshold_rate" in best:
        values["threshold_rate"] = best["threshold_rate"][1]
    return Parameters(**values)


@dataclass(frozen=True, slots=True)
class Place:
    """What a threshold counts by."""

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
class Centre:
    """An exam centre."""

    id: str
    name: str
    department: str
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as the mirror has it, seen by everyone alike."""

    id: str
    centre: Centre
    starts_at: datetime
    ends_at: datetime
    category: str
    kind: str
    published_at: datetime
    status: Status
    seen_at: datetime
    holder: str = ""
    """School that has it, where known."""

    @property
    def department(self) -> str:
        """Where it is."""
        return self.centre.department

    @property
    def month(self) -> str:
        """Month it counts for: that of the exam, at the centre's own hour."""
        return month_of(local_day(self.starts_at, self.department))

    def status_for(self, school_id: str, *, threshold_reached: bool) -> Status:
        """How it stands for one school."""
        if self.status is Status.TAKEN and self.holder == school_id:
            return Status.OURS
        if self.status is Status.FREE and threshold_reached:
            return Status.THRESHOLD_REACHED
        return self.status

    def opens_to_all_at(self, parameters: Parameters) -> datetime:
        """When R-TERRITORY ends."""
        return self.published_at + timedelta(hours=parameters.territory_hours)


@dataclass(frozen=True, slots=True)
class School:
    """A driving school, as RdvPermis knows it."""

    id: str
    department: str
    licence_number: str = ""
    fte: Decimal | None = None
    """Full-time trainers; None where RdvPermis does not say."""
    licensed_until: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    """Where it is; both or neither."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a school's threshold for one department, month and category rests on."""

    rate: Decimal
    fte: Decimal | None
    taken: int = 0
    """Booked and held through us, in its threshold's month."""
    elsewhere: int = 0
    """Booked at RdvPermis without us, as far as its own figure tells."""
    rdvpermis_limit: int | None = None
    rdvpermis_says_reached: bool = False

    @property
    def own_limit(self) -> int | None:
        """floor(rate × FTE); None where the FTE is unknown."""
        return None if self.fte is None else int(self.rate * self.fte)

    @property
    def limit(self) -> int:
        """The lower of ours and RdvPermis'; 0 where neither is known, for going over cuts everybody off."""
        known = [limit for limit in (self.own_limit, self.rdvpermis_limit) if limit is not None]
        return max(0, min(known, default=0))

    @property
    def counted(self) -> int:
        """All that is booked or held."""
        return self.taken + self.elsewhere


def pace_day(month: str, department: str, now: datetime) -> int:
    """Day of `month` that counts for the pace: 1 before it begins, past its end a day beyond any."""
    today = local_day(now, department)
    if month_of(today) == month:
        return today.day
    return 1 if month_of(today) < month else 99


def paced(limit: int, day: int, parameters: Parameters) -> int:
    """How much of `limit` may be taken by `day`: from the first day's share evenly to all of it, rounded down."""
    full = parameters.pace_full_day
    if day >= full:
        return limit
    first = parameters.pace_first_percent
    return limit * (first * (full - 1) + (100 - first) * (day - 1)) // (100 * (full - 1))


def pace_opens_on(limit: int, wanted: int, parameters: Parameters) -> int | None:
    """First day of the month by which `wanted` may be taken; None when never."""
    if wanted > limit:
        return None
    return next(day for day in range(1, 32) if paced(limit, day, parameters) >= wanted)


def next_pace_change(limit: int, month: str, department: str, now: datetime, parameters: Parameters) -> datetime:
    """When the paced limit next rises, else when the month ends."""
    day = pace_day(month, department, now)
    today = paced(limit, day, parameters)
    for later in range(day + 1, parameters.pace_full_day + 1):
        if paced(limit, later, parameters) > today:
            return month_start(month, department, later)
    return month_start(next_month(month), department)


class Purpose(StrEnum):
    """What a verdict is asked for."""

    SEARCH = "search"
    HOLD = "hold"
    VALIDATE = "validate"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What mandate and basket say about the candidate of a line; an id, never a name."""

    id: str
    mandate_active: bool
    mandate_category: str
    mandate_gearbox: str
    busy: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One slot that a school wants, with everything a rule about it looks at."""

    now: datetime
    purpose: Purpose
    school: School
    slot: Slot
    parameters: Parameters
    quota: Quota
    asked: int = 1
    """Lines of the action that count for the same threshold."""
    candidate: Candidate | None = None
    namesakes: int = 0
    """Other lines of the action that name the same candidate."""

    @property
    def status(self) -> Status:
        """How the slot stands for the asker."""
        return self.slot.status_for(self.school.id, threshold_reached=self.quota.rdvpermis_says_reached)

    @property
    def added(self) -> int:
        """How much the action adds to the threshold: at validation its lines are counted already."""
        return 0 if self.purpose is Purpose.VALIDATE else self.asked


@dataclass(frozen=True, slots=True)
class Action:
    """One booking action as a whole."""

    purpose: Purpose
    lines: int
    lines_in_basket: int
    parameters: Parameters


@lru_cache(maxsize=65_536)
def instant(at: datetime) -> str:
    """As text in a verdict's facts."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
