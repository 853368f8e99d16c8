"""What notification publishes: that a notice was posted, and the journal's record of a mail to a candidate."""

from uuid import UUID

from resapermis.audit.v1.events_pb2 import Actor, Outcome, Record
from resapermis.notification.v1.events_pb2 import NoticePosted
from resapermis_notification.domain import DeliveryOutcome, DueDelivery, Notice

_RECORDED_OUTCOMES = {
    DeliveryOutcome.SENT: Outcome.OUTCOME_DONE,
    DeliveryOutcome.REFUSED: Outcome.OUTCOME_REFUSED,
    DeliveryOutcome.GONE: Outcome.OUTCOME_FAILED,
    DeliveryOutcome.DEAD: Outcome.OUTCOME_FAILED,
}


def notice_posted(notice_id: UUID, notice: Notice) -> NoticePosted:
    """A notice is in the school's inbox."""
    return NoticePosted(notice_id=str(notice_id), school_id=notice.school_id, kind=notice.kind, topic=notice.topic)


def mail_record(delivery: DueDelivery, outcome: DeliveryOutcome, problem: str) -> Record:
    """A mail to a candidate has ended. Ids and words, never the address."""
    facts = {"kind": delivery.kind, "delivery": str(delivery.id)}
    if problem:
        facts["problem"] = problem
    return Record(
        actor=Actor(kind=Actor.KIND_SYSTEM, id="notification", on_behalf_of=delivery.school_id),
        action="notice.mail",
        object_kind="notice",
        object_id=str(delivery.notice_id),
        school_id=delivery.school_id,
        candidate_id=delivery.candidate_id,
        outcome=_RECORDED_OUTCOMES[outcome],
        facts=facts,
    )
