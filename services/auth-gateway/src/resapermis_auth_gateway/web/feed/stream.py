"""The live feed of one browser as server-sent events."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from resapermis.notification.v1 import notification_pb2
from resapermis_auth_gateway.web.feed.live import Change, End, Live, Message, Notice, Stream
from resapermis_auth_gateway.web.security.concurrency import Concurrency
from resapermis_auth_gateway.web.wire.notifications import NoticeView
from resapermis_kit.clock import Clock
from resapermis_kit.errors import Failure
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Principal, Signer
from resapermis_kit.rpc.deadline import deadline

REPLAYED = 100
RECENT = 20
CALL_SECONDS = 4.0
log = structlog.get_logger()


def event(kind: str, data: dict[str, Any], event_id: str = "") -> bytes:
    """One event on the wire, with its JSON."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return format_sse_event(event=kind, data_str=text, id=event_id or None)


@dataclass(frozen=True)
class Viewer:
    """Whose page a feed is open for: the session, and the principal for asking notification."""

    session_id: UUID
    principal: Principal
    address: str
    """Where the browser is, as limits count it."""

    @property
    def owners(self) -> dict[str, str]:
        """Whose feed it is, by kind."""
        return {"session": str(self.session_id), "account": self.principal.account_id, "address": self.address}


class FeedResponse(EventSourceResponse):
    """A feed's answer; `ended` is called at its end, whether it ever began or not."""

    def __init__(self, events: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        """No proxy may buffer or store it."""
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


@dataclass(frozen=True)
class Feed:
    """Server-sent events of one browser: what `live` queues, and the notices missed since Last-Event-ID."""

    live: Live
    notification: Any
    """Stub of NotificationService."""
    signer: Signer
    is_live: Callable[[UUID], Awaitable[bool]]
    """Whether a session still lives."""
    now: Clock
    tick_seconds: float
    open: Concurrency
    """The feeds of each session, account and address."""

    def response(self, viewer: Viewer, last_event_id: str) -> FeedResponse:
        """A streaming answer (text/event-stream) of `events`; refused where there are too many."""
        owners = viewer.owners
        self.open.enter(owners)
        return FeedResponse(self.events(viewer, last_event_id), lambda: self.open.leave(owners))

    async def events(self, viewer: Viewer, last_event_id: str) -> AsyncIterator[bytes]:
        """A tick at once and every ten seconds, what happens in between, until the session or this process ends."""
        with self.live.stream(str(viewer.session_id), viewer.principal.school_id) as stream:
            yield self._tick()
            told: set[str] = set()  # of what was missed, one that came meanwhile waits in the stream as well
            if last_event_id:
                async for text in self._missed(viewer, last_event_id, told):
                    yield text
            while True:
                message = await _next(stream, self.tick_seconds)
                if message is None:
                    if not await self._stands(viewer):
                        message = End(signed_out=True)
                    else:
                        yield self._tick()
                        continue
                if isinstance(message, End):
                    if message.signed_out:
                        yield event("signed-out", {})
                    return
                async for text in self._texts(viewer, message, told):
                    yield text

    def _tick(self) -> bytes:
        now = self.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return event("tick", {"serverTime": now})

    async def _stands(self, viewer: Viewer) -> bool:
        """Should the bus be deaf, a session that ended elsewhere is found here at the next tick."""
        try:
            return await self.is_live(viewer.session_id)
        except Failure as failure:
            log.warning("feed.not_checked", error_code=failure.name)
            return True  # nobody can end a session while the database is away, nor can this one do anything

    async def _ask(
        self, viewer: Viewer, question: notification_pb2.ListNoticesRequest
    ) -> notification_pb2.ListNoticesResponse:
        """Ask with a principal of now: the one of the request that opened the feed is over after a minute."""
        deadline.set(time.monotonic() + CALL_SECONDS)
        answer: notification_pb2.ListNoticesResponse = await peers.ask(
            self.notification.ListNotices, question, principal=self.signer.sign(viewer.principal, "notification")
        )
        return answer

    async def _missed(self, viewer: Viewer, last_event_id: str, told: set[str]) -> AsyncIterator[bytes]:
        """What came after the last event that this browser saw, noted in `told`; everything again where that is not known."""
        try:
            question = notification_pb2.ListNoticesRequest(after_id=last_event_id, limit=REPLAYED)
            answer = await self._ask(viewer, question)
        except Failure:
            yield event("resync", {})
            return
        if answer.next_cursor:
            yield event("resync", {})
            return
        for notice in answer.notices:
            told.add(notice.id)
            yield _notice(notice)

    async def _texts(self, viewer: Viewer, message: Message, told: Container[str]) -> AsyncIterator[bytes]:
        if isinstance(message, Change):
            yield event("change", {"topic": message.topic})
            return
        if not isinstance(message, Notice):
            yield event("resync", {})
            return
        if not viewer.principal.school_id:
            return  # inboxes are schools'
        try:
            answer = await self._ask(viewer, notification_pb2.ListNoticesRequest(limit=RECENT))
            posted = [notice for notice in answer.notices if notice.id == message.notice_id]
        except Failure:
            posted = []
        if posted and message.notice_id not in told:
            yield _notice(posted[0])
        if message.topic:
            yield event("change", {"topic": message.topic})


async def _next(stream: Stream, seconds: float) -> Message | None:
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(stream.queue.get(), seconds)
    return None


def _notice(notice: notification_pb2.Notice) -> bytes:
    """Without the candidate's name: a feed runs for hours, and pages read names when they show them."""
    view = NoticeView.of(notice, {})
    return event("notification", view.model_dump(mode="json", by_alias=True), notice.id)
