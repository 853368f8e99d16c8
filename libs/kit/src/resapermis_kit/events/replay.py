"""What was published stays for seven days, so that a consumer that misses events can have them replayed."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2 as pb
from resapermis.events.v1 import events_pb2_grpc
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events.numbering import BATCH, NumberedRow, heads
from resapermis_kit.events.outbox import outbox
from resapermis_kit.events.streams import EVENTS, RECORDS
from resapermis_kit.events.wire import fill_envelope

KEPT = timedelta(days=7)
FORGOTTEN_AT_ONCE = 5000
_KEPT_ROWS = sa.text(
    "SELECT outbox.id, stream, type, payload, traceparent, occurred_at, outbox.number FROM outbox "
    "WHERE stream = :stream AND number BETWEEN :first AND :last "
    "UNION ALL SELECT outbox.id, outbox.stream, type, payload, traceparent, occurred_at, last_number + place "
    "FROM outbox_head AS head CROSS JOIN LATERAL unnest(promised) WITH ORDINALITY AS due (id, place) "
    "JOIN outbox USING (id) WHERE head.stream = :stream AND last_number + place BETWEEN :first AND :last "
    "ORDER BY number LIMIT :most"
).bindparams(*(sa.bindparam(name, type_=sa.BigInteger) for name in ("first", "last", "most")))
"""Rows by number, also those whose number is promised: the bus may have brought the next one already."""


class EventsServicer(events_pb2_grpc.EventsServiceServicer):
    """Replays events from the outbox for consumers that saw a gap."""

    def __init__(self, engine: AsyncEngine, source: str) -> None:
        """Serve the outbox of `source`."""
        self._engine = engine
        self._source = source

    async def Replay(self, request: pb.ReplayRequest, context: Any) -> pb.ReplayResponse:
        """Answer at most 500 envelopes, in order of number."""
        async with transaction(self._engine) as tx:
            return await replay(tx, self._source, request)


async def replay(tx: Tx, source: str, request: pb.ReplayRequest) -> pb.ReplayResponse:
    """Read what `EventsService.Replay` answers: at most 500 events, the oldest number that is still there (0: none), the newest given."""
    kept = sa.select(sa.func.min(outbox.c.number)).where(outbox.c.stream == request.stream)
    values = {"stream": request.stream, "first": request.first_number, "last": request.last_number, "most": BATCH}
    head = sa.select(heads.c.last_number + sa.func.cardinality(heads.c.promised)).where(
        heads.c.stream == request.stream
    )
    response = pb.ReplayResponse(
        oldest_number=(await tx.execute(kept)).scalar() or 0, last_number=(await tx.execute(head)).scalar() or 0
    )
    for row in await tx.execute(_KEPT_ROWS, values):  # its columns are those of `NumberedRow`
        fill_envelope(response.envelopes.add(), source, NumberedRow(*row))
    return response


_FORGET = sa.text(
    "WITH oldest AS MATERIALIZED (SELECT id, number, published_at FROM outbox WHERE stream = :stream AND number IS NOT NULL "
    "ORDER BY number LIMIT :most), "
    "young AS (SELECT min(number) AS first FROM oldest WHERE published_at IS NULL OR published_at >= :since) "
    "DELETE FROM outbox USING oldest, young WHERE outbox.id = oldest.id AND (young.first IS NULL OR oldest.number < young.first)"
).bindparams(sa.bindparam("since", type_=sa.DateTime(timezone=True)), sa.bindparam("most", type_=sa.BigInteger))


async def forget_old(tx: Tx, now: datetime) -> int:
    """Delete rows published more than seven days ago, lowest numbers first, at most 5,000 of a stream; return how many.

    So what is kept has no gap at any moment.
    """
    values = {"since": now - KEPT, "most": FORGOTTEN_AT_ONCE}
    return sum([(await tx.execute(_FORGET, {"stream": stream, **values})).rowcount for stream in (EVENTS, RECORDS)])


async def prune(engine: AsyncEngine, now: Clock) -> None:
    """Delete all that is older than seven days, 5,000 rows of a stream a transaction."""
    while True:
        async with transaction(engine) as tx:
            if await forget_old(tx, now()) < FORGOTTEN_AT_ONCE:
                return
