"""One engine a process, its pool of connections, and how they are set."""

import asyncio
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.address import open_engine
from resapermis_kit.tls.certificates import Certificates

log = structlog.get_logger()


def make_engine(
    url: str, *, pool: int = 10, name: str = "resapermis", certificates: Certificates | None = None
) -> AsyncEngine:
    """Make the process's engine: a fixed pool, two seconds of queueing, server-side limits on lost transactions.

    ValueError for an address on another machine without TLS, see `address.open_engine`.
    """
    engine = open_engine(
        url,
        certificates,
        pool_size=pool,
        max_overflow=0,
        pool_use_lifo=True,  # the same few connections as long as they suffice: each makes its own plans
        pool_timeout=2,
        connect_args={
            "timeout": 3,
            "server_settings": {
                "application_name": name,
                "statement_timeout": "10000",
                "lock_timeout": "5000",
                "default_transaction_isolation": "read committed",
                "idle_in_transaction_session_timeout": "10000",
                "timezone": "UTC",
                "jit": "off",  # our statements are short: compiling them costs more than running them
                # Ours ask by key. A plan made while a table was empty would read it whole, and be kept when it is full (ADR 27).
                "enable_seqscan": "off",
            },
        },
    )
    sa.event.listen(engine.sync_engine, "checkout", _require_open)
    return engine


def _require_open(connection: Any, _record: object, _pooled: object) -> None:
    """Refuse to hand out a connection that the driver knows to be cut; the pool opens another in its place.

    After a restart of PostgreSQL each of the pool is. Nothing was sent on it, so nobody need fail for it; what is not yet
    known to be cut is found out by whoever sends.
    """
    if connection.driver_connection.is_closed():
        raise sa.exc.DisconnectionError


async def open_connections(engine: AsyncEngine, pool: int) -> None:
    """Open all connections of the pool, and have the driver learn our parameters' types on each.

    Else the first who come at an opening pay for it: tens of milliseconds of catalog reading on each connection.
    """
    learn = "SELECT $1::text[], $2::uuid[], $3::bytea[], $4::timestamptz[], $5::int[], $6::json, $7::interval, ARRAY[ROW(1)]"

    async def one() -> None:
        async with engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.prepare(learn)
            await everyone.wait()

    everyone = asyncio.Barrier(pool)
    try:
        async with asyncio.timeout(30):
            await asyncio.gather(*(one() for _ in range(pool)))
    except (sa.exc.SQLAlchemyError, OSError, TimeoutError, asyncio.BrokenBarrierError) as error:
        log.warning("database.not_warmed", error_type=type(error).__qualname__)


def autocommit(engine: AsyncEngine) -> AsyncEngine:
    """The same pool for work that is one statement: it commits by itself, without the round trips of BEGIN and COMMIT."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")
