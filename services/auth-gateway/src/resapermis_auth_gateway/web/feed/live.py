"""Events of the bus to the live feeds of this replica; a session that ends closes its feeds wherever they are."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog
from google.protobuf.message import DecodeError
from nats.aio.client import Client
from nats.aio.msg import Msg
from prometheus_client import Gauge

from resapermis.basket.v1.basket_pb2 import LineState
from resapermis.basket.v1.events_pb2 import GroupExpiring, LineChanged
from resapermis.iam.v1.events_pb2 import SessionEnded
from resapermis.mandate.v1.events_pb2 import CandidateCreated, CandidateUpdated, MandateChanged
from resapermis.notification.v1.events_pb2 import NoticePosted
from resapermis_kit.events.wire import payloads

APART_SECONDS = 0.005
"""Between two feeds that receive one message for everybody: each then reads its inbox, 200 a second at most."""
WAITING = 100
"""Messages that a slow reader may be behind; beyond, it must read everything again."""
BASKET_STATES = frozenset(
    {
        LineState.LINE_STATE_ASKING,
        LineState.LINE_STATE_HELD,
        LineState.LINE_STATE_REFUSED,
        LineState.LINE_STATE_RELEASED,
    }
)
FEEDS = Gauge("resapermis_http_feeds", "Open live feeds of browsers")
log = structlog.get_logger()


@dataclass(frozen=True)
class Notice:
    """A notice was posted for the school."""

    notice_id: str
    kind: str
    topic: str


@dataclass(frozen=True)
class Change:
    """Something of the school changed; pages that show `topic` read it again."""

    topic: str


@dataclass(frozen=True)
class Resync:
    """Some messages were dropped: the page reads everything that it shows again."""


@dataclass(frozen=True)
class End:
    """The session, or this process, ends; `signed_out` is true for the first."""

    signed_out: bool


Message = Notice | Change | Resync | End


@dataclass(eq=False)
class Stream:
    """One open feed of a session: a bounded queue of messages (WAITING); see `put` for what happens when it is full."""

    session_id: str
    school_id: str
    queue: asyncio.Queue[Message] = field(default_factory=lambda: asyncio.Queue(WAITING))

    def put(self, message: Message) -> None:
        """Queue a message; one too many empties the queue and becomes Resync. An End always arrives."""
        if self.queue.full() or isinstance(message, End):
            while not self.queue.empty():
                if isinstance(waiting := self.queue.get_nowait(), End):
                    message = waiting
            self.queue.put_nowait(message if isinstance(message, End) else Resync())
            return
        self.queue.put_nowait(message)


class Live:
    """All feeds that this replica has open, and the messages that each is to get."""

    def __init__(self) -> None:
        """None yet."""
        self._streams: set[Stream] = set()
        self._closing = False

    @contextlib.contextmanager
    def stream(self, session_id: str, school_id: str) -> Iterator[Stream]:
        """Open a feed for as long as the block runs."""
        opened = Stream(session_id, school_id)
        if self._closing:
            opened.put(End(signed_out=False))
        self._streams.add(opened)
        FEEDS.set(len(self._streams))
        try:
            yield opened
        finally:
            self._streams.discard(opened)
            FEEDS.set(len(self._streams))

    def send(self, school_id: str, message: Message) -> None:
        """Queue a message for all feeds of a school."""
        for stream in self._streams:
            if stream.school_id == school_id:
                stream.put(message)

    def notice(self, posted: NoticePosted) -> None:
        """Queue a notice for the feeds of a school; one without a school is everybody's, one feed after the other."""
        message = Notice(posted.notice_id, posted.kind, posted.topic)
        if posted.school_id:
            self.send(posted.school_id, message)
            return
        loop = asyncio.get_running_loop()
        for number, stream in enumerate(self._streams):
            loop.call_later(number * APART_SECONDS, stream.put, message)

    def end(self, session_id: str) -> None:
        """Send every open feed of this session that it is signed out, and end it."""
        for stream in self._streams:
            if stream.session_id == session_id:
                stream.put(End(signed_out=True))

    def close(self) -> None:
        """Close all feeds: this replica stops, browsers come back to another."""
        self._closing = True
        for stream in self._streams:
            stream.put(End(signed_out=False))

    async def listen(self, bus: Client) -> None:
        """Subscribe to what concerns open feeds. Plain subscriptions: a feed that missed something reads everything again."""
        handlers: list[tuple[type[Any], Callable[[Any], None]]] = [
            (SessionEnded, lambda event: self.end(event.session_id)),
            (NoticePosted, self.notice),
            (LineChanged, lambda event: self.send(event.school_id, Change(_topic(event)))),
            (GroupExpiring, lambda event: self.send(event.school_id, Change("basket"))),
            (MandateChanged, lambda event: self.send(event.school_id, Change("mandate"))),
            (CandidateCreated, lambda event: self.send(event.school_id, Change("candidate"))),
            (CandidateUpdated, lambda event: self.send(event.school_id, Change("candidate"))),
        ]
        for kind, handle in handlers:
            await bus.subscribe(kind.DESCRIPTOR.full_name, cb=_callback(kind, handle))
        await bus.flush(timeout=5)

    def resync_all(self) -> None:
        """The bus was away, and what it carried meanwhile is lost: every feed reads again."""
        for stream in self._streams:
            stream.put(Resync())


def _callback(kind: type[Any], handle: Callable[[Any], None]) -> Callable[[Msg], Awaitable[None]]:
    async def receive(message: Msg) -> None:
        try:
            for payload in payloads(message.headers, message.data):
                handle(kind.FromString(payload))
        except (ValueError, DecodeError) as error:
            log.warning("live.unreadable", type=kind.DESCRIPTOR.full_name, error_type=type(error).__qualname__)

    return receive


def _topic(event: LineChanged) -> str:
    return "basket" if event.to in BASKET_STATES else "booking"
