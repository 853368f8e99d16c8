"""Facts and audit records leave with the commit that made them true.

`add` writes rows in the caller's transaction. One relay a service numbers them without gaps per lane, publishes
them oldest first and marks them after JetStream's acknowledgement. Rows stay seven days, so that a consumer
that sees a gap can have it repeated (`EventsService.Replay`), whatever the bus lost.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog
from google.protobuf.message import Message
from opentelemetry.propagate import inject
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.events.v1 import events_pb2 as pb
from resapermis_kit.clock import Clock, NewId, new_id
from resapermis_kit.db import KIT, Tx, after_commit, transaction
from resapermis_kit.statement import Statement

FACTS, RECORDS = "facts", "records"
KEPT = timedelta(days=7)
BATCH = 500

outbox = sa.Table(
    "outbox",
    KIT,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("number", sa.BigInteger),
    sa.Column("published_at", sa.DateTime(timezone=True)),
)
sa.Index("outbox_waiting_idx", outbox.c.id, postgresql_where=outbox.c.published_at.is_(None))
sa.Index(
    "outbox_one_number_idx", outbox.c.lane, outbox.c.number, unique=True, postgresql_where=outbox.c.number.is_not(None)
)
sa.Index("outbox_published_idx", outbox.c.published_at)
heads = sa.Table(
    "outbox_head",
    KIT,
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("last_number", sa.BigInteger, nullable=False),
)
ADD = (
    "INSERT INTO outbox (id, lane, type, payload, traceparent, occurred_at) "
    "SELECT said.id, said.lane, said.type, said.payload, CAST(:said_traceparent AS text), "
    "CAST(:said_at AS timestamptz) FROM unnest(CAST(:said_ids AS uuid[]), CAST(:said_lanes AS text[]), "
    "CAST(:said_types AS text[]), CAST(:said_payloads AS bytea[])) AS said (id, lane, type, payload)"
)
"""One statement for any number of rows (`Outbox.packed` has its values); part of a larger one where an act is one."""
_ADD = sa.text(ADD).bindparams(sa.bindparam("said_at", type_=sa.DateTime(timezone=True)))
_SAY = Statement(ADD)
log = structlog.get_logger()


class Bell:
    """Wakes this process's relay right after a commit; the relay also looks by itself twice a second."""

    def __init__(self) -> None:
        """Make a silent bell."""
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Say that rows may be waiting."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Wait for a ring, at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for would lose a cancellation that meets the ring (Python 3.11)
                await self._event.wait()
        self._event.clear()


class Outbox:
    """What a service says, one for each process; `source` is the service's name."""

    def __init__(self, source: str, bell: Bell | None = None, new_event_id: NewId = new_id) -> None:
        """Make the outbox of `source`."""
        self.source = source
        self.bell = bell or Bell()
        self._new_id = new_event_id

    async def add(self, tx: Tx, now: datetime, *messages: Message) -> None:
        """Write facts (any event message) and audit Records into the outbox, in the caller's transaction."""
        if not messages:
            return
        await tx.execute(_ADD, self.packed(now, messages))
        after_commit(tx, self.bell.ring)

    async def say(self, engine: AsyncEngine, now: datetime, *messages: Message) -> None:
        """The same where nothing else is written: one statement, committed at the return."""
        if messages:
            await _SAY.run(engine, self.packed(now, messages))
            self.bell.ring()

    def packed(self, now: datetime, messages: Sequence[Message]) -> dict[str, object]:
        """The values of `ADD` for these messages; whoever executes it rings the bell after the commit."""
        carrier: dict[str, str] = {}
        inject(carrier)
        traceparent = carrier.get("traceparent", "")
        correlation_id = traceparent.split("-")[1] if traceparent else ""
        ids, lanes, types, payloads = [], [], [], []
        for message in messages:
            event_id = self._new_id()
            if isinstance(message, Record):
                message.id = str(event_id)
                message.source = self.source
                message.occurred_at.FromDatetime(now)
                message.correlation_id = message.correlation_id or correlation_id
            ids.append(event_id)
            lanes.append(RECORDS if isinstance(message, Record) else FACTS)
            types.append(message.DESCRIPTOR.full_name)
            payloads.append(message.SerializeToString(deterministic=True))
        return {
            "said_ids": ids,
            "said_lanes": lanes,
            "said_types": types,
            "said_payloads": payloads,
            "said_traceparent": traceparent,
            "said_at": now,
        }


def subject_of(source: str, row_type: str) -> str:
    """The bus subject: the type's full name; records carry their source, so that the server can say who may."""
    return f"{row_type}.{source}" if row_type == Record.DESCRIPTOR.full_name else row_type


@dataclass(frozen=True)
class Waiting:
    """An outbox row with its number, on its way to the bus."""

    id: UUID
    lane: str
    type: str
    payload: bytes
    traceparent: str
    occurred_at: datetime
    number: int


_NUMBER = sa.text(
    "WITH earlier AS MATERIALIZED (SELECT id, lane, type, payload, traceparent, occurred_at, number FROM outbox "
    "WHERE published_at IS NULL AND number IS NOT NULL ORDER BY number LIMIT :batch), "
    "oldest AS MATERIALIZED (SELECT id, lane FROM outbox WHERE published_at IS NULL AND number IS NULL "
    "ORDER BY id LIMIT greatest(:batch - (SELECT count(*) FROM earlier), 0)), "
    "fresh AS (SELECT id, lane, row_number() OVER (PARTITION BY lane ORDER BY id) AS place, "
    "count(*) OVER (PARTITION BY lane) AS many FROM oldest), "
    "head AS (INSERT INTO outbox_head AS known (lane, last_number) SELECT lane, max(place) FROM fresh GROUP BY lane "
    "ORDER BY lane ON CONFLICT (lane) DO UPDATE SET last_number = known.last_number + excluded.last_number "
    "RETURNING lane, last_number), "
    "numbered AS (UPDATE outbox SET number = head.last_number - fresh.many + fresh.place "
    "FROM fresh JOIN head USING (lane) WHERE outbox.id = fresh.id RETURNING outbox.id, outbox.lane, outbox.type, "
    "outbox.payload, outbox.traceparent, outbox.occurred_at, outbox.number) "
    "SELECT * FROM earlier UNION ALL SELECT * FROM numbered ORDER BY number"
).bindparams(sa.bindparam("batch", type_=sa.BigInteger))
"""One statement: rows get their numbers and the head moves in one commit, with one round trip however many rows wait.

Rows numbered in an earlier round and not marked (its acknowledgement was lost) keep their number and go first.
"""
_MARK = sa.text("UPDATE outbox SET published_at = :now WHERE id = ANY(CAST(:ids AS uuid[]))").bindparams(
    sa.bindparam("now", type_=sa.DateTime(timezone=True))
)


async def number_waiting(tx: Tx) -> list[Waiting]:
    """Give waiting rows their numbers (oldest first, no gaps per lane) and return all that are unpublished.

    Only the relay that holds the service's advisory lock may call this. The numbers must have been committed before
    anything is published: a number that a consumer has seen never becomes another row's.
    """
    return [Waiting(*row) for row in await tx.execute(_NUMBER, {"batch": BATCH})]


async def mark_published(tx: Tx, ids: Sequence[UUID], now: datetime) -> None:
    """Remember that the bus acknowledged these."""
    await tx.execute(_MARK, {"ids": list(ids), "now": now})


async def forget_old(tx: Tx, now: datetime) -> int:
    """Delete rows published more than seven days ago, lowest numbers first, at most 5,000 at a time; return how many.

    So what is kept has no gap at any moment.
    """
    old = sa.select(outbox.c.id).where(outbox.c.published_at < now - KEPT).order_by(outbox.c.number).limit(5000)
    return (await tx.execute(sa.delete(outbox).where(outbox.c.id.in_(old)))).rowcount


async def replay(tx: Tx, source: str, request: pb.ReplayRequest) -> pb.ReplayResponse:
    """Answer `EventsService.Replay` from this service's outbox."""
    kept = sa.select(sa.func.min(outbox.c.number)).where(outbox.c.lane == request.lane)
    statement = (
        sa.select(outbox)
        .where(outbox.c.lane == request.lane, outbox.c.number.between(request.first_number, request.last_number))
        .order_by(outbox.c.number)
        .limit(BATCH)
    )
    response = pb.ReplayResponse(oldest_number=(await tx.execute(kept)).scalar() or 0)
    for row in await tx.execute(statement):
        envelope = response.envelopes.add(
            id=str(row.id),
            source=source,
            lane=row.lane,
            number=row.number,
            type=row.type,
            payload=row.payload,
            traceparent=row.traceparent,
        )
        envelope.occurred_at.FromDatetime(row.occurred_at)
    return response


async def prune(engine: AsyncEngine, now: Clock) -> None:
    """One round of forgetting."""
    while True:
        async with transaction(engine) as tx:
            if await forget_old(tx, now()) < 5000:
                return
