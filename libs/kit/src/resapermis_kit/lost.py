"""What the bus or a database lost, and how both come together again.

A source numbers its facts without gaps. A database restored to the past would give numbers a second time that consumers
have handled already, and its facts would be passed over in silence: so its stream is read first, and numbering goes on
after the newest number in it. A stream that lost its tail shows no gap by itself: so consumers ask the source from time
to time whether it said more than they have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import nats.js.errors
import sqlalchemy as sa
import structlog
from nats.aio.client import Client
from prometheus_client import Counter, Gauge
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2 as pb
from resapermis_kit import clock, outbox
from resapermis_kit.db import transaction
from resapermis_kit.outbox import FACTS, RECORDS

log = structlog.get_logger()
RESTORED = Counter(
    "resapermis_outbox_restored_total", "Times that this database was found older than its own stream", ["lane"]
)
AHEAD = Gauge(
    "resapermis_consumer_ahead_of_source", "1 where more was handled than the source knows of", ["source", "lane"]
)


@dataclass(frozen=True)
class Lifted:
    """A lane whose stream had newer numbers than the database."""

    lane: str
    had: int
    now: int


async def align(engine: AsyncEngine, bus: Client, source: str) -> Sequence[Lifted]:
    """Go on numbering after the newest number in our own streams; return the lanes that were behind.

    Call before the first number is given. Anything returned means that the database was restored to the past.
    """
    lifted = []
    for lane in (FACTS, RECORDS):
        newest = await _newest(bus, f"{lane}-{source}")
        async with transaction(engine) as tx:
            head = outbox.heads.c
            statement = sa.select(head.last_number, head.promised).where(head.lane == lane).with_for_update()
            row = (await tx.execute(statement)).first()
            had: int = row.last_number + len(row.promised) if row is not None else 0
            if newest > had:
                if row is not None and row.promised:  # a newer number was given, so these were published
                    await outbox.keep_promise(tx, lane, row.last_number, clock.utc_now())
                upsert = insert(outbox.heads).values(lane=lane, last_number=newest)
                values = {"last_number": upsert.excluded.last_number}
                await tx.execute(upsert.on_conflict_do_update(index_elements=[head.lane], set_=values))
        if newest > had:
            RESTORED.labels(lane).inc()
            log.error("outbox.behind_its_stream", source=source, lane=lane, had=had, now=newest)
            lifted.append(Lifted(lane, had, newest))
    return lifted


async def _newest(bus: Client, stream: str) -> int:
    """The newest number in a stream; 0 where there is none."""
    js = bus.jetstream()
    try:
        last = (await js.stream_info(stream)).state.last_seq
        message = await js.get_msg(stream, seq=last) if last else None
    except nats.js.errors.NotFoundError:
        return 0
    headers = (message.headers if message is not None else None) or {}
    said = headers.get("resapermis-number", "")
    return int(said) if said.isdecimal() else 0


def of_the_past(source: str, lane: str, position: int, answer: pb.ReplayResponse) -> bool:
    """Whether a source, asked for everything from our position on, turns out not to have come so far yet.

    It then was restored to the past together with its stream: what it says next would be taken for old. Said and alarmed
    on (docs/runbooks/invariants.md); nothing is changed by itself.
    """
    has_it = any(envelope.number == position for envelope in answer.envelopes)
    behind = position > 0 and not has_it and 0 < answer.oldest_number <= position
    AHEAD.labels(source, lane).set(behind)
    if behind:
        log.error("consumer.ahead_of_source", source=source, lane=lane, position=position)
    return behind
