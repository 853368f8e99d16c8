"""What one replica of a service, its leader, does for all: relay, consume, expire, poll.

A PostgreSQL session advisory lock, on a connection outside of the pool, decides which. A killed process frees it at once,
and another replica takes over within about a second. Its tasks are safe when two hold it for a moment: the inbox's
position, the outbox's unique numbers and the services' own versions decide then.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

import sqlalchemy as sa
import structlog
from prometheus_client import Gauge, Histogram
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool

from resapermis_kit.database.address import open_engine
from resapermis_kit.errors import Failure
from resapermis_kit.tls.certificates import Certificates

BEAT_SECONDS = 1.0
MOST_SECONDS = 600.0
"""How long a round of a leader task may take: what it has not come to, after an outage say, is done in the next."""
ROUNDS_BEFORE_LATE = 3
LEADS = Gauge(
    "resapermis_leader", "1 while this replica leads: does what one replica does for all; alert when none leads"
)
TOOK = Histogram(
    "resapermis_leader_task_seconds",
    "Time that a round of a leader task took, by how it ended",
    ["task", "outcome"],
    buckets=(0.01, 0.1, 1, 10, 60, 600, 3600),
)
SUCCEEDED = Gauge(
    "resapermis_leader_task_success_timestamp_seconds",
    "When a leader task last ended well, or was begun, here",
    ["task"],
)
LATE_AFTER = Gauge(
    "resapermis_leader_task_late_after_seconds", "So long after a good end of a leader task the next is late", ["task"]
)
log = structlog.get_logger()
Worker = Callable[[], Awaitable[object]]
"""Work of a process; what it returns, if anything, is nobody's."""


def lock_engine(url: str, name: str, certificates: Certificates | None = None) -> AsyncEngine:
    """An engine without a pool, for the one connection that holds the lock."""
    settings = {"application_name": f"{name} leader", "tcp_keepalives_idle": "5", "tcp_keepalives_count": "3"}
    return open_engine(url, certificates, poolclass=NullPool, connect_args={"timeout": 3, "server_settings": settings})


async def run_forever(worker: Worker) -> None:
    """A worker that ends or breaks unexpectedly is logged and started again: nothing stops in silence."""
    while True:
        try:
            await worker()
            log.error("worker.ended")
        except Exception as error:  # noqa: BLE001 - logged, then tried again
            log.error("worker.broke", error_type=type(error).__qualname__)
        await asyncio.sleep(BEAT_SECONDS)


async def cancel_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: a library may swallow one cancellation (asyncio.wait_for on Python 3.11 does)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=BEAT_SECONDS)


async def lead(engine: AsyncEngine, name: str, tasks: Sequence[Worker], led: asyncio.Event | None = None) -> None:
    """Wait for the lock, do all tasks while it is held, for ever. `led` is set once it is known that somebody leads."""
    while True:
        try:
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await _hold(connection, name, tasks, led or asyncio.Event())
        except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("leader.paused", error_type=type(error).__qualname__)
            await asyncio.sleep(BEAT_SECONDS / 2)


async def _hold(connection: AsyncConnection, name: str, tasks: Sequence[Worker], led: asyncio.Event) -> None:
    question = sa.select(sa.func.pg_try_advisory_lock(sa.func.hashtextextended(name, 0)))
    while not (await connection.execute(question)).scalar():  # another process holds it
        led.set()
        await asyncio.sleep(BEAT_SECONDS)
    log.info("leader.began")
    LEADS.set(1)
    running = [asyncio.create_task(run_forever(task)) for task in tasks]
    led.set()
    try:
        while True:
            async with asyncio.timeout(5):  # raises when the lock may be lost
                await connection.execute(sa.text("SELECT 1"))
            await asyncio.sleep(BEAT_SECONDS)
    finally:
        LEADS.set(0)
        await cancel_all(running)


async def every(seconds: float, name: str, work: Worker, most_seconds: float = MOST_SECONDS) -> None:
    """Run `work` about every `seconds`; a failure is logged and tried again.

    What waits for something that never comes is cancelled after `most_seconds`, as it would be if another replica led from
    now on, and is then a failure like any other.
    """
    LATE_AFTER.labels(name).set(ROUNDS_BEFORE_LATE * seconds + most_seconds)
    SUCCEEDED.labels(name).set_to_current_time()
    while True:
        since, outcome = time.monotonic(), "aborted"
        try:
            async with asyncio.timeout(most_seconds):
                await work()
            outcome = "ok"
            SUCCEEDED.labels(name).set_to_current_time()
        except (Failure, sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
            outcome = "failed"
            log.warning("leader_task.failed", task=name, error_type=type(error).__qualname__)
        finally:
            TOOK.labels(name, outcome).observe(time.monotonic() - since)
        if outcome == "failed":
            await asyncio.sleep(min(seconds, 5))
        await asyncio.sleep(seconds * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, no secret
