"""How much waits for the bus, and how long already: counted in the database, so also while NATS is away."""

import sqlalchemy as sa
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.engine import autocommit
from resapermis_kit.database.transaction import transaction

BACKLOG = Gauge("resapermis_outbox_backlog", "Rows of the outbox that the bus has not acknowledged")
OLDEST = Gauge("resapermis_outbox_oldest_seconds", "Age of the oldest of them; alert above a minute")
_WAITING = sa.text(
    "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0) "
    "FROM outbox WHERE published_at IS NULL"
)


async def measure(engine: AsyncEngine) -> None:
    """Set the gauges of how many rows wait for the bus, and of the oldest one's age in seconds."""
    async with transaction(autocommit(engine)) as tx:
        waiting, seconds = (await tx.execute(_WAITING)).one()
    BACKLOG.set(waiting)
    OLDEST.set(float(max(seconds, 0)))
