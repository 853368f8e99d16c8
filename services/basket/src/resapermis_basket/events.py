"""What basket publishes: one event a change of a line, and the audit record of the act. Never a name, only ids."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from google.protobuf.message import Message

from resapermis.audit.v1.events_pb2 import Actor, Outcome, Record
from resapermis.basket.v1.events_pb2 import LineChanged, ResultFound
from resapermis_basket.domain.line import Change, Changing, Line, Result, State
from resapermis_basket.wire import candidate_of, result_of, stamp, state_of
from resapermis_kit.rpc.auth import Principal

SYSTEM = Actor(kind=Actor.KIND_SYSTEM, id="basket")
RDVPERMIS = Actor(kind=Actor.KIND_RDVPERMIS, id="rdvpermis")

_ACTIONS: dict[State, str] = {
    State.ASKING: "basket.hold",
    State.HELD: "basket.hold",
    State.REFUSED: "basket.hold",
    State.EXPIRED: "basket.expire",
    State.RELEASED: "basket.release",
    State.WITHDRAWN: "basket.withdraw",
    State.CONFIRMING: "basket.validate",
    State.BOOKED: "booking.confirm",
    State.REJECTED: "booking.confirm",
    State.CANCELLED: "booking.cancel",
    State.REPLACED: "booking.replace",
    State.SWAPPED: "booking.swap",
    State.DONE: "booking.done",
}
_CHANGING_ACTIONS: dict[Changing, str] = {
    Changing.NAME: "basket.name",
    Changing.RELEASE: "basket.release",
    Changing.CANCEL: "booking.cancel",
    Changing.REPLACE: "booking.replace",
    Changing.SWAP: "booking.swap",
}
_ENDED_BADLY = {State.REFUSED, State.REJECTED}
_OPEN = {State.ASKING, State.CONFIRMING}


def person(who: Principal) -> Actor:
    """The person who acts for their school."""
    return Actor(
        kind=Actor.KIND_PERSON, id=who.account_id, roles=who.roles, on_behalf_of=who.school_id, place=who.place
    )


def action_of(change: Change, came_of: State | None = None) -> tuple[str, Outcome.ValueType]:
    """The journal's action and how it ended; UNKNOWN while RdvPermis is being asked.

    `came_of`: how the line ended whose place a new booking takes; None: there was none.
    """
    before, after = change.before, change.after
    if before is None:
        found = "booking.find" if after.state is State.BOOKED else "basket.hold"
        action = _ACTIONS[came_of] if came_of is not None else found
    elif (before.state, after.state) == (State.CONFIRMING, State.HELD):
        action = "basket.validate"
    elif after.state is not before.state:
        action = _ACTIONS[after.state]
    elif (before.trainer_id, before.vehicle_id) != (after.trainer_id, after.vehicle_id):
        action = "basket.set_line_resources"
    else:
        action = _CHANGING_ACTIONS.get(after.changing or before.changing, "basket.poll")
    if after.state in _OPEN or after.changing:
        return action, Outcome.OUTCOME_UNKNOWN
    if after.state in _ENDED_BADLY:
        return action, Outcome.OUTCOME_REFUSED
    undone = change.before_state in {State.CONFIRMING, after.state} and after.refusal.reason
    return action, Outcome.OUTCOME_FAILED if undone else Outcome.OUTCOME_DONE


def line_changed(change: Change, account_id: str, *, elsewhere: bool = False) -> LineChanged:
    """The event of a change; one within a state (a candidate named, a cancellation not done) has that state twice.

    `elsewhere`: done at RdvPermis without us, found by reconciliation.
    """
    line, slot = change.after, change.after.slot
    event = LineChanged(
        line_id=str(line.id),
        group_id=str(line.group_id),
        school_id=line.school_id,
        slot_id=slot.id,
        candidate_id=candidate_of(line),
        to=state_of(line.state),
        centre_name=slot.centre_name,
        time_zone=slot.time_zone,
        category=slot.category,
        department=slot.department,
        reason=line.refusal.reason,
        account_id=account_id,
        month=slot.month,
        exam_id=line.exam_id,
        trainer_id=line.trainer_id,
        vehicle_id=line.vehicle_id,
        centre_id=slot.centre_id,
        kind=slot.kind,
        found_elsewhere=elsewhere,
        starts_at=stamp(slot.starts_at),
        ends_at=stamp(slot.ends_at),
        expires_at=stamp(line.expires_at) if line.expires_at is not None else None,
    )
    if change.before is not None:
        setattr(event, "from", state_of(change.before.state))
    return event


def record(
    change: Change, actor: Actor, rules: Sequence[str], more: Mapping[str, str], came_of: State | None = None
) -> Record:
    """The journal's record of a change."""
    line = change.after
    action, outcome = action_of(change, came_of)
    facts = {"slot": line.slot.id, "to": str(line.state), "group": str(line.group_id)}
    if change.before is not None:
        facts["from"] = str(change.before.state)
    if line.refusal.reason:
        facts["code"] = line.refusal.reason
    if line.changing:
        facts["changing"] = str(line.changing)
    if rules:
        facts["rule"] = ",".join(rules)
    facts |= more
    candidate = line.wanted_candidate_id or line.candidate_id
    return Record(
        actor=actor,
        action=action,
        object_kind="line",
        object_id=str(line.id),
        school_id=line.school_id,
        candidate_id=str(candidate) if candidate else "",
        outcome=outcome,
        facts=facts,
    )


def of_changes(
    changes: Iterable[Change],
    actor: Actor,
    account_id: str = "",
    rules: Mapping[str, Sequence[str]] = MappingProxyType({}),
    facts: Mapping[str, str] = MappingProxyType({}),
) -> list[Message]:
    """All messages of these changes; `rules`: ids of those that refused, by slot id; `facts`: more for the journal."""
    messages: list[Message] = []
    changes = list(changes)
    ended = {
        one.after.slot.id: one.after.state for one in changes if one.after.state in {State.REPLACED, State.SWAPPED}
    }
    for change in changes:
        messages.append(line_changed(change, account_id, elsewhere=actor.kind == Actor.KIND_RDVPERMIS))
        came_of = ended.get(change.after.slot.id)
        messages.append(record(change, actor, rules.get(change.after.slot.id, ()), facts, came_of))
    return messages


def result_found(line: Line, result: Result) -> ResultFound:
    """basket.v1.ResultFound of a line: ids, outcome and points, as RdvPermis publishes them."""
    slot = line.slot
    event = ResultFound(
        line_id=str(line.id),
        school_id=line.school_id,
        candidate_id=candidate_of(line),
        category=slot.category,
        kind=slot.kind,
        department=slot.department,
        result=result_of(result),
        exam_id=line.exam_id,
        centre_name=slot.centre_name,
        time_zone=slot.time_zone,
    )
    event.starts_at.FromDatetime(slot.starts_at)
    return event


def result_record(line: Line, result: Result) -> Record:
    """The journal's record of a result found: that it came, not what it is."""
    return Record(
        actor=RDVPERMIS,
        action="booking.result",
        object_kind="line",
        object_id=str(line.id),
        school_id=line.school_id,
        candidate_id=candidate_of(line),
        outcome=Outcome.OUTCOME_DONE,
        facts={"slot": line.slot.id, "foundAt": result.found_at.isoformat()},
    )


def drift_record(line_id: str, school_id: str, purpose: str, rules: str) -> Record:
    """The journal's record of a booking that is judged otherwise today than it was."""
    return Record(
        actor=SYSTEM,
        action="compliance.drift",
        object_kind="line",
        object_id=line_id,
        school_id=school_id,
        outcome=Outcome.OUTCOME_REFUSED,
        facts={"purpose": purpose, "rule": rules},
    )


def refused_attempt(
    actor: Actor, school_id: str, action: str, kind: str, object_id: str, rules: Sequence[str], code: str
) -> Record:
    """The journal's record of an act refused as a whole."""
    return Record(
        actor=actor,
        action=action,
        object_kind=kind,
        object_id=object_id,
        school_id=school_id,
        outcome=Outcome.OUTCOME_REFUSED,
        facts={"rule": ",".join(rules), "code": code},
    )
