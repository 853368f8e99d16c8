"""The live feed of one browser as server-sent events."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import structlog
from fastapi.responses import StreamingResponse

from resapermis.notification.v1 import notification_pb2
from resapermis_auth_gateway.web import sessions
from resapermis_auth_gateway.web.gateway import Visitor
from resapermis_auth_gateway.web.live import Change, End, Message, Notice, Stream
from resapermis_auth_gateway.web.views.inbox import NoticeView
from resapermis_kit.errors import Failure
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.deadline import deadline

REPLAYED = 100
RECENT = 20
CALL_SECONDS = 4.0
log = structlog.get_logger()


def event(kind: str, data: dict[str, Any], event_id: str = "") -> str:
    """One event on the wire; JSON has no line ends, so `data` is one line."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


def response(who: Visitor, last_event_id: str) -> StreamingResponse:
    """Begin to stream."""
    return StreamingResponse(
        events(who, last_event_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def events(who: Visitor, last_event_id: str) -> AsyncIterator[str]:
    """A tick at once and every ten seconds, what happens in between, until the session or this process ends."""
    gateway = who.gateway
    with gateway.live.stream(str(who.session.id), who.session.school_id) as stream:
        yield _tick(who)
        if last_event_id:
            async for text in _missed(who, last_event_id):
                yield text
        while True:
            message = await _next(stream, gateway.settings.tick_seconds)
            if message is None:
                if not await _stands(who):
                    message = End(signed_out=True)
                else:
                    yield _tick(who)
                    continue
            if isinstance(message, End):
                if message.signed_out:
                    yield event("signed-out", {})
                return
            async for text in _said(who, message):
                yield text


def _tick(who: Visitor) -> str:
    now = who.gateway.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event("tick", {"serverTime": now})


async def _next(stream: Stream, seconds: float) -> Message | None:
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(stream.queue.get(), seconds)
    return None


async def _stands(who: Visitor) -> bool:
    """Should the bus be deaf, a session that ended elsewhere is found here at the next tick."""
    try:
        return await sessions.still_stands(who.gateway, who.session.id)
    except Failure as failure:
        log.warning("feed.not_checked", error_code=failure.name)
        return True  # nobody can end a session while the database is away, nor can this one do anything


async def _ask(who: Visitor, question: notification_pb2.ListNoticesRequest) -> notification_pb2.ListNoticesResponse:
    """Ask with a principal of now: the one of the request that opened the feed is over after a minute."""
    deadline.set(time.monotonic() + CALL_SECONDS)
    answer: notification_pb2.ListNoticesResponse = await peers.ask(
        who.gateway.peers.notification.ListNotices, question, principal=who.gateway.signer.sign(who.principal)
    )
    return answer


async def _missed(who: Visitor, last_event_id: str) -> AsyncIterator[str]:
    """What came after the last event that this browser saw; everything again where that cannot be told."""
    try:
        question = notification_pb2.ListNoticesRequest(after_id=last_event_id, limit=REPLAYED)
        answer = await _ask(who, question)
    except Failure:
        yield event("resync", {})
        return
    if answer.next_cursor:
        yield event("resync", {})
        return
    for notice in answer.notices:
        yield _notice(notice)


async def _said(who: Visitor, message: Message) -> AsyncIterator[str]:
    if isinstance(message, Change):
        yield event("change", {"topic": message.topic})
        return
    if not isinstance(message, Notice):
        yield event("resync", {})
        return
    try:
        answer = await _ask(who, notification_pb2.ListNoticesRequest(limit=RECENT))
        posted = [notice for notice in answer.notices if notice.id == message.notice_id]
    except Failure:
        posted = []
    if posted:
        yield _notice(posted[0])
    if message.topic:
        yield event("change", {"topic": message.topic})


def _notice(notice: notification_pb2.Notice) -> str:
    """Without the candidate's name: a feed runs for hours, and pages read names when they show them."""
    view = NoticeView.of(notice, {})
    return event("notification", view.model_dump(mode="json", by_alias=True), notice.id)
