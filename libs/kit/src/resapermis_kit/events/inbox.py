"""What a consumer keeps in its service's database: its position in each source's stream, and what it set aside."""

from datetime import datetime

import sqlalchemy as sa
import structlog
from prometheus_client import Counter
from sqlalchemy.dialects.postgresql import insert

from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.transaction import Tx
from resapermis_kit.events.event import Event

DEAD = Counter("resapermis_dead_letters_total", "Events set aside after repeated failure", ["source", "type"])
log = structlog.get_logger()

inbox = sa.Table(
    "inbox",
    KIT,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
)
# Made once: SQLAlchemy takes longer to build these three than PostgreSQL to run them, and each batch of events runs two.
_POSITION = sa.text("SELECT position FROM inbox WHERE source = :of_source AND stream = :of_stream FOR UPDATE")
_FIRST = sa.text(
    "INSERT INTO inbox (source, stream, position, moved_at) VALUES (:of_source, :of_stream, :to, :at) ON CONFLICT DO NOTHING"
)
_MOVE = sa.text(
    "INSERT INTO inbox (source, stream, position, moved_at) VALUES (:of_source, :of_stream, :to, :at)"
    " ON CONFLICT (source, stream) DO UPDATE SET position = excluded.position, moved_at = excluded.moved_at"
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


async def position_in(tx: Tx, source: str, stream: str, now: datetime) -> int:
    """Number of the newest event handled, 0 before the first; locked until the transaction ends.

    A twin at work on the same events is waited for, also before the first of all.
    """
    which = {"of_source": source, "of_stream": stream}
    position = (await tx.execute(_POSITION, which)).scalar()
    if position is None:  # there is no row yet that two could queue for
        await tx.execute(_FIRST, which | {"to": 0, "at": now})
        position = (await tx.execute(_POSITION, which)).scalar_one()
    return int(position)


async def set_position(tx: Tx, source: str, stream: str, position: int, now: datetime) -> None:
    """All up to `position` is handled; a position is never moved back."""
    await tx.execute(_MOVE, {"of_source": source, "of_stream": stream, "to": position, "at": now})


async def set_aside(tx: Tx, stream: str, event: Event, error: Exception, now: datetime) -> None:
    """Keep an event that nobody can handle, with the type of its error (its text may hold data), and go past it."""
    letter = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "payload": event.payload,
        "error": type(error).__qualname__,
        "failed_at": now,
    }
    await tx.execute(insert(dead_letters).values(letter).on_conflict_do_nothing())
    await set_position(tx, event.source, stream, event.number, now)


def report_dead(event: Event) -> None:
    """Count it and log it, once it is set aside."""
    DEAD.labels(event.source, event.type).inc()
    log.error("consumer.dead_letter", source=event.source, type=event.type, event_id=event.id)
