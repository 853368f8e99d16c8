"""Protobuf ↔ domain: parsed once on the way in, written once on the way out."""

from resapermis.notification.v1 import notification_pb2 as pb
from resapermis_notification.domain import StoredNotice


def notice_message(notice: StoredNotice) -> pb.Notice:
    """A stored notice → pb.Notice, read or not as this account has it."""
    message = pb.Notice(
        id=str(notice.id),
        kind=notice.kind,
        facts=notice.facts,
        candidate_id=notice.candidate_id,
        object_id=notice.object_id,
        level=notice.level,
        text_fr=notice.text_fr,
        text_en=notice.text_en,
    )
    message.occurred_at.FromDatetime(notice.occurred_at)
    if notice.read_at is not None:
        message.read_at.FromDatetime(notice.read_at)
    return message
