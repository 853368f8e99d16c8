"""What notification answers: the inbox of the caller's school and what is for everybody, with what the caller has read."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.notification.v1 import notification_pb2 as pb
from resapermis.notification.v1 import notification_pb2_grpc
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import caller
from resapermis_notification import store
from resapermis_notification.domain import MANAGERS, Kept

DEFAULT_PAGE, LARGEST_PAGE = 50, 200


class NotificationServicer(notification_pb2_grpc.NotificationServiceServicer):
    """NotificationService over the inbox's tables."""

    def __init__(self, engine: AsyncEngine, now: Clock) -> None:
        """Wired in __main__."""
        self._engine, self._now = engine, now

    async def ListNotices(self, request: pb.ListNoticesRequest, context: Any) -> pb.ListNoticesResponse:
        """Newest first; or oldest first after `after_id`, whose page goes on with next_cursor as after_id.

        NOT_FOUND for an `after_id` that the school no longer has: the reader then reads everything again.
        """
        reader = _reader()
        limit = min(request.limit or DEFAULT_PAGE, LARGEST_PAGE)
        if limit < 1:
            raise malformed("limit", "1 to 200")
        if request.cursor and request.after_id:
            raise malformed("after_id", "not together with cursor")
        async with transaction(self._engine) as tx:
            found = await store.page(
                tx,
                reader,
                limit + 1,
                before=await _number(tx, reader, "cursor", request.cursor),
                after=await _number(tx, reader, "after_id", request.after_id),
                unread_only=request.unread_only,
            )
            unread = await store.unread(tx, reader)
        shown = found[:limit]
        return pb.ListNoticesResponse(
            notices=[_message(kept) for kept in shown],
            next_cursor=str(shown[-1].id) if len(found) > limit else "",
            unread=unread,
        )

    async def MarkRead(self, request: pb.MarkReadRequest, context: Any) -> pb.MarkReadResponse:
        """Read by the caller's account alone; the first time counts."""
        notice_id = _uuid("notice_id", request.notice_id)
        async with transaction(self._engine) as tx:
            kept = await store.mark_read(tx, _reader(), notice_id, self._now())
        if kept is None:
            raise Failure(Code.CODE_NOT_FOUND, "no such notice")
        return pb.MarkReadResponse(notice=_message(kept))


def _reader() -> store.Reader:
    """The caller; what is for managers alone is shown to them alone."""
    who = caller().school()
    return store.Reader(who.school_id, who.account_id, bool(MANAGERS & set(who.roles)))


async def _number(tx: Tx, reader: store.Reader, field: str, text: str) -> int | None:
    if not text:
        return None
    number = await store.number_of(tx, reader, _uuid(field, text))
    if number is None:
        raise Failure(Code.CODE_NOT_FOUND, f"{field}: no such notice")
    return number


def _message(kept: Kept) -> pb.Notice:
    notice = pb.Notice(
        id=str(kept.id),
        kind=kept.kind,
        facts=kept.facts,
        candidate_id=kept.candidate_id,
        object_id=kept.object_id,
        level=kept.level,
        text_fr=kept.text_fr,
        text_en=kept.text_en,
    )
    notice.occurred_at.FromDatetime(kept.occurred_at)
    if kept.read_at is not None:
        notice.read_at.FromDatetime(kept.read_at)
    return notice


def _uuid(field: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise malformed(field, "not an id") from None
