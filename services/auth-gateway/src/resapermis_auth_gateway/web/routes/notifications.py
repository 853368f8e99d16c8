"""The inbox and the live feed."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from resapermis.notification.v1 import notification_pb2
from resapermis_auth_gateway.web.dependencies import Visitor, Who, now_of
from resapermis_auth_gateway.web.security.address import counted_as
from resapermis_auth_gateway.web.wire.base import Cursor, Limit, PathId, QueryFlag
from resapermis_auth_gateway.web.wire.notifications import NoticePage, NoticeView

router = APIRouter(prefix="/notifications", tags=["notifications"])
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `tick` {serverTime}, `notification` (a notice; id = its id), "
        "`change` {topic}, `resync` (read everything again), `signed-out`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


async def _shown(who: Visitor, notice: notification_pb2.Notice) -> NoticeView:
    return NoticeView.of(notice, await who.names([notice.candidate_id], "show_notice"))


@router.get("")
async def list_notices(
    who: Who,
    cursor: Cursor = "",
    limit: Limit = 50,
    unread_only: Annotated[QueryFlag, Query(alias="unreadOnly")] = False,  # noqa: FBT002 - a query parameter
) -> NoticePage:
    """Notices of the school's inbox, newest first, with the number of unread ones."""
    question = notification_pb2.ListNoticesRequest(cursor=cursor, limit=limit, unread_only=unread_only)
    answer = await who.ask(who.peers.notification.ListNotices, question)
    names = await who.names((one.candidate_id for one in answer.notices), "show_notice")
    return NoticePage(
        items=[NoticeView.of(one, names) for one in answer.notices],
        next_cursor=answer.next_cursor or None,
        unread=answer.unread,
        server_time=now_of(who),
    )


@router.get("/stream", response_class=StreamingResponse, responses=STREAM)
async def stream(
    request: Request, who: Who, last_event_id: Annotated[str, Header(alias="Last-Event-ID", max_length=100)] = ""
) -> StreamingResponse:
    """Follow live: closed within a second of the session's end."""
    who.may("session.follow")
    return who.dependencies.feed.response(who.viewer(counted_as(request.scope)), last_event_id)


@router.post("/{notice_id}/read")
async def mark_read(who: Who, notice_id: PathId) -> NoticeView:
    """Mark a notice as read by this account; other accounts keep it unread."""
    question = notification_pb2.MarkReadRequest(notice_id=notice_id)
    return await _shown(who, (await who.ask(who.peers.notification.MarkRead, question)).notice)
