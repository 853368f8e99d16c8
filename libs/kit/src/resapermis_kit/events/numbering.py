"""Numbers without gaps per stream: promised first, published, then written into the rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.transaction import Tx
from resapermis_kit.events.streams import EVENTS, RECORDS

BATCH = 500
"""Rows numbered at once."""

heads = sa.Table(
    "outbox_head",
    KIT,
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("last_number", sa.BigInteger, nullable=False),
    sa.Column("promised", ARRAY(sa.Uuid), nullable=False, server_default="{}"),
)
"""The newest number that a row of the stream has, and the rows that have the next ones, in order, while these are published.

A promise is one small row; numbers in the rows themselves before publishing would be one more version of each.
"""


@dataclass(frozen=True)
class NumberedRow:
    """An outbox row with its number, written or promised, on its way to the bus."""

    id: UUID
    stream: str
    type: str
    payload: bytes
    traceparent: str
    occurred_at: datetime
    number: int
    after: int | None = None
    """The newest number of its stream before this promise; None: its number stands in the row already."""


_NUMBER = sa.text(
    "WITH waiting AS MATERIALIZED (SELECT oldest.* FROM unnest(CAST(:streams AS text[])) AS stream (name) CROSS JOIN LATERAL "
    "(SELECT id, outbox.stream, number, sequence FROM outbox WHERE outbox.stream = stream.name AND published_at IS NULL "
    "ORDER BY sequence, id LIMIT :batch) AS oldest), "
    "promise AS (INSERT INTO outbox_head AS head (stream, last_number, promised) "
    "SELECT stream, 0, array_agg(id ORDER BY sequence, id) FROM waiting WHERE number IS NULL GROUP BY stream ORDER BY stream "
    "ON CONFLICT (stream) DO UPDATE SET promised = CASE WHEN head.promised = '{}' THEN excluded.promised ELSE head.promised END "
    "RETURNING stream, last_number, promised), "
    "due AS (SELECT place.id, last_number + place.place AS number, last_number AS after FROM promise "
    "CROSS JOIN LATERAL unnest(promised) WITH ORDINALITY AS place (id, place) "
    "UNION ALL SELECT id, number, NULL FROM waiting WHERE number IS NOT NULL) "
    "SELECT outbox.id, outbox.stream, outbox.type, outbox.payload, outbox.traceparent, outbox.occurred_at, due.number, due.after "
    "FROM due JOIN outbox USING (id) WHERE published_at IS NULL ORDER BY due.number"
).bindparams(sa.bindparam("batch", type_=sa.BigInteger))
"""One statement: what waits is promised its numbers in one commit, with one round trip however many rows wait.

A promise that was made earlier and not kept (its acknowledgement was lost) is returned instead of a new one.
"""
_MARK = sa.text("UPDATE outbox SET published_at = :now WHERE id = ANY(CAST(:ids AS uuid[]))").bindparams(
    sa.bindparam("now", type_=sa.DateTime(timezone=True))
)
_KEEP = sa.text(
    "WITH kept AS (SELECT head.stream, head.last_number, head.promised FROM outbox_head AS head "
    "JOIN unnest(CAST(:streams AS text[]), CAST(:after AS bigint[])) AS whole (stream, last_number) "
    "USING (stream, last_number) ORDER BY head.stream FOR UPDATE OF head), "
    "numbered AS (UPDATE outbox SET number = kept.last_number + place.place, "
    "published_at = coalesce(outbox.published_at, :now) FROM kept "
    "CROSS JOIN LATERAL unnest(kept.promised) WITH ORDINALITY AS place (id, place) WHERE outbox.id = place.id) "
    "UPDATE outbox_head SET last_number = outbox_head.last_number + cardinality(kept.promised), promised = '{}' "
    "FROM kept WHERE outbox_head.stream = kept.stream"
).bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True)))
"""A promise of which all is published becomes the rows' numbers; where another relay was faster, nothing happens."""


async def number_unpublished(tx: Tx) -> list[NumberedRow]:
    """Promise waiting rows their numbers (in the order of writing, no gaps per stream) and return what is to be published now.

    Only the relay that holds the service's advisory lock may call this. The promise must have been committed before
    anything is published: a number that a consumer has seen never becomes another row's.
    """
    values = {"batch": BATCH, "streams": [EVENTS, RECORDS]}
    return [NumberedRow(*row) for row in await tx.execute(_NUMBER, values)]


async def mark_published(tx: Tx, rows: Sequence[NumberedRow], ids: Collection[UUID], now: datetime) -> None:
    """Remember that the bus acknowledged these ids, of the rows that `number_unpublished` returned.

    A stream's promise is kept once all of it is published; until then its rows have their place in it, not their number.
    """
    broken = {row.stream for row in rows if row.after is not None and row.id not in ids}
    whole = {row.stream: row.after for row in rows if row.after is not None and row.stream not in broken}
    single = [row.id for row in rows if row.id in ids and (row.after is None or row.stream in broken)]
    if single:
        await tx.execute(_MARK, {"ids": single, "now": now})
    if whole:
        await tx.execute(_KEEP, {"streams": list(whole), "after": list(whole.values()), "now": now})


async def keep_promise(tx: Tx, stream: str, after: int, now: datetime) -> None:
    """All that the stream was promised after this number is known to be published."""
    await tx.execute(_KEEP, {"streams": [stream], "after": [after], "now": now})
