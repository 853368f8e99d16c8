"""Facts and audit records leave with the commit that made them true.

`add` writes rows in the caller's transaction. One relay a service promises them numbers without gaps per lane, publishes
them oldest first, and after JetStream's acknowledgement writes number and time of publishing into them, at once. Rows stay
seven days, so that a consumer that sees a gap can have it repeated (`EventsService.Replay`), whatever the bus lost.
"""

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog
from google.protobuf.message import Message
from opentelemetry.propagate import inject
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.events.v1 import events_pb2 as pb
from resapermis_kit.clock import Clock, NewId, new_id
from resapermis_kit.db import KIT, Tx, after_commit, transaction
from resapermis_kit.statement import Statement

FACTS, RECORDS = "facts", "records"
KEPT = timedelta(days=7)
BATCH = 500
FORGOTTEN_AT_ONCE = 5000

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
    postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "10000"},
)
"""What waits lies behind what has just been published: vacuum clears that away by their number, however much is kept."""
sa.Index("outbox_unpublished_idx", outbox.c.lane, outbox.c.id, postgresql_where=outbox.c.published_at.is_(None))
sa.Index(
    "outbox_one_number_idx", outbox.c.lane, outbox.c.number, unique=True, postgresql_where=outbox.c.number.is_not(None)
)
heads = sa.Table(
    "outbox_head",
    KIT,
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("last_number", sa.BigInteger, nullable=False),
    sa.Column("promised", ARRAY(sa.Uuid), nullable=False, server_default="{}"),
)
"""The newest number that a row of the lane has, and the rows that have the next ones, in order, while these are published.

A promise is one small row; numbers in the rows themselves before publishing would be one more version of each.
"""
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
        """The same where nothing else is written: one statement, committed at the return.

        Records alone ring no bell: nobody waits for them, and with those of half a second they cost one round.
        """
        if messages:
            await _SAY.run(engine, self.packed(now, messages))
            if not all(isinstance(message, Record) for message in messages):
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
    """An outbox row with its number, written or promised, on its way to the bus."""

    id: UUID
    lane: str
    type: str
    payload: bytes
    traceparent: str
    occurred_at: datetime
    number: int
    after: int | None = None
    """The newest number of its lane before this promise; None: its number stands in the row already."""


_NUMBER = sa.text(
    "WITH waiting AS MATERIALIZED (SELECT oldest.* FROM unnest(CAST(:lanes AS text[])) AS lane (name) CROSS JOIN LATERAL "
    "(SELECT id, outbox.lane, number FROM outbox WHERE outbox.lane = lane.name AND published_at IS NULL "
    "ORDER BY id LIMIT :batch) AS oldest), "
    "promise AS (INSERT INTO outbox_head AS head (lane, last_number, promised) "
    "SELECT lane, 0, array_agg(id ORDER BY id) FROM waiting WHERE number IS NULL GROUP BY lane ORDER BY lane "
    "ON CONFLICT (lane) DO UPDATE SET promised = CASE WHEN head.promised = '{}' THEN excluded.promised ELSE head.promised END "
    "RETURNING lane, last_number, promised), "
    "due AS (SELECT place.id, last_number + place.place AS number, last_number AS after FROM promise "
    "CROSS JOIN LATERAL unnest(promised) WITH ORDINALITY AS place (id, place) "
    "UNION ALL SELECT id, number, NULL FROM waiting WHERE number IS NOT NULL) "
    "SELECT outbox.id, outbox.lane, outbox.type, outbox.payload, outbox.traceparent, outbox.occurred_at, due.number, due.after "
    "FROM due JOIN outbox USING (id) WHERE published_at IS NULL ORDER BY due.number"
).bindparams(sa.bindparam("batch", type_=sa.BigInteger))
"""One statement: what waits is promised its numbers in one commit, with one round trip however many rows wait.

A promise that was made earlier and not kept (its acknowledgement was lost) is returned instead of a new one.
"""
_MARK = sa.text("UPDATE outbox SET published_at = :now WHERE id = ANY(CAST(:ids AS uuid[]))").bindparams(
    sa.bindparam("now", type_=sa.DateTime(timezone=True))
)
_KEEP = sa.text(
    "WITH kept AS (SELECT head.lane, head.last_number, head.promised FROM outbox_head AS head "
    "JOIN unnest(CAST(:lanes AS text[]), CAST(:after AS bigint[])) AS whole (lane, last_number) "
    "USING (lane, last_number) ORDER BY head.lane FOR UPDATE OF head), "
    "numbered AS (UPDATE outbox SET number = kept.last_number + place.place, "
    "published_at = coalesce(outbox.published_at, :now) FROM kept "
    "CROSS JOIN LATERAL unnest(kept.promised) WITH ORDINALITY AS place (id, place) WHERE outbox.id = place.id) "
    "UPDATE outbox_head SET last_number = outbox_head.last_number + cardinality(kept.promised), promised = '{}' "
    "FROM kept WHERE outbox_head.lane = kept.lane"
).bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True)))
"""A promise of which all is published becomes the rows' numbers; where another relay was faster, nothing happens."""


async def number_waiting(tx: Tx) -> list[Waiting]:
    """Promise waiting rows their numbers (oldest first, no gaps per lane) and return what is to be published now.

    Only the relay that holds the service's advisory lock may call this. The promise must have been committed before
    anything is published: a number that a consumer has seen never becomes another row's.
    """
    values = {"batch": BATCH, "lanes": [FACTS, RECORDS]}
    return [Waiting(*row) for row in await tx.execute(_NUMBER, values)]


async def mark_published(tx: Tx, rows: Sequence[Waiting], ids: Collection[UUID], now: datetime) -> None:
    """Remember that the bus acknowledged these ids, of the rows that `number_waiting` returned.

    A lane's promise is kept once all of it is published; until then its rows have their place in it, not their number.
    """
    broken = {row.lane for row in rows if row.after is not None and row.id not in ids}
    whole = {row.lane: row.after for row in rows if row.after is not None and row.lane not in broken}
    single = [row.id for row in rows if row.id in ids and (row.after is None or row.lane in broken)]
    if single:
        await tx.execute(_MARK, {"ids": single, "now": now})
    if whole:
        await tx.execute(_KEEP, {"lanes": list(whole), "after": list(whole.values()), "now": now})


async def keep_promise(tx: Tx, lane: str, after: int, now: datetime) -> None:
    """All that the lane was promised after this number is known to be published."""
    await tx.execute(_KEEP, {"lanes": [lane], "after": [after], "now": now})


_FORGET = sa.text(
    "WITH oldest AS MATERIALIZED (SELECT id, number, published_at FROM outbox WHERE lane = :lane AND number IS NOT NULL "
    "ORDER BY number LIMIT :most), "
    "young AS (SELECT min(number) AS first FROM oldest WHERE published_at IS NULL OR published_at >= :since) "
    "DELETE FROM outbox USING oldest, young WHERE outbox.id = oldest.id AND (young.first IS NULL OR oldest.number < young.first)"
).bindparams(sa.bindparam("since", type_=sa.DateTime(timezone=True)), sa.bindparam("most", type_=sa.BigInteger))


async def forget_old(tx: Tx, now: datetime) -> int:
    """Delete rows published more than seven days ago, lowest numbers first, at most 5,000 of a lane; return how many.

    So what is kept has no gap at any moment.
    """
    values = {"since": now - KEPT, "most": FORGOTTEN_AT_ONCE}
    return sum([(await tx.execute(_FORGET, {"lane": lane, **values})).rowcount for lane in (FACTS, RECORDS)])


_REPEATED = sa.text(
    "SELECT outbox.id, lane, type, payload, traceparent, occurred_at, outbox.number FROM outbox "
    "WHERE lane = :lane AND number BETWEEN :first AND :last "
    "UNION ALL SELECT outbox.id, outbox.lane, type, payload, traceparent, occurred_at, last_number + place "
    "FROM outbox_head AS head CROSS JOIN LATERAL unnest(promised) WITH ORDINALITY AS due (id, place) "
    "JOIN outbox USING (id) WHERE head.lane = :lane AND last_number + place BETWEEN :first AND :last "
    "ORDER BY number LIMIT :most"
).bindparams(*(sa.bindparam(name, type_=sa.BigInteger) for name in ("first", "last", "most")))
"""Rows by number, also those whose number is promised: the bus may have brought the next one already."""


def envelope(into: pb.Envelope, source: str, row: Waiting) -> None:
    """A row as it is repeated, or sent with others."""
    into.id, into.source, into.lane, into.number = str(row.id), source, row.lane, row.number
    into.type, into.payload, into.traceparent = row.type, row.payload, row.traceparent
    into.occurred_at.FromDatetime(row.occurred_at)


async def replay(tx: Tx, source: str, request: pb.ReplayRequest) -> pb.ReplayResponse:
    """Answer `EventsService.Replay` from this service's outbox."""
    kept = sa.select(sa.func.min(outbox.c.number)).where(outbox.c.lane == request.lane)
    values = {"lane": request.lane, "first": request.first_number, "last": request.last_number, "most": BATCH}
    response = pb.ReplayResponse(oldest_number=(await tx.execute(kept)).scalar() or 0)
    for row in await tx.execute(_REPEATED, values):  # its columns are those of `Waiting`
        envelope(response.envelopes.add(), source, Waiting(*row))
    return response


def upgrade_to_promises(connection: sa.Connection) -> None:
    """For each service's migration: the outbox as numbers are promised first; nothing to do where it was made so."""
    for statement in (
        "ALTER TABLE outbox_head ADD COLUMN IF NOT EXISTS promised uuid[] NOT NULL DEFAULT '{}'",
        "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)",
        "CREATE INDEX IF NOT EXISTS outbox_unpublished_idx ON outbox (lane, id) WHERE published_at IS NULL",
        "DROP INDEX IF EXISTS outbox_waiting_idx",
        "DROP INDEX IF EXISTS outbox_published_idx",
    ):
        connection.execute(sa.text(statement))


async def prune(engine: AsyncEngine, now: Clock) -> None:
    """One round of forgetting."""
    while True:
        async with transaction(engine) as tx:
            if await forget_old(tx, now()) < FORGOTTEN_AT_ONCE:
                return
