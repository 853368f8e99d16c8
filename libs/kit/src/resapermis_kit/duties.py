"""What one replica of a service does for all: relay, consume, expire, look.

A PostgreSQL session advisory lock, on a connection outside of the pool, says which. A killed process frees it at once,
and another replica takes over within about a second. Duties are safe when two hold it for a moment: the inbox's
position, the outbox's unique numbers and the services' own versions decide then.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence

import sqlalchemy as sa
import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from resapermis_kit.db import async_url
from resapermis_kit.errors import Failure

BEAT_SECONDS = 1.0
HELD = Gauge("resapermis_duties_held", "1 while this replica does the service's duties; alert when no replica does")
log = structlog.get_logger()
Worker = Callable[[], Awaitable[None]]


def lock_engine(url: str, name: str) -> AsyncEngine:
    """An engine without a pool, for the one connection that holds the lock."""
    settings = {"application_name": f"{name} duties", "tcp_keepalives_idle": "5", "tcp_keepalives_count": "3"}
    return create_async_engine(
        async_url(url), poolclass=NullPool, connect_args={"timeout": 3, "server_settings": settings}
    )


async def forever(worker: Worker) -> None:
    """A worker that ends or breaks unexpectedly is said and started again: nothing stops in silence."""
    while True:
        try:
            await worker()
            log.error("worker.ended")
        except Exception as error:  # noqa: BLE001 - said, then tried again
            log.error("worker.broke", error_type=type(error).__qualname__)
        await asyncio.sleep(BEAT_SECONDS)


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: a library may swallow one cancellation (asyncio.wait_for on Python 3.11 does)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=BEAT_SECONDS)


async def lead(engine: AsyncEngine, name: str, duties: Sequence[Worker]) -> None:
    """Wait for the lock, do all duties while it is held, for ever."""
    while True:
        try:
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await _hold(connection, name, duties)
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("duties.paused", error_type=type(error).__qualname__)
            await asyncio.sleep(BEAT_SECONDS / 2)


async def _hold(connection: AsyncConnection, name: str, duties: Sequence[Worker]) -> None:
    question = sa.select(sa.func.pg_try_advisory_lock(sa.func.hashtextextended(name, 0)))
    while not (await connection.execute(question)).scalar():  # noqa: ASYNC110 - another process holds it
        await asyncio.sleep(BEAT_SECONDS)
    log.info("duties.begun")
    HELD.set(1)
    tasks = [asyncio.create_task(forever(duty)) for duty in duties]
    try:
        while True:
            async with asyncio.timeout(5):  # raises when the lock may be lost
                await connection.execute(sa.text("SELECT 1"))
            await asyncio.sleep(BEAT_SECONDS)
    finally:
        HELD.set(0)
        await end(tasks)


async def every(seconds: float, name: str, work: Worker) -> None:
    """Run `work` about every `seconds`; a failure is logged and tried again."""
    while True:
        try:
            await work()
        except (Failure, sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("duty.failed", duty=name, error_type=type(error).__qualname__)
            await asyncio.sleep(min(seconds, 5))
        await asyncio.sleep(seconds * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, no secret
