"""What is published about who is not free, and the records that ride along. Ids only, never a name."""

from collections.abc import Mapping

from resapermis.audit.v1.events_pb2 import Record
from resapermis.scheduling.v1.events_pb2 import ConflictFound
from resapermis_kit.rpc.auth import Principal
from resapermis_places.table import zone_of
from resapermis_scheduling_rules import events
from resapermis_scheduling_rules.availability.unavailability import ConflictingBooking, Subject
from resapermis_scheduling_rules.domain.availability import ResourceKind


def unavailability(who: Principal, action: str, kept_id: str, subject: Subject, facts: Mapping[str, str]) -> Record:
    """A person declared, took back or imported when somebody or something is not free."""
    record = events.person_record(
        who, action, "unavailability", kept_id, {"whose": subject.whose, "subject": subject.id, **facts}
    )
    if subject.whose is ResourceKind.CANDIDATE:
        record.candidate_id = subject.id
    return record


def conflict(met: ConflictingBooking) -> ConflictFound:
    """A booking meets what is declared; published, the booking is not changed."""
    event = ConflictFound(
        school_id=met.school_id,
        line_id=met.line_id,
        slot_id=met.slot_id,
        candidate_id=met.candidate_id,
        whose=met.whose,
        time_zone=zone_of(met.department),
    )
    event.starts_at.FromDatetime(met.starts_at)
    return event
