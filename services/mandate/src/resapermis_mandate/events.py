"""What mandate publishes: events for the bus and records for the journal. Ids and words, never a person."""

from resapermis.audit.v1.events_pb2 import Actor, Outcome, Record
from resapermis.mandate.v1.events_pb2 import CandidateCreated, CandidateUpdated, MandateChanged
from resapermis_kit.rpc.auth import Principal
from resapermis_mandate.domain import Mandate, State
from resapermis_mandate.wire import STATES


def person(who: Principal) -> Actor:
    """The journal's actor for a principal: account, roles, school and network."""
    return Actor(
        kind=Actor.KIND_PERSON, id=who.account_id, roles=who.roles, on_behalf_of=who.school_id, place=who.place
    )


SYSTEM = Actor(kind=Actor.KIND_SYSTEM, id="mandate")
RDVPERMIS = Actor(kind=Actor.KIND_RDVPERMIS, id="rdvpermis")


def candidate_created(who: Principal, candidate_id: str) -> tuple[CandidateCreated, Record]:
    """The event and the record of a registered candidate: its id alone, never a name."""
    event = CandidateCreated(candidate_id=candidate_id, school_id=who.school_id)
    record = Record(
        actor=person(who),
        action="candidate.create",
        object_kind="candidate",
        object_id=candidate_id,
        school_id=who.school_id,
        candidate_id=candidate_id,
        outcome=Outcome.OUTCOME_DONE,
    )
    return event, record


def candidate_updated(who: Principal, candidate_id: str, fields: str) -> tuple[CandidateUpdated, Record]:
    """The event and the record of a correction: which fields, never a value, neither the old nor the new."""
    event = CandidateUpdated(candidate_id=candidate_id, school_id=who.school_id)
    record = Record(
        actor=person(who),
        action="candidate.update",
        object_kind="candidate",
        object_id=candidate_id,
        school_id=who.school_id,
        candidate_id=candidate_id,
        outcome=Outcome.OUTCOME_DONE,
        facts={"fields": fields},
    )
    return event, record


def candidate_read(actor: Actor, school_id: str, candidate_id: str, fields: str, purpose: str) -> Record:
    """Personal data was read; written before the answer leaves."""
    return Record(
        actor=actor,
        action="candidate.read",
        object_kind="candidate",
        object_id=candidate_id,
        school_id=school_id,
        candidate_id=candidate_id,
        outcome=Outcome.OUTCOME_DONE,
        facts={"fields": fields},
        purpose=purpose,
    )


def mandate_changed(actor: Actor, mandate: Mandate, old: State | None) -> tuple[MandateChanged, Record]:
    """The event and the record of a mandate's new state; `old` is the state before, None for a new one."""
    event = MandateChanged(
        mandate_id=str(mandate.id),
        candidate_id=str(mandate.candidate_id),
        school_id=mandate.school_id,
        category=mandate.category,
        to=STATES[mandate.state],
        rdvpermis_code=mandate.rdvpermis_code,
    )
    if old is not None:
        setattr(event, "from", STATES[old])
    record = Record(
        actor=actor,
        action="mandate.change",
        object_kind="mandate",
        object_id=str(mandate.id),
        school_id=mandate.school_id,
        candidate_id=str(mandate.candidate_id),
        outcome=Outcome.OUTCOME_REFUSED if mandate.state == State.REFUSED else Outcome.OUTCOME_DONE,
        facts={"from": old or "", "to": mandate.state, "category": mandate.category, "code": mandate.rdvpermis_code},
    )
    return event, record
