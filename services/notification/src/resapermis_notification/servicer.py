"""What notification answers: the inbox of the caller's school and what is for everybody, with what the caller has read."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.notification.v1 import notification_pb2 as pb
from resapermis.notification.v1 import notification_pb2_grpc
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import caller
from resapermis_kit.rpc.fields import cut, page_limit, parse_id
from resapermis_notification import queries
from resapermis_notification.domain import Reader
from resapermis_notification.wire import notice_message
from resapermis_persons.roles import MANAGERS


class NotificationServicer(notification_pb2_grpc.NotificationServiceServicer):
    """notification.v1: the inbox of the caller's account, read from and marked in its tables."""

    def __init__(self, engine: AsyncEngine, now: Clock) -> None:
        """Wired in process."""
        self._engine, self._now = engine, now

    async def ListNotices(self, request: pb.ListNoticesRequest, context: Any) -> pb.ListNoticesResponse:
        """Newest first; or oldest first after `after_id`, whose page goes on with next_cursor as after_id.

        NOT_FOUND for an `after_id` that the school no longer has: the reader then reads everything again.
        """
        reader = _reader()
        limit = page_limit(request.limit)
        if request.cursor and request.after_id:
            raise malformed("after_id", "not beside a cursor")
        async with transaction(self._engine) as tx:
            found = await queries.page_notices(
                tx,
                reader,
                limit + 1,
                before=await _number(tx, reader, "cursor", request.cursor),
                after=await _number(tx, reader, "after_id", request.after_id),
                unread_only=request.unread_only,
            )
            unread = await queries.count_unread(tx, reader)
        shown, cursor = cut(found, limit)
        return pb.ListNoticesResponse(
            notices=[notice_message(notice) for notice in shown],
            next_cursor=cursor,
            unread=unread,
        )

    async def MarkRead(self, request: pb.MarkReadRequest, context: Any) -> pb.MarkReadResponse:
        """Read by the caller's account alone; the first time counts."""
        notice_id = parse_id(request.notice_id, "notice_id")
        async with transaction(self._engine) as tx:
            notice = await queries.mark_read(tx, _reader(), notice_id, self._now())
        if notice is None:
            raise Failure(Code.CODE_NOT_FOUND, "no such notice")
        return pb.MarkReadResponse(notice=notice_message(notice))


def _reader() -> Reader:
    """The caller; what is for managers alone is shown to them alone."""
    who = caller().school()
    return Reader(who.school_id, who.account_id, bool(MANAGERS & set(who.roles)))


async def _number(tx: Tx, reader: Reader, field: str, text: str) -> int | None:
    if not text:
        return None
    number = await queries.number_of(tx, reader, parse_id(text, field))
    if number is None:
        raise Failure(Code.CODE_NOT_FOUND, f"{field}: no such notice")
    return number
