"""What the bus or a database lost, and how both agree again.

A source numbers its events without gaps. A database restored to the past would give numbers a second time that consumers
have handled already, and its events would be passed over in silence: so its stream is read first, and numbering goes on
after the newest number in it. A stream that lost its tail shows no gap by itself: so consumers ask the source from time
to time whether it published more than they have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from nats.aio.client import Client
from prometheus_client import Gauge
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2 as pb
from resapermis_kit import clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events import streams
from resapermis_kit.events.numbering import heads, keep_promise
from resapermis_kit.events.streams import EVENTS, RECORDS, stream_name
from resapermis_kit.events.wire import NUMBER

log = structlog.get_logger()
RESTORED = Gauge(
    "resapermis_outbox_restored_seconds",
    "When this database was found older than its own stream, in seconds since 1970; nothing where it never was",
    ["stream"],
)
"""A moment, no counter: it is found seconds after a start, before Prometheus has seen a 0."""
AHEAD = Gauge(
    "resapermis_consumer_ahead_of_source", "1 where more was handled than the source knows of", ["source", "stream"]
)
EARLIER = timedelta(minutes=2)
"""A round of publishing, and how far the clocks of a replica and of the bus may be apart."""
_NEWEST_PUBLISHED = sa.text(
    "SELECT coalesce(published_at, occurred_at) FROM outbox WHERE stream = :stream AND number IS NOT NULL "
    "ORDER BY number DESC LIMIT 1"
)
"""What has higher numbers than this database knows was published later: only that part of the stream is read."""


@dataclass(frozen=True)
class RealignedStream:
    """A stream that had newer numbers on the bus than in the database."""

    stream: str
    had: int
    now: int


async def align(engine: AsyncEngine, bus: Client, source: str) -> Sequence[RealignedStream]:
    """Go on numbering after the newest number in our own streams of the bus; return those the database was behind.

    Call before the first number is given. Anything returned means that the database was restored to the past.
    """
    realigned = []
    for stream in (EVENTS, RECORDS):
        async with transaction(engine) as tx:
            published_at = (await tx.execute(_NEWEST_PUBLISHED, {"stream": stream})).scalar()
        since = published_at - EARLIER if published_at is not None else None
        newest = await _highest(bus, stream_name(stream, source), since)
        async with transaction(engine) as tx:
            had = await raise_head(tx, stream, newest, clock.utc_now())
        if had is not None:
            RESTORED.labels(stream).set_to_current_time()
            log.error("outbox.behind_its_stream", source=source, stream=stream, had=had, now=newest)
            realigned.append(RealignedStream(stream, had, newest))
    return realigned


async def raise_head(tx: Tx, stream: str, newest: int, now: datetime) -> int | None:
    """Have a stream's numbering go on after `newest`; its newest number before, None where it had come so far already."""
    head = heads.c
    statement = sa.select(head.last_number, head.promised).where(head.stream == stream).with_for_update()
    row = (await tx.execute(statement)).first()
    had: int = row.last_number + len(row.promised) if row is not None else 0
    if newest <= had:
        return None
    if row is not None and row.promised:  # a newer number was given, so these were published
        await keep_promise(tx, stream, row.last_number, now)
    upsert = insert(heads).values(stream=stream, last_number=newest)
    values = {"last_number": upsert.excluded.last_number}
    await tx.execute(upsert.on_conflict_do_update(index_elements=[head.stream], set_=values))
    return had


async def _highest(bus: Client, stream: str, since: datetime | None) -> int:
    """The highest number in what a stream of the bus stored since a moment (None: ever); NotFoundError while there is no stream.

    Not its last message's: one whose acknowledgement was lost is published again behind those with higher numbers.
    """
    js = streams.jetstream(bus)
    state = (await js.stream_info(stream)).state
    if not state.messages:
        return 0
    # The last is the leader's word; of the rest any replica's, asked until it has come so far.
    last = await js.get_msg(stream, seq=state.last_seq)
    highest, read = _number(last.headers), 0
    if since is not None and (last.time is None or last.time < since):
        return highest
    begin: dict[str, object] = {"seq": 1} if since is None else {"start_time": since.isoformat()}
    while read < state.last_seq:
        messages = await streams.read(bus, stream, begin)
        if not messages:
            raise TimeoutError(f"a replica of {stream} is behind its leader")
        highest = max([highest, *(_number(message.headers) for message in messages)])
        read = int((messages[-1].headers or {})["Nats-Sequence"])
        begin = {"seq": read + 1}
    return highest


def _number(headers: Mapping[str, str] | None) -> int:
    number = (headers or {}).get(NUMBER, "")
    return int(number) if number.isdecimal() else 0


def source_was_restored(source: str, stream: str, position: int, answer: pb.ReplayResponse) -> bool:
    """Whether a source, asked for everything from our position on, turns out not to have come so far yet.

    It then was restored to the past together with its stream: what it publishes next would be taken for old. Logged and
    alarmed on (docs/runbooks/invariants.md); nothing is changed by itself. One that goes on after our position is not behind,
    though it no longer has what we handled. (0.2.0 does not say its last number: 0 here.)
    """
    has_it = any(envelope.number == position for envelope in answer.envelopes)
    behind = position > 0 and not has_it and 0 < answer.oldest_number <= position and answer.last_number < position
    AHEAD.labels(source, stream).set(behind)
    if behind:
        log.error("consumer.ahead_of_source", source=source, stream=stream, position=position)
    return behind
