"""What scheduling-rules says, and the records that ride along."""

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.message import Message

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, Actor, Record
from resapermis.scheduling.v1.events_pb2 import AuthorisationEnding, ConflictFound, SlotWithdrawn, ThresholdReached
from resapermis_scheduling_rules.domain import Place
from resapermis_scheduling_rules.plan import Look

FACTS = (
    SlotWithdrawn.DESCRIPTOR,
    ThresholdReached.DESCRIPTOR,
    AuthorisationEnding.DESCRIPTOR,
    ConflictFound.DESCRIPTOR,
)


def withdrawn(slot_ids: Sequence[str], look: Look, at: datetime) -> list[Message]:
    """A look found slots lost: the State did it, we only saw it."""
    said: list[Message] = []
    for slot_id in slot_ids:
        fact = SlotWithdrawn(slot_id=slot_id)
        fact.seen_at.FromDatetime(at)
        record = Record(
            actor=Actor(kind=Actor.KIND_RDVPERMIS, id="rdvpermis"),
            action="slot.withdraw",
            object_kind="slot",
            object_id=slot_id,
            outcome=OUTCOME_DONE,
            facts={"centre": look.centre_id, "day": look.day.isoformat(), "category": look.category},
        )
        said += [fact, record]
    return said


def threshold_reached(school_id: str, place: Place, taken: int, limit: int) -> list[Message]:
    """A school took a share of its threshold that it should hear of."""
    fact = ThresholdReached(
        school_id=school_id,
        department=place.department,
        month=place.month,
        category=place.category,
        taken=taken,
        limit=limit,
    )
    record = Record(
        actor=Actor(kind=Actor.KIND_SYSTEM, id="scheduling-rules", on_behalf_of=school_id),
        action="threshold.reach",
        object_kind="school",
        object_id=school_id,
        school_id=school_id,
        outcome=OUTCOME_DONE,
        facts={
            "department": place.department,
            "month": place.month,
            "category": place.category,
            "taken": str(taken),
            "limit": str(limit),
        },
    )
    return [fact, record]
