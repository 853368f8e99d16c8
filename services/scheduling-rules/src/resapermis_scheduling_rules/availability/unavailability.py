"""Who is not free, as it is declared; and which bookings that meets. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from resapermis_scheduling_rules.domain.availability import ResourceKind
from resapermis_scheduling_rules.domain.parameters import Parameters

AHEAD = timedelta(days=366)
"""How far recurrences are written out."""
EXTENDED_BELOW = timedelta(days=335)
"""A recurrence is written on when less than this is left."""
KEPT = timedelta(days=366)
"""How long what is past is remembered."""
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Subject:
    """Who or what: a candidate, trainer or vehicle by its id, or the school itself (no id)."""

    whose: ResourceKind
    id: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredUnavailability:
    """An unavailability as a person declares it: once, or repeated by an RRULE that keeps its hour in a zone."""

    subject: Subject
    starts_at: datetime
    ends_at: datetime
    rrule: str
    time_zone: str

    def calendar(self) -> bytes:
        """As iCalendar, so that it is expanded like an imported one."""
        zone = ZoneInfo(self.time_zone)
        starts, ends = (f"{at.astimezone(zone):%Y%m%dT%H%M%S}" for at in (self.starts_at, self.ends_at))
        lines = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "BEGIN:VEVENT",
            "UID:1",
            f"DTSTART;TZID={self.time_zone}:{starts}",
            f"DTEND;TZID={self.time_zone}:{ends}",
            f"RRULE:{self.rrule}",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
        return "\r\n".join(lines).encode()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time at which a subject is not free."""

    unavailability_id: str
    subject: Subject
    span: Span
    rrule: str
    time_zone: str
    imported: bool


@dataclass(frozen=True, slots=True)
class ConflictingBooking:
    """A booking to come, and one time near it at which somebody or something it needs is not free."""

    line_id: str
    school_id: str
    slot_id: str
    candidate_id: str
    department: str
    category: str
    starts_at: datetime
    ends_at: datetime
    whose: ResourceKind
    span: Span

    def meets(self, parameters: Parameters) -> bool:
        """R-AVAILABLE's arithmetic: the exam, never shorter than one takes, with its margin on each side."""
        margin = timedelta(minutes=parameters.available_margin_minutes)
        ends = max(self.ends_at, self.starts_at + timedelta(minutes=parameters.exam_minutes))
        return self.span[0] < ends + margin and self.starts_at - margin < self.span[1]


def first_conflicts(met: Sequence[ConflictingBooking]) -> list[ConflictingBooking]:
    """One conflict for each booking and kind of resource, the earliest; in the order of the exams."""
    found: dict[tuple[str, ResourceKind], ConflictingBooking] = {}
    for one in sorted(met, key=lambda each: (each.starts_at, each.line_id, each.whose, each.span)):
        found.setdefault((one.line_id, one.whose), one)
    return list(found.values())
