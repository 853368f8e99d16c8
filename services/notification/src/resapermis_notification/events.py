"""What notification says: that a notice was posted, and the journal's record of a mail to a candidate."""

from uuid import UUID

from resapermis.audit.v1.events_pb2 import Actor, Record
from resapermis.audit.v1.events_pb2 import Outcome as Ended
from resapermis.notification.v1.events_pb2 import NoticePosted
from resapermis_notification.domain import Due, Outcome
from resapermis_notification.render import Notice

_ENDED = {
    Outcome.SENT: Ended.OUTCOME_DONE,
    Outcome.REFUSED: Ended.OUTCOME_REFUSED,
    Outcome.GONE: Ended.OUTCOME_FAILED,
    Outcome.DEAD: Ended.OUTCOME_FAILED,
}


def posted(notice_id: UUID, notice: Notice) -> NoticePosted:
    """A notice is in the school's inbox."""
    return NoticePosted(notice_id=str(notice_id), school_id=notice.school_id, kind=notice.kind, topic=notice.topic)


def mailed(delivery: Due, outcome: Outcome, problem: str) -> Record:
    """A mail to a candidate came to its end. Ids and words, never the address."""
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
        outcome=_ENDED[outcome],
        facts=facts,
    )
