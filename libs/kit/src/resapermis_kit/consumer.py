"""Consumers that handle each fact once.

Numbers are gapless per source and lane, and one process at a time consumes a lane for a service. So the inbox is
one number per lane, moved in the handlers' transaction: a fact at or below it was handled, one above position + 1
means that the bus lost something, which is then asked from the source itself. Handled once, whatever the bus does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import nats.errors
import nats.js.errors
import sqlalchemy as sa
import structlog
from google.protobuf.message import Message
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from opentelemetry import trace
from opentelemetry.propagate import extract
from prometheus_client import Counter
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2 as pb
from resapermis_kit import lost, outbox
from resapermis_kit.bus import PACK, batch, stream_name
from resapermis_kit.clock import Clock
from resapermis_kit.db import KIT, Tx, transaction
from resapermis_kit.errors import Failure
from resapermis_kit.outbox import FACTS

BATCH = 200
"""Facts handled in one transaction."""
PULLED = 50
"""Messages a consumer takes at once, of up to `PACKED` facts each."""
CATCH_UP_AFTER_SILENT_FETCHES = 12
"""About a minute without a message: the source is asked whether it said any."""
ATTEMPTS = 5
"""A fact that fails this often is set aside in `dead_letter`, alarmed on, and the rest flows."""
FIRST_PAUSE_SECONDS = 0.2
log = structlog.get_logger()
tracer = trace.get_tracer("resapermis.bus")
DEAD = Counter("resapermis_dead_letters_total", "Facts set aside after repeated failure", ["source", "type"])
MISSED = Counter("resapermis_bus_gaps_total", "Facts that the bus lost and the source repeated", ["source", "lane"])


inbox = sa.Table(
    "inbox",
    KIT,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
)
# Made once: SQLAlchemy takes longer to build these three than PostgreSQL to run them, and each batch of facts runs two.
_POSITION = sa.text("SELECT position FROM inbox WHERE source = :of_source AND lane = :of_lane FOR UPDATE")
_FIRST = sa.text(
    "INSERT INTO inbox (source, lane, position, moved_at) VALUES (:of_source, :of_lane, :to, :at) ON CONFLICT DO NOTHING"
)
_MOVE = sa.text(
    "INSERT INTO inbox (source, lane, position, moved_at) VALUES (:of_source, :of_lane, :to, :at)"
    " ON CONFLICT (source, lane) DO UPDATE SET position = excluded.position, moved_at = excluded.moved_at"
    " WHERE inbox.position < excluded.position"
)
dead_letters = sa.Table(
    "dead_letter",
    KIT,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
)


@dataclass(frozen=True)
class Fact:
    """A fact as it came: what it says, and from whom, when."""

    id: str
    source: str
    number: int
    type: str
    occurred_at: datetime
    payload: bytes
    traceparent: str


Handle = Callable[[Tx, Any, Fact], Awaitable[None]]


@dataclass(frozen=True)
class Together:
    """A handler that takes facts of its type several at a time, in order: for few statements however many facts.

    A batch that fails comes again, and at last fact by fact, so that a poisoned one is set aside alone.
    """

    handle: Callable[[Tx, Sequence[tuple[Any, Fact]]], Awaitable[None]]


Repeat = Callable[[str, pb.ReplayRequest], Awaitable[pb.ReplayResponse]]


class Consumer:
    """Handles the facts of one lane of one source, in order, each once."""

    def __init__(
        self,
        engine: AsyncEngine,
        service: str,
        source: str,
        handlers: Mapping[type[Message], Handle | Together],
        repeat: Repeat,
        now: Clock,
        lane: str = FACTS,
    ) -> None:
        """`handlers` by fact type; other types of the lane are passed over. `repeat` asks the source for what was lost."""
        self._engine, self._service, self._source, self._lane = engine, service, source, lane
        self._types = {kind.DESCRIPTOR.full_name: (kind, handle) for kind, handle in handlers.items()}
        self._repeat, self._now = repeat, now

    async def run(self, bus: Client) -> None:
        """Consume for ever; one replica of the service at a time. Survives both the bus and the database."""
        name = f"{self._service}-{self._lane}-{self._source}"
        while True:
            while not bus.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
                await asyncio.sleep(0.5)
            try:
                await self._pull(bus, name)
            except (Failure, sa.exc.SQLAlchemyError, nats.errors.Error, OSError, TimeoutError) as error:
                log.warning(
                    "consumer.paused", source=self._source, lane=self._lane, error_type=type(error).__qualname__
                )
                await asyncio.sleep(0.5)

    async def _pull(self, bus: Client, name: str) -> None:
        config = ConsumerConfig(
            durable_name=name,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=30,
            max_ack_pending=PULLED * 10,
        )
        stream = stream_name(self._lane, self._source)
        subscription = await bus.jetstream().pull_subscribe("", durable=name, stream=stream, config=config)
        silent = 0
        try:
            await self.catch_up()
            while True:
                try:
                    messages = await subscription.fetch(PULLED, timeout=5)
                except (TimeoutError, nats.errors.TimeoutError):
                    silent += 1
                    if silent % CATCH_UP_AFTER_SILENT_FETCHES == 0:
                        await self.catch_up()
                    continue
                facts = [fact for message in messages for fact in self._read(message.headers or {}, message.data)]
                facts.sort(key=lambda fact: fact.number)
                for first in range(0, len(facts), BATCH):
                    await self.handle(facts[first : first + BATCH])
                for message in messages:
                    await message.ack()
        finally:
            await subscription.unsubscribe()

    def _read(self, headers: Mapping[str, str], payload: bytes) -> list[Fact]:
        """A message's facts. What is none was not said by our relay, or did not keep: the source repeats its numbers."""
        try:
            if PACK in headers:
                return [_envelope(envelope) for envelope in batch(payload).envelopes]
            return [_fact(headers, payload)]
        except (KeyError, ValueError):
            DEAD.labels(self._source, "unreadable").inc()
            log.error("consumer.unreadable", source=self._source, lane=self._lane)
            return []

    async def catch_up(self) -> None:
        """Handle what the source said and the bus will never bring: the tail of a stream that was lost shows no gap."""
        async with transaction(self._engine) as tx:
            position = await self._position(tx)
        question = pb.ReplayRequest(
            lane=self._lane, first_number=max(position, 1), last_number=position + outbox.BATCH - 1
        )
        try:
            answer = await self._repeat(self._source, question)
        except Failure as failure:
            log.info("consumer.cannot_catch_up", source=self._source, code=failure.name)
            return
        if not lost.of_the_past(self._source, self._lane, position, answer):
            fresh = [_envelope(one) for one in answer.envelopes if one.number > position]
            MISSED.labels(self._source, self._lane).inc(len(fresh))
            await self.handle(fresh)

    async def handle(self, facts: Sequence[Fact]) -> None:
        """Handle what is new among `facts`, fetch what is missing, set aside what keeps failing."""
        pause, attempt = FIRST_PAUSE_SECONDS, 1
        waiting = sorted(facts, key=lambda fact: fact.number)
        while True:
            try:
                await self._handle_batch(waiting)
            except Failure as failure:
                log.warning("consumer.waits", source=self._source, code=failure.name)
            except Exception as error:  # noqa: BLE001 - a poisoned fact must not stop the rest
                if attempt >= ATTEMPTS:
                    await self._one_by_one(waiting)
                    return
                log.warning("consumer.failed", source=self._source, error_type=type(error).__qualname__)
            else:
                return
            attempt += 1
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10)

    async def _handle_batch(self, facts: Sequence[Fact], *, complete: bool = False) -> None:
        """Handle what is new in one transaction, with the position moved once; `complete`: nothing more is to be had."""
        async with transaction(self._engine) as tx:
            position = await self._position(tx)
            fresh = _after(position, facts)
            if not fresh:
                return
            if complete or fresh[-1].number - position == len(fresh):
                await self._apply(tx, fresh)
                await self._move(tx, fresh[-1].number)
                return
        # The bus lost something: its source is asked, with no transaction open.
        await self._handle_batch(await self._completed(position, fresh), complete=True)

    async def _completed(self, position: int, facts: Sequence[Fact]) -> Sequence[Fact]:
        """Return `facts` with what is missing between our position and the last of them."""
        complete: list[Fact] = []
        for fact in facts:
            if fact.number > position + 1:
                complete += await self._missing(position + 1, fact.number - 1)
            complete.append(fact)
            position = max(position, fact.number)
        return complete

    async def _one_by_one(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            try:
                await self._handle_batch([fact])
            except Failure:
                raise
            except Exception as error:  # noqa: BLE001 - recorded below
                async with transaction(self._engine) as tx:
                    letter = {
                        "id": fact.id,
                        "source": fact.source,
                        "type": fact.type,
                        "payload": fact.payload,
                        "error": type(error).__qualname__,
                        "failed_at": self._now(),
                    }
                    await tx.execute(insert(dead_letters).values(letter).on_conflict_do_nothing())
                    await self._move(tx, fact.number)
                DEAD.labels(fact.source, fact.type).inc()
                log.error("consumer.dead_letter", source=fact.source, type=fact.type, event_id=fact.id)

    async def _missing(self, first: int, last: int) -> list[Fact]:
        """Ask the source for what the bus did not bring; what it no longer has (over 7 days) is said and passed over."""
        found: list[Fact] = []
        while first <= last:
            answer = await self._repeat(
                self._source, pb.ReplayRequest(lane=self._lane, first_number=first, last_number=last)
            )
            if not answer.envelopes:
                log.warning("consumer.gap_not_kept", source=self._source, first=first, last=last)
                break
            found += [_envelope(envelope) for envelope in answer.envelopes]
            first = answer.envelopes[-1].number + 1
        MISSED.labels(self._source, self._lane).inc(len(found))
        return found

    async def _apply(self, tx: Tx, facts: Sequence[Fact]) -> None:
        """In order: each alone, or with its neighbours of the same type where the handler takes them together."""
        for kind, run in groupby(facts, key=lambda fact: fact.type):
            known = self._types.get(kind)
            if known is None:
                continue
            message, handle = known
            if not isinstance(handle, Together):
                for fact in run:
                    with _span(message, fact):
                        await handle(tx, message.FromString(fact.payload), fact)
                continue
            read = [(message.FromString(fact.payload), fact) for fact in run]
            with _span(message, read[-1][1]):
                await handle.handle(tx, read)

    async def _position(self, tx: Tx) -> int:
        """Where we are, in the lane's turn: a twin at work on the same facts is waited for, also before the first of all."""
        mine = {"of_source": self._source, "of_lane": self._lane}
        position = (await tx.execute(_POSITION, mine)).scalar()
        if position is None:  # there is no row yet that two could take turns on
            await tx.execute(_FIRST, mine | {"to": 0, "at": self._now()})
            position = (await tx.execute(_POSITION, mine)).scalar_one()
        return int(position)

    async def _move(self, tx: Tx, position: int) -> None:
        values = {"of_source": self._source, "of_lane": self._lane, "to": position, "at": self._now()}
        await tx.execute(_MOVE, values)


def _after(position: int, facts: Sequence[Fact]) -> list[Fact]:
    """Facts beyond `position`, each once; `facts` are in order of number."""
    fresh: list[Fact] = []
    for fact in facts:
        if fact.number > position:
            fresh.append(fact)
            position = fact.number
    return fresh


def _span(message: type[Message], fact: Fact) -> AbstractContextManager[trace.Span]:
    return tracer.start_as_current_span(
        f"handle {message.DESCRIPTOR.name}",
        context=extract({"traceparent": fact.traceparent}),
        kind=trace.SpanKind.CONSUMER,
    )


def _fact(headers: Mapping[str, str], payload: bytes) -> Fact:
    return Fact(
        id=headers["ce-id"],
        source=headers["ce-source"],
        number=int(headers["resapermis-number"]),
        type=headers["ce-type"],
        occurred_at=datetime.fromisoformat(headers["ce-time"]),
        payload=payload,
        traceparent=headers.get("traceparent", ""),
    )


def _envelope(envelope: pb.Envelope) -> Fact:
    return Fact(
        id=envelope.id,
        source=envelope.source,
        number=envelope.number,
        type=envelope.type,
        occurred_at=envelope.occurred_at.ToDatetime(UTC),
        payload=envelope.payload,
        traceparent=envelope.traceparent,
    )
