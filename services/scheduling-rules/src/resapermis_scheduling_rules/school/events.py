"""What is said about a school's people, hours and calendars, and the records that ride along. Ids only, never a name."""

from collections.abc import Mapping

from google.protobuf.message import Message

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, Actor, Record
from resapermis.scheduling.v1.events_pb2 import AuthorisationEnding, ConflictFound
from resapermis_kit.rpc.auth import Principal
from resapermis_scheduling_rules.availability.absence import Booked, Subject
from resapermis_scheduling_rules.domain.availability import Whose
from resapermis_scheduling_rules.domain.days import instant, zone_of
from resapermis_scheduling_rules.school.fte import Fte
from resapermis_scheduling_rules.school.staff import Ending, Term, Vehicle

SYSTEM = "scheduling-rules"


def person(who: Principal) -> Actor:
    """The person who acts for their school."""
    return Actor(
        kind=Actor.KIND_PERSON, id=who.account_id, roles=who.roles, on_behalf_of=who.school_id, place=who.place
    )


def did(who: Principal, action: str, object_kind: str, object_id: str, facts: Mapping[str, str]) -> Record:
    """A person of the school did something to it."""
    return Record(
        actor=person(who),
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        school_id=who.school_id,
        outcome=OUTCOME_DONE,
        facts=facts,
    )


def happened(school_id: str, action: str, object_kind: str, object_id: str, facts: Mapping[str, str]) -> Record:
    """Something followed by itself."""
    return Record(
        actor=Actor(kind=Actor.KIND_SYSTEM, id=SYSTEM, on_behalf_of=school_id),
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        school_id=school_id,
        outcome=OUTCOME_DONE,
        facts=facts,
    )


def term_facts(term: Term) -> dict[str, str]:
    """A trainer's term as a record says it."""
    return {
        "department": term.department,
        "categories": " ".join(term.categories),
        "activeFrom": instant(term.active_from),
        "activeUntil": instant(term.active_until) if term.active_until else "",
        "authorisedUntil": instant(term.authorised_until) if term.authorised_until else "",
    }


def vehicle_facts(vehicle: Vehicle) -> dict[str, str]:
    """A vehicle as a record says it; what the school calls it stays out of the journal."""
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
    return happened(school_id, "fte.compute", "school", school_id, facts)


def ending(one: Ending, days: int) -> list[Message]:
    """A licence or an authorisation ends soon, or has ended (0 days)."""
    what = "trainer" if one.trainer_id else "licence"
    fact = AuthorisationEnding(school_id=one.school_id, what=what, trainer_id=one.trainer_id)
    fact.ends_at.FromDatetime(one.ends_at)
    facts = {"what": what, "endsAt": instant(one.ends_at), "daysBefore": str(days)}
    object_id = one.trainer_id or one.school_id
    return [fact, happened(one.school_id, "authorisation.end", what, object_id, facts)]


def absence(who: Principal, action: str, kept_id: str, subject: Subject, facts: Mapping[str, str]) -> Record:
    """A person said, took back or imported when somebody or something is not free."""
    record = did(who, action, "unavailability", kept_id, {"whose": subject.whose, "subject": subject.id, **facts})
    if subject.whose is Whose.CANDIDATE:
        record.candidate_id = subject.id
    return record


def conflict(met: Booked) -> ConflictFound:
    """A booking meets what is declared; told, not changed."""
    fact = ConflictFound(
        school_id=met.school_id,
        line_id=met.line_id,
        slot_id=met.slot_id,
        candidate_id=met.candidate_id,
        whose=met.whose,
        time_zone=zone_of(met.department),
    )
    fact.starts_at.FromDatetime(met.starts_at)
    return fact
