"""The events of one stream of one source, handled in order and each once.

Numbers are gapless per source and stream, and one process at a time consumes a stream for a service. So the inbox is
one number per stream, moved in the handlers' transaction: an event at or below it was handled, one above position + 1
means that the bus lost something, which is then asked from the source itself. Handled once, whatever the bus does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

import structlog
from google.protobuf.message import Message
from opentelemetry import trace
from opentelemetry.propagate import extract
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2 as pb
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Failure
from resapermis_kit.events import inbox, numbering, recovery
from resapermis_kit.events.event import BatchHandler, Event, Handler
from resapermis_kit.events.streams import EVENTS, stream_name
from resapermis_kit.events.wire import event_of

ATTEMPTS = 5
"""An event that fails this often is set aside in `dead_letter`, alarmed on, and the rest flows."""
FIRST_PAUSE_SECONDS = 0.2
SAMPLED = frozenset("13579bdf")
"""Last digits of a traceparent whose trace is recorded (W3C: the lowest bit)."""
MOST_LINKS = 64
log = structlog.get_logger()
tracer = trace.get_tracer("resapermis.bus")
MISSED = Counter("resapermis_bus_gaps_total", "Events that the bus lost and the source repeated", ["source", "stream"])
UNCONFIRMED = Counter(
    "resapermis_bus_unconfirmed_total", "Events with a number that their source has not given", ["source", "stream"]
)
AGES = Histogram(
    "resapermis_event_age_seconds",
    "Age of events when they were handled, or passed over",
    ["source", "stream"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
)
Repeat = Callable[[str, pb.ReplayRequest], Awaitable[pb.ReplayResponse]]
"""Asks a source, by its name, to repeat some of its numbers."""


class Unconfirmed(Exception):
    """An event's number is beyond the newest that its source has given."""

    def __init__(self, given: int) -> None:
        """`given`: the newest one."""
        super().__init__(f"the source has given no number beyond {given}")
        self.given = given


class StreamHandler:
    """Hands each event to the handler of its type, in the transaction that moves the position past it."""

    def __init__(
        self,
        engine: AsyncEngine,
        source: str,
        handlers: Mapping[type[Message], Handler | BatchHandler],
        repeat: Repeat,
        now: Clock,
        stream: str = EVENTS,
    ) -> None:
        """`handlers` by event type; other types of the stream are passed over. `repeat` asks the source for what was lost."""
        self.source, self.stream = source, stream
        self._engine = engine
        self._types = {kind.DESCRIPTOR.full_name: (kind, handle) for kind, handle in handlers.items()}
        self._repeat, self._now = repeat, now
        self._ages = AGES.labels(source, stream)

    async def catch_up(self) -> bool:
        """Handle what the source published and the bus will never bring: a stream that lost its tail shows no gap.

        False where the source did not answer: to be asked again soon.
        """
        while True:
            async with transaction(self._engine) as tx:
                position = await self._position(tx)
            question = pb.ReplayRequest(
                stream=self.stream, first_number=max(position, 1), last_number=position + numbering.BATCH - 1
            )
            try:
                answer = await self._repeat(self.source, question)
            except Failure as failure:
                log.info("consumer.cannot_catch_up", source=self.source, code=failure.name)
                return False
            if recovery.source_was_restored(self.source, self.stream, position, answer):
                return True
            fresh = [event_of(self.source, one) for one in answer.envelopes if one.number > position]
            MISSED.labels(self.source, self.stream).inc(len(fresh))
            await self.handle(fresh)
            if len(answer.envelopes) < numbering.BATCH:  # no more than one question holds: that was all
                return True

    async def handle(self, events: Sequence[Event]) -> None:
        """Handle what is new among `events`, fetch what is missing, set aside what keeps failing."""
        pause, attempt = FIRST_PAUSE_SECONDS, 1
        waiting = sorted(events, key=lambda event: event.number)
        while True:
            try:
                await self._handle_batch(waiting)
            except Failure as failure:
                log.warning("consumer.waits", source=self.source, code=failure.name)
            except Unconfirmed as jump:
                # A source that was restored learns its numbers from its stream within seconds: asked as often as a handler.
                log.warning("consumer.jump_not_confirmed", source=self.source, stream=self.stream, given=jump.given)
                if attempt >= ATTEMPTS:
                    waiting, attempt = self._without_unconfirmed(waiting, jump.given), 0
                attempt += 1
            except Exception as error:  # noqa: BLE001 - a poisoned event must not stop the rest
                if attempt >= ATTEMPTS:
                    await self._one_by_one(waiting)
                    return
                log.warning("consumer.failed", source=self.source, error_type=type(error).__qualname__)
                attempt += 1
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10)

    def _without_unconfirmed(self, events: Sequence[Event], given: int) -> list[Event]:
        """Drop what claims a number that was not given: the source has it by another, or it is none of its."""
        kept = [event for event in events if event.number <= given]
        UNCONFIRMED.labels(self.source, self.stream).inc(len(events) - len(kept))
        return kept

    async def _handle_batch(self, events: Sequence[Event], *, complete: bool = False) -> None:
        """Handle what is new in one transaction, with the position moved once; `complete`: nothing more is to be had."""
        async with transaction(self._engine) as tx:
            position = await self._position(tx)
            fresh = _after(position, events)
            if not fresh:
                return
            whole = complete or fresh[-1].number - position == len(fresh)
            if whole:
                await self._apply(tx, fresh)
                await inbox.set_position(tx, self.source, self.stream, fresh[-1].number, self._now())
        if whole:
            now = self._now()
            for event in fresh:
                self._ages.observe(max(0.0, (now - event.occurred_at).total_seconds()))
        else:  # the bus lost something: its source is asked, with no transaction open
            await self._handle_batch(await self._completed(position, fresh), complete=True)

    async def _completed(self, position: int, events: Sequence[Event]) -> Sequence[Event]:
        """Return `events` with what is missing between our position and the last of them.

        A number beyond the next is the source's only if the source says that it has come so far: Unconfirmed otherwise.
        """
        complete: list[Event] = []
        for event in events:
            if event.number > position + 1:
                complete += await self._missing(position + 1, event.number - 1)
            complete.append(event)
            position = max(position, event.number)
        return complete

    async def _one_by_one(self, events: Sequence[Event]) -> None:
        """Each new event in a transaction of its own, also those that the bus lost: only what itself fails is set aside."""
        async with transaction(self._engine) as tx:
            position = await self._position(tx)
        for event in await self._completed(position, _after(position, events)):
            try:
                await self._handle_batch([event], complete=True)
            except Failure:
                raise
            except Exception as error:  # noqa: BLE001 - recorded below
                async with transaction(self._engine) as tx:
                    await inbox.set_aside(tx, self.stream, event, error, self._now())
                inbox.report_dead(event)

    async def _missing(self, first: int, last: int) -> list[Event]:
        """Ask the source for what the bus did not bring before a number `last` + 1, which it must have given.

        What it no longer has (over 7 days) is logged and passed over.
        """
        found: list[Event] = []
        while first <= last:
            answer = await self._repeat(
                self.source, pb.ReplayRequest(stream=self.stream, first_number=first, last_number=last)
            )
            if answer.HasField("last_number") and answer.last_number <= last:
                raise Unconfirmed(answer.last_number)
            if not answer.envelopes:
                log.warning("consumer.gap_not_kept", source=self.source, first=first, last=last)
                break
            found += [event_of(self.source, envelope) for envelope in answer.envelopes]
            first = answer.envelopes[-1].number + 1
        MISSED.labels(self.source, self.stream).inc(len(found))
        return found

    async def _apply(self, tx: Tx, events: Sequence[Event]) -> None:
        """In order: each alone, or with its neighbours of the same type where the handler takes batches."""
        for kind, run in groupby(events, key=lambda event: event.type):
            known = self._types.get(kind)
            if known is None:
                continue
            message, handle = known
            if not isinstance(handle, BatchHandler):
                for event in run:
                    with self._span(message, [event]):
                        await handle(tx, message.FromString(event.payload), event)
                continue
            read = [(message.FromString(event.payload), event) for event in run]
            with self._span(message, [event for _, event in read]):
                await handle.handle_batch(tx, read)

    @contextmanager
    def _span(self, message: type[Message], events: Sequence[Event]) -> Iterator[None]:
        act, others = _traces(events)
        # What is raised may quote data, so no span keeps it: its type says what happened.
        with tracer.start_as_current_span(
            f"handle {message.DESCRIPTOR.name}",
            context=extract({"traceparent": act}),
            kind=trace.SpanKind.CONSUMER,
            attributes={
                "messaging.system": "nats",
                "messaging.operation.type": "process",
                "messaging.destination.name": stream_name(self.stream, self.source),
                "messaging.batch.message_count": len(events),
            },
            links=[_link(one) for one in others],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(trace.StatusCode.ERROR)
                raise

    async def _position(self, tx: Tx) -> int:
        return await inbox.position_in(tx, self.source, self.stream, self._now())


def _after(position: int, events: Sequence[Event]) -> list[Event]:
    """Events beyond `position`, each once; `events` are in order of number."""
    fresh: list[Event] = []
    for event in events:
        if event.number > position:
            fresh.append(event)
            position = event.number
    return fresh


def _traces(events: Sequence[Event]) -> tuple[str, list[str]]:
    """The act whose trace goes on with the handling of `events`, and the others that it is linked to, as traceparents.

    Of a batch of several acts a recorded one goes on, if there is any: else a trace that is wanted would end here.
    """
    acts = dict.fromkeys(event.traceparent for event in events)
    recorded = [act for act in acts if act[-1:] in SAMPLED]
    return (recorded.pop() if recorded else events[-1].traceparent), recorded[-MOST_LINKS:]


def _link(traceparent: str) -> trace.Link:
    return trace.Link(trace.get_current_span(extract({"traceparent": traceparent})).get_span_context())
