"""Lines and groups as answers: what a school sees of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.domain import Changing, Line, State
from resapermis_basket.events import candidate_of, result_of, stamp, state_of

SHOWN_REFUSAL = frozenset(State) - {State.DONE}


def line(one: Line) -> pb.Line:
    """A line."""
    shown = pb.Line(
        id=str(one.id),
        group_id=str(one.group_id),
        candidate_id=candidate_of(one),
        state=state_of(one.state),
        exam_id=one.exam_id,
        changing=one.changing is not Changing.NOTHING,
        trainer_id=one.trainer_id,
        vehicle_id=one.vehicle_id,
        found_elsewhere=one.found_elsewhere,
        since=stamp(one.since),
        expires_at=stamp(one.expires_at) if one.expires_at is not None and one.state is State.HELD else None,
    )
    if one.result is not None:
        shown.result.CopyFrom(result_of(one.result))
    shown.slot.ParseFromString(one.slot.snapshot)
    if one.refusal.message:
        shown.refusal.ParseFromString(one.refusal.message)
    return shown


def group(group_id: UUID, created_at: datetime, lines: Sequence[Line]) -> pb.Group:
    """A group with all its lines; it expires when the first of its held lines does."""
    ordered = sorted(lines, key=lambda one: one.position)
    ends = [one.expires_at for one in lines if one.state is State.HELD and one.expires_at is not None]
    return pb.Group(
        id=str(group_id),
        lines=[line(one) for one in ordered],
        created_at=stamp(created_at),
        expires_at=stamp(min(ends)) if ends else None,
    )


def by_group(lines: Iterable[Line]) -> dict[UUID, list[Line]]:
    """Lines put together by group, in the order they come."""
    found: dict[UUID, list[Line]] = {}
    for one in lines:
        found.setdefault(one.group_id, []).append(one)
    return found
