"""Events about a school's people, hours and calendars, and their records. Ids only, never a name."""

from google.protobuf.message import Message

from resapermis.audit.v1.events_pb2 import Record
from resapermis.scheduling.v1.events_pb2 import AuthorisationEnding
from resapermis_scheduling_rules import events
from resapermis_scheduling_rules.domain.days import instant
from resapermis_scheduling_rules.school.fte import Fte
from resapermis_scheduling_rules.school.staff import EndingAuthorisation, Term, Vehicle


def term_facts(term: Term) -> dict[str, str]:
    """A trainer's term as a record keeps it."""
    return {
        "department": term.department,
        "categories": " ".join(term.categories),
        "activeFrom": instant(term.active_from),
        "activeUntil": instant(term.active_until) if term.active_until else "",
        "authorisedUntil": instant(term.authorised_until) if term.authorised_until else "",
    }


def vehicle_facts(vehicle: Vehicle) -> dict[str, str]:
    """A vehicle as a record keeps it; what the school calls it stays out of the journal."""
    return {
        "categories": " ".join(vehicle.categories),
        "gearbox": vehicle.gearbox,
        "retired": str(vehicle.retired).lower(),
    }


def fte_computed(school_id: str, fte: Fte) -> Record:
    """A school's FTE came out differently."""
    facts = {
        "department": fte.department,
        "category": fte.category,
        "hundredths": str(fte.hundredths),
        "firstMonth": fte.months.first,
        "lastMonth": fte.months.last,
    }
    return events.system_record(school_id, "fte.compute", "school", school_id, facts)


def ending(one: EndingAuthorisation, days: int) -> list[Message]:
    """A licence or an authorisation ends soon, or has ended (0 days)."""
    what = "trainer" if one.trainer_id else "licence"
    event = AuthorisationEnding(school_id=one.school_id, what=what, trainer_id=one.trainer_id)
    event.ends_at.FromDatetime(one.ends_at)
    facts = {"what": what, "endsAt": instant(one.ends_at), "daysBefore": str(days)}
    object_id = one.trainer_id or one.school_id
    return [event, events.system_record(one.school_id, "authorisation.end", what, object_id, facts)]
