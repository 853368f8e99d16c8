"""Facts from the bus to the live feeds of this replica; a session that ends closes its feeds wherever they are."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog
from google.protobuf.message import DecodeError
from nats.aio.client import Client
from nats.aio.msg import Msg

from resapermis.basket.v1.basket_pb2 import LineState
from resapermis.basket.v1.events_pb2 import GroupExpiring, LineChanged
from resapermis.iam.v1.events_pb2 import SessionEnded
from resapermis.mandate.v1.events_pb2 import CandidateCreated, MandateChanged
from resapermis.notification.v1.events_pb2 import NoticePosted
from resapermis_kit.events.wire import payloads

APART_SECONDS = 0.005
"""Between two feeds that are told something for everybody: each then asks for its inbox, 200 a second at most."""
WAITING = 100
"""Messages that a slow reader may be behind; beyond, it is told to read everything again."""
BASKET_STATES = frozenset(
    {
        LineState.LINE_STATE_ASKING,
        LineState.LINE_STATE_HELD,
        LineState.LINE_STATE_REFUSED,
        LineState.LINE_STATE_RELEASED,
    }
)
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
    """Messages were lost: read everything again."""


@dataclass(frozen=True)
class End:
    """The session, or this process, ends; `signed_out` says which."""

    signed_out: bool


Message = Notice | Change | Resync | End


@dataclass(eq=False)
class Stream:
    """One open feed."""

    session_id: str
    school_id: str
    queue: asyncio.Queue[Message] = field(default_factory=lambda: asyncio.Queue(WAITING))

    def put(self, message: Message) -> None:
        """Queue a message; one too many empties the queue and becomes Resync. An End is always heard."""
        if self.queue.full() or isinstance(message, End):
            while not self.queue.empty():
                if isinstance(waiting := self.queue.get_nowait(), End):
                    message = waiting
            self.queue.put_nowait(message if isinstance(message, End) else Resync())
            return
        self.queue.put_nowait(message)


class Live:
    """The open feeds of this replica."""

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
        try:
            yield opened
        finally:
            self._streams.discard(opened)

    def tell(self, school_id: str, message: Message) -> None:
        """Tell all feeds of a school."""
        for stream in self._streams:
            if stream.school_id == school_id:
                stream.put(message)

    def notice(self, posted: NoticePosted) -> None:
        """Tell the feeds of a school of a notice; one without a school is everybody's, one feed after the other."""
        message = Notice(posted.notice_id, posted.kind, posted.topic)
        if posted.school_id:
            self.tell(posted.school_id, message)
            return
        loop = asyncio.get_running_loop()
        for number, stream in enumerate(self._streams):
            loop.call_later(number * APART_SECONDS, stream.put, message)

    def end(self, session_id: str) -> None:
        """Close the feeds of a session."""
        for stream in self._streams:
            if stream.session_id == session_id:
                stream.put(End(signed_out=True))

    def close(self) -> None:
        """Close all feeds: this replica stops, browsers come back to another."""
        self._closing = True
        for stream in self._streams:
            stream.put(End(signed_out=False))

    async def listen(self, bus: Client) -> None:
        """Hear what concerns open feeds. Plain subscriptions: a feed that missed something is told to read again."""
        hears: list[tuple[type[Any], Callable[[Any], None]]] = [
            (SessionEnded, lambda fact: self.end(fact.session_id)),
            (NoticePosted, self.notice),
            (LineChanged, lambda fact: self.tell(fact.school_id, Change(_topic(fact)))),
            (GroupExpiring, lambda fact: self.tell(fact.school_id, Change("basket"))),
            (MandateChanged, lambda fact: self.tell(fact.school_id, Change("mandate"))),
            (CandidateCreated, lambda fact: self.tell(fact.school_id, Change("candidate"))),
        ]
        for kind, handle in hears:
            await bus.subscribe(kind.DESCRIPTOR.full_name, cb=_callback(kind, handle))
        await bus.flush(timeout=5)

    def lost_touch(self) -> None:
        """The bus was away: nobody knows what was said meanwhile."""
        for stream in self._streams:
            stream.put(Resync())


def _callback(kind: type[Any], handle: Callable[[Any], None]) -> Callable[[Msg], Awaitable[None]]:
    async def hear(message: Msg) -> None:
        try:
            for payload in payloads(message.headers, message.data):
                handle(kind.FromString(payload))
        except (ValueError, DecodeError) as error:
            log.warning("live.unreadable", type=kind.DESCRIPTOR.full_name, error_type=type(error).__qualname__)

    return hear


def _topic(fact: LineChanged) -> str:
    return "basket" if fact.to in BASKET_STATES else "booking"
