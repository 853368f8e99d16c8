"""The relay: what waits in the outbox is numbered, published and marked, by one replica of the service."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import nats.errors
import nats.js.errors
import sqlalchemy as sa
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.clock import Clock
from resapermis_kit.database.engine import autocommit
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure
from resapermis_kit.events import numbering, wire
from resapermis_kit.events.numbering import NumberedRow
from resapermis_kit.events.outbox import Outbox

ACCUMULATE_SECONDS = 0.05
"""How long the relay lets rows accumulate after a wake-up: a rush then costs few rounds, and nobody notices."""
ACKNOWLEDGED_WITHIN_SECONDS = 10.0
log = structlog.get_logger()


async def relay(
    engine: AsyncEngine, bus: Client, box: Outbox, now: Clock, prepare: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Publish the outbox for ever. Survives both the bus and the database. One replica of the service at a time.

    `prepare` makes numbers fit the streams: before the first number, and when a stream is found missing.
    """
    publisher = bus.jetstream()  # one for ever: each has a subscription for its acknowledgements
    prepared = prepare is None
    while True:
        try:
            if prepare is not None and not prepared and bus.is_connected:
                await prepare()
                prepared = True
            # Away: events wait in the outbox.
            full = (
                prepared
                and bus.is_connected
                and await relay_round(engine, publisher, box.source, now) >= numbering.BATCH
            )
            if not full:
                await box.wake_up.wait(0.5)
                await asyncio.sleep(ACCUMULATE_SECONDS)
        except nats.js.errors.NotFoundError:
            log.warning("relay.waits_for_bus_admin", source=box.source)
            await asyncio.sleep(0.5)
        except (Failure, sa.exc.SQLAlchemyError, nats.errors.Error, OSError, TimeoutError) as error:
            log.warning("relay.paused", error_type=type(error).__qualname__)
            prepared = prepared and (prepare is None or not isinstance(error, nats.js.errors.NoStreamResponseError))
            await asyncio.sleep(0.5)


async def relay_round(engine: AsyncEngine, publisher: JetStreamContext, source: str, now: Clock) -> int:
    """Number, publish and mark one batch; return how many rows it had."""
    each = autocommit(engine)
    async with transaction(each) as tx:
        rows = await numbering.number_unpublished(tx)
    if not rows:
        return 0
    results = await _publish(publisher, source, rows)
    done = {row.id for row, result in zip(rows, results, strict=True) if not isinstance(result, BaseException)}
    if done:
        async with transaction(each) as tx:
            await numbering.mark_published(tx, rows, done, now())
    failed = [result for result in results if isinstance(result, BaseException)]
    if failed:
        raise failed[0]
    return len(rows)


async def _publish(publisher: JetStreamContext, source: str, rows: Sequence[NumberedRow]) -> list[Any]:
    """Send all, then wait for all acknowledgements; what failed or did not come stands in its row's place.

    The client gives no answer at all to a message that the server refuses (a full stream): it is waited for in vain, and
    those that were stored are marked all the same.
    """
    batches = wire.in_batches(rows)
    acknowledged: list[asyncio.Future[Any]] = []
    try:
        async with asyncio.timeout(ACKNOWLEDGED_WITHIN_SECONDS):
            for batch in batches:
                subject, headers, payload = wire.message_of(source, batch)
                acknowledged.append(await publisher.publish_async(subject, payload, headers=headers))
        await asyncio.wait(acknowledged, timeout=ACKNOWLEDGED_WITHIN_SECONDS)
        outcomes = {batch[0].id: _outcome(future) for batch, future in zip(batches, acknowledged, strict=True)}
        found = {row.id: outcomes[batch[0].id] for batch in batches for row in batch}
        return [found[row.id] for row in rows]
    finally:
        for future in acknowledged:
            future.cancel()  # those that got no answer in time give their place to the next round's


def _outcome(future: asyncio.Future[Any]) -> Any:
    return (future.exception() or future.result()) if future.done() else TimeoutError()
