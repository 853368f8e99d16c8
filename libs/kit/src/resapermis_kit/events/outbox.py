"""Events and audit records leave with the commit that made them true.

`add` writes rows in the caller's transaction. One relay a service promises them numbers without gaps per stream, publishes
them in the order of writing, and after JetStream's acknowledgement writes number and time of publishing into them, at once. Rows stay
seven days, so that a consumer that sees a gap can have it repeated (`EventsService.Replay`), whatever the bus lost.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from google.protobuf.message import Message
from opentelemetry.propagate import inject
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis_kit.clock import NewId, new_id
from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx, after_commit
from resapermis_kit.events.streams import EVENTS, RECORDS

outbox = sa.Table(
    "outbox",
    KIT,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("number", sa.BigInteger),
    sa.Column("published_at", sa.DateTime(timezone=True)),
    sa.Column("sequence", sa.BigInteger, nullable=False, server_default=sa.text("nextval('outbox_sequence')")),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "10000"},
)
"""What waits lies behind what has just been published: vacuum clears that away by their number, however much is kept.

`sequence` is the order of writing, which the database gives: who has seen another's commit writes behind it, whatever the
clocks of two replicas say. Ids begin with such a clock.
"""
sa.Index("outbox_waiting_idx", outbox.c.stream, outbox.c.sequence, postgresql_where=outbox.c.published_at.is_(None))
sa.Index(
    "outbox_one_number_idx",
    outbox.c.stream,
    outbox.c.number,
    unique=True,
    postgresql_where=outbox.c.number.is_not(None),
)
ADD = (
    "INSERT INTO outbox (id, stream, type, payload, traceparent, occurred_at) "
    "SELECT new.id, new.stream, new.type, new.payload, CAST(:outbox_traceparent AS text), "
    "CAST(:outbox_at AS timestamptz) FROM unnest(CAST(:outbox_ids AS uuid[]), CAST(:outbox_streams AS text[]), "
    "CAST(:outbox_types AS text[]), CAST(:outbox_payloads AS bytea[])) AS new (id, stream, type, payload)"
)
"""One statement for any number of rows (`Outbox.values` has its parameters); part of a larger one where an act is one."""
_ADD = sa.text(ADD).bindparams(sa.bindparam("outbox_at", type_=sa.DateTime(timezone=True)))
_EMIT = Statement(ADD)


class WakeUp:
    """Wakes this process's relay right after a commit; the relay also looks by itself twice a second."""

    def __init__(self) -> None:
        """Nothing is waiting yet."""
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake the relay: rows may have been committed."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Wait for a notification, at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            # wait_for would lose a cancellation that meets the notification (Python 3.11)
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()


class Outbox:
    """What a service publishes, one for each process; `source` is the service's name."""

    def __init__(self, source: str, wake_up: WakeUp | None = None, new_event_id: NewId = new_id) -> None:
        """Make the outbox of `source`."""
        self.source = source
        self.wake_up = wake_up or WakeUp()
        self._new_id = new_event_id

    async def add(self, tx: Tx, now: datetime, *messages: Message) -> None:
        """Write events (any event message) and audit Records into the outbox, in the caller's transaction."""
        if not messages:
            return
        await tx.execute(_ADD, self.values(now, messages))
        after_commit(tx, self.wake_up.notify)

    async def emit(self, engine: AsyncEngine, now: datetime, *messages: Message) -> None:
        """The same where nothing else is written: one statement, committed at the return.

        Records alone notify nobody: none waits for them, and with those of half a second they cost one round.
        """
        if messages:
            await _EMIT.run(engine, self.values(now, messages))
            if not all(isinstance(message, Record) for message in messages):
                self.wake_up.notify()

    def values(self, now: datetime, messages: Sequence[Message]) -> dict[str, object]:
        """The parameters of `ADD` for these messages; whoever executes it notifies `wake_up` after the commit."""
        carrier: dict[str, str] = {}
        inject(carrier)
        traceparent = carrier.get("traceparent", "")
        correlation_id = traceparent.split("-")[1] if traceparent else ""
        ids, streams, types, payloads = [], [], [], []
        for message in messages:
            event_id = self._new_id()
            if isinstance(message, Record):
                message.id = str(event_id)
                message.source = self.source
                message.occurred_at.FromDatetime(now)
                message.correlation_id = message.correlation_id or correlation_id
            ids.append(event_id)
            streams.append(RECORDS if isinstance(message, Record) else EVENTS)
            types.append(message.DESCRIPTOR.full_name)
            payloads.append(message.SerializeToString(deterministic=True))
        return {
            "outbox_ids": ids,
            "outbox_streams": streams,
            "outbox_types": types,
            "outbox_payloads": payloads,
            "outbox_traceparent": traceparent,
            "outbox_at": now,
        }
