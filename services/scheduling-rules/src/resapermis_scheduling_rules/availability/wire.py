"""Between messages and values of availability: parsed here once, answered from here."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

from resapermis.scheduling.v1 import availability_pb2 as pb
from resapermis_kit.errors import malformed
from resapermis_places.table import zone_of
from resapermis_scheduling_rules.availability.ical.reader_process import CalendarReading
from resapermis_scheduling_rules.availability.unavailability import DeclaredUnavailability, Occurrence, Subject
from resapermis_scheduling_rules.domain.availability import ResourceKind
from resapermis_scheduling_rules.domain.days import instant
from resapermis_scheduling_rules.wire import moment, timestamp, word

RULE = re.compile(r"FREQ=(?:DAILY|WEEKLY|MONTHLY|YEARLY)(?:;[A-Z]{3,10}=[A-Z0-9,+-]{1,200}){0,12}")
LONGEST_RULE = 500
LONGEST = timedelta(days=400)
LONGEST_WINDOW = timedelta(days=100, hours=2)
"""A hundred days, clocks changed twice."""
FURTHEST = timedelta(days=3 * 366)
KINDS: Mapping[pb.SubjectKind.ValueType, ResourceKind] = {
    pb.SUBJECT_KIND_CANDIDATE: ResourceKind.CANDIDATE,
    pb.SUBJECT_KIND_TRAINER: ResourceKind.TRAINER,
    pb.SUBJECT_KIND_VEHICLE: ResourceKind.VEHICLE,
    pb.SUBJECT_KIND_SCHOOL: ResourceKind.SCHOOL,
}
_NUMBERS = {whose: number for number, whose in KINDS.items()}


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def subject_of(message: pb.Subject, field: str) -> Subject:
    """Read a subject: the school has no id, everybody else one."""
    whose = KINDS.get(message.kind)
    if whose is None:
        raise malformed(f"{field}.kind", "a candidate, trainer, vehicle or the school")
    if whose is ResourceKind.SCHOOL:
        if message.id:
            raise malformed(f"{field}.id", "empty for the school")
        return Subject(whose)
    return Subject(whose, word(message.id, f"{field}.id"))


def declared_of(message: pb.Unavailability, now: datetime, home: str) -> DeclaredUnavailability:
    """Read a declaration; its zone is the school's unless given."""
    subject = subject_of(message.subject, "unavailability.subject")
    starts_at = moment(message.starts_at, "unavailability.starts_at")
    ends_at = moment(message.ends_at, "unavailability.ends_at")
    if not starts_at < ends_at <= starts_at + LONGEST:
        raise malformed("unavailability.ends_at", f"after starts_at, by at most {LONGEST.days} days")
    if starts_at > now + FURTHEST:
        raise malformed("unavailability.starts_at", "within three years")
    rrule = message.rrule.upper().removeprefix("RRULE:")
    if rrule and (len(rrule) > LONGEST_RULE or RULE.fullmatch(rrule) is None):
        raise malformed("unavailability.rrule", 'a recurrence rule by days or longer, e.g. "FREQ=WEEKLY;BYDAY=MO"')
    if not rrule and ends_at <= now:
        raise malformed("unavailability.ends_at", "in the future")
    zone = message.time_zone or zone_of(home)
    if zone not in _zones():
        raise malformed("unavailability.time_zone", 'an IANA time zone, e.g. "Europe/Paris"')
    return DeclaredUnavailability(subject, starts_at, ends_at, rrule, zone)


def window_of(request: pb.ListUnavailabilitiesRequest, now: datetime) -> tuple[datetime, datetime]:
    """Read a window of at most 100 days, from now unless given."""
    since = moment(getattr(request, "from"), "from") if request.HasField("from") else now
    until = moment(request.to, "to") if request.HasField("to") else since + timedelta(days=100)
    if not since < until <= since + LONGEST_WINDOW:
        raise malformed("to", "after from, by at most 100 days")
    return since, until


def _subject(subject: Subject) -> pb.Subject:
    return pb.Subject(kind=_NUMBERS[subject.whose], id=subject.id)


def declared(kept_id: str, kept: DeclaredUnavailability) -> pb.Unavailability:
    """A declaration → pb.Unavailability, with its own first time."""
    return pb.Unavailability(
        id=kept_id,
        subject=_subject(kept.subject),
        starts_at=timestamp(kept.starts_at),
        ends_at=timestamp(kept.ends_at),
        rrule=kept.rrule,
        time_zone=kept.time_zone,
    )


def occurrence(found: Occurrence) -> pb.Unavailability:
    """One time of an unavailability → pb.Unavailability, with the id and rule of the whole."""
    return pb.Unavailability(
        id=found.unavailability_id,
        subject=_subject(found.subject),
        starts_at=timestamp(found.span[0]),
        ends_at=timestamp(found.span[1]),
        rrule=found.rrule,
        time_zone=found.time_zone,
        imported=found.imported,
    )


def imported(read: CalendarReading, *, replaced: bool) -> pb.ImportCalendarResponse:
    """What a calendar brought, or would."""
    return pb.ImportCalendarResponse(
        kept=len(read.spans) if replaced else 0,
        left_out=read.left_out,
        needs_confirmation=not replaced,
        would_keep=0 if replaced else len(read.spans),
        lost=[pb.LostEvent(why=one.why, starts=one.starts, repeats=one.repeats) for one in read.lost],
    )


def facts(kept: DeclaredUnavailability) -> dict[str, str]:
    """A declaration → the facts of its journal record: its times and recurrence, without what it is called."""
    return {"startsAt": instant(kept.starts_at), "endsAt": instant(kept.ends_at), "rrule": kept.rrule}
