"""protobuf ↔ domain: what callers send, and how lines and groups are answered."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.domain.line import Changing, Group, Line, Result, State
from resapermis_kit.rpc.auth import Principal

LONGEST_ID = 255
_STATES = {state: pb.LineState.Value(f"LINE_STATE_{state.upper()}") for state in State}


def caller_key(who: Principal) -> str:
    """Whose request ids these are: nobody is ever given another's answer."""
    return f"{who.school_id}/{who.account_id}"


def line_message(line: Line) -> pb.Line:
    """A line → pb.Line, with its refusal and result where it has them; for its own school only."""
    message = pb.Line(
        id=str(line.id),
        group_id=str(line.group_id),
        candidate_id=candidate_of(line),
        state=state_of(line.state),
        exam_id=line.exam_id,
        changing=line.changing is not Changing.NOTHING,
        trainer_id=line.trainer_id,
        vehicle_id=line.vehicle_id,
        found_elsewhere=line.found_elsewhere,
        since=stamp(line.since),
        expires_at=stamp(line.expires_at) if line.expires_at is not None and line.state is State.HELD else None,
    )
    if line.result is not None:
        message.result.CopyFrom(result_of(line.result))
    message.slot.ParseFromString(line.slot.snapshot)
    if line.refusal.message:
        message.refusal.ParseFromString(line.refusal.message)
    return message


def group_message(group: Group, lines: Sequence[Line]) -> pb.Group:
    """A group with all its lines; it expires when the first of its held lines does."""
    ordered = sorted(lines, key=lambda line: line.position)
    ends = [line.expires_at for line in lines if line.state is State.HELD and line.expires_at is not None]
    return pb.Group(
        id=str(group.id),
        lines=[line_message(line) for line in ordered],
        created_at=stamp(group.created_at),
        expires_at=stamp(min(ends)) if ends else None,
    )


def by_group(lines: Iterable[Line]) -> dict[UUID, list[Line]]:
    """Lines by group, in the order they come."""
    found: dict[UUID, list[Line]] = {}
    for line in lines:
        found.setdefault(line.group_id, []).append(line)
    return found


def state_of(state: State) -> pb.LineState.ValueType:
    """A state → pb.LineState."""
    return _STATES[state]


@lru_cache(maxsize=1024)
def stamp(moment: datetime) -> Timestamp:
    """A moment in the protos, to be put into a message by its constructor, which copies.

    Kept, because an act states the same few moments many times, and making one costs as much as the rest of a message.
    """
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def result_of(result: Result) -> pb.Result:
    """A result → pb.Result; points are absent where RdvPermis gives none."""
    message = pb.Result(outcome=pb.Result.Outcome.Value(f"OUTCOME_{result.outcome.upper()}"), points=result.points)
    message.found_at.FromDatetime(result.found_at)
    return message


def candidate_of(line: Line) -> str:
    """Our id of the line's candidate; "" where it names none."""
    return str(line.candidate_id) if line.candidate_id else ""
