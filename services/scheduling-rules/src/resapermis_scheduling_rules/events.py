"""Events of scheduling-rules and their records: domain → protobuf."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, Actor, Record
from resapermis.scheduling.v1.events_pb2 import (
    AuthorisationEnding,
    ConflictFound,
    RuleChanged,
    SearchMatched,
    SlotWithdrawn,
    ThresholdDiffers,
    ThresholdReached,
)
from resapermis_kit.denials.denial import Denial, record_of
from resapermis_kit.rpc.auth import Principal
from resapermis_scheduling_rules.domain.days import instant
from resapermis_scheduling_rules.domain.parameters import Parameter, Proposal, plain_number
from resapermis_scheduling_rules.domain.polls import Poll
from resapermis_scheduling_rules.domain.quota import ThresholdKey

EVENTS = (
    SlotWithdrawn.DESCRIPTOR,
    ThresholdReached.DESCRIPTOR,
    RuleChanged.DESCRIPTOR,
    SearchMatched.DESCRIPTOR,
    AuthorisationEnding.DESCRIPTOR,
    ConflictFound.DESCRIPTOR,
    ThresholdDiffers.DESCRIPTOR,
)

SYSTEM = "scheduling-rules"


def person(who: Principal) -> Actor:
    """The person who acts for their school."""
    return Actor(
        kind=Actor.KIND_PERSON, id=who.account_id, roles=who.roles, on_behalf_of=who.school_id, place=who.place
    )


def person_record(who: Principal, action: str, object_kind: str, object_id: str, facts: Mapping[str, str]) -> Record:
    """A record of what a person did for their school."""
    return Record(
        actor=person(who),
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        school_id=who.school_id,
        outcome=OUTCOME_DONE,
        facts=facts,
    )


def system_record(school_id: str, action: str, object_kind: str, object_id: str, facts: Mapping[str, str]) -> Record:
    """A record of what this service did by itself, on behalf of a school."""
    return Record(
        actor=Actor(kind=Actor.KIND_SYSTEM, id=SYSTEM, on_behalf_of=school_id),
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        school_id=school_id,
        outcome=OUTCOME_DONE,
        facts=facts,
    )


def withdrawn(slot_ids: Sequence[str], poll: Poll, at: datetime) -> list[Message]:
    """A poll found slots lost: the State did it, we only saw it."""
    published: list[Message] = []
    for slot_id in slot_ids:
        event = SlotWithdrawn(slot_id=slot_id)
        event.seen_at.FromDatetime(at)
        record = Record(
            actor=Actor(kind=Actor.KIND_RDVPERMIS, id="rdvpermis"),
            action="slot.withdraw",
            object_kind="slot",
            object_id=slot_id,
            outcome=OUTCOME_DONE,
            facts={"centre": poll.centre_id, "day": poll.day.isoformat(), "category": poll.category},
        )
        published += [event, record]
    return published


def threshold_reached(school_id: str, place: ThresholdKey, taken: int, limit: int) -> list[Message]:
    """A school took a share of its threshold of which it is warned."""
    facts = _words(place) | {"taken": str(taken), "limit": str(limit)}
    event = ThresholdReached(school_id=school_id, **_words(place), taken=taken, limit=limit)
    return [event, system_record(school_id, "threshold.reach", "school", school_id, facts)]


def threshold_differs(school_id: str, place: ThresholdKey, ours: int, theirs: int) -> list[Message]:
    """Our threshold and RdvPermis' figure differ: the lower one blocks, the school is notified."""
    facts = _words(place) | {"ours": str(ours), "theirs": str(theirs)}
    event = ThresholdDiffers(school_id=school_id, **_words(place), ours=ours, theirs=theirs)
    return [event, system_record(school_id, "threshold.differ", "school", school_id, facts)]


def _words(place: ThresholdKey) -> dict[str, str]:
    return {"department": place.department, "month": place.month, "category": place.category}


def waiver(action: str, who: Principal, candidate_id: str, restriction_id: str, **facts: str) -> Record:
    """A person asked that a restriction be waived, or another one waived it."""
    record = person_record(who, action, "restriction", restriction_id, facts)
    record.candidate_id = candidate_id
    return record


def parameter_record(action: str, by: str, proposal: Proposal) -> Record:
    """A person proposed or approved a value."""
    return Record(
        actor=Actor(kind=Actor.KIND_PERSON, id=by),
        action=action,
        object_kind="parameter",
        object_id=str(proposal.id),
        outcome=OUTCOME_DONE,
        facts={
            "name": proposal.parameter.name,
            "value": plain(proposal.parameter),
            "department": proposal.parameter.department or "",
            "category": proposal.parameter.category or "",
            "validFrom": instant(proposal.valid_from),
        },
    )


def own_proposal(by: str, proposal: UUID, now: datetime) -> Record:
    """A person approved what they had proposed themselves, and was refused."""
    denial = Denial("own_proposal", "parameter", str(proposal), account_id=by)
    return record_of(denial, 1, now.timestamp(), now.timestamp(), "scheduling-rules")


def rule_changed(proposal: Proposal, old_value: str) -> RuleChanged:
    """Tell everybody what will count from when; `old_value` is what counted in the same place until then."""
    value = proposal.parameter
    event = RuleChanged(
        parameter_id=str(proposal.id),
        name=value.name,
        old_value=old_value,
        new_value=plain(value),
        department=value.department or "",
        category=value.category or "",
    )
    event.valid_from.FromDatetime(proposal.valid_from)
    return event


def plain(value: Parameter) -> str:
    """A value as people write it: "5.1", not "5.1000"."""
    return plain_number(value.value)
