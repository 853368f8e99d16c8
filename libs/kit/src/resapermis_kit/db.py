"""PostgreSQL: one engine a process, one transaction a decision, migrations with time limits."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from resapermis_kit.errors import Code, Failure

Tx = AsyncConnection
log = structlog.get_logger()
NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}
AWAY = "the database is away; nothing was lost, try again shortly"
KIT = sa.MetaData(naming_convention=NAMING)
"""Tables that the kit keeps in each service's database (outbox, inbox, requests)."""


_COMMITS: "set[asyncio.Task[None]]" = set()
"""Under way; held here, because the loop itself holds tasks weakly."""
_COLLISIONS = frozenset({"40001", "40P01"})
"""serialization_failure, deadlock_detected: PostgreSQL undid this transaction for the sake of another."""
_WAITED_TOO_LONG = frozenset({"55P03", "57014"})
"""lock_not_available, query_canceled: by our own lock_timeout and statement_timeout."""


class Collided(Failure):
    """The transaction met another and was undone whole: nothing was written, and all of it may be done again."""

    def __init__(self) -> None:
        """Say so; to callers it is UNAVAILABLE, which they may try again with the same request id."""
        super().__init__(Code.CODE_UNAVAILABLE, "met another transaction; nothing was written, try again")


def async_url(url: str) -> sa.URL:
    """Turn postgresql:// (also with ?host=/socket/dir) into SQLAlchemy's asyncpg form."""
    return make_url(url).set(drivername="postgresql+asyncpg")


def make_engine(url: str, *, pool: int = 10, name: str = "resapermis") -> AsyncEngine:
    """Make the process's engine: a fixed pool, two seconds of queueing, server-side limits on lost transactions."""
    return create_async_engine(
        async_url(url),
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
                # Ours ask by key. A plan made while a table was empty would read it whole, and be kept when it is full.
                "enable_seqscan": "off",
            },
        },
    )


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[Tx]:
    """One READ COMMITTED transaction; commits at the end of the block.

    A database that is away, full or out of connections is said as UNAVAILABLE: nothing was written
    unless the connection broke at COMMIT itself, and then the caller's request id tells on the next try.

    A COMMIT that was sent is never cancelled, whoever is: cancelled while it waits for a synchronous standby, PostgreSQL
    stops waiting, and shows to everybody what a failover takes back.
    """
    calls: list[Callable[[], None]] = []
    try:
        async with AsyncExitStack() as stack:
            tx = await stack.enter_async_context(engine.begin())
            tx.info["after_commit"] = calls
            yield tx
            commit = asyncio.create_task(stack.pop_all().aclose())
            _COMMITS.add(commit)
            commit.add_done_callback(_committed)
            await asyncio.shield(commit)
    except sa.exc.TimeoutError as error:
        raise Failure(Code.CODE_OVERLOADED, "no database connection became free in time") from error
    except sa.exc.DBAPIError as error:
        failure = failure_of(error)
        if failure is None:
            raise
        raise failure from error
    except (OSError, TimeoutError) as error:  # asyncpg's refusal to connect is not wrapped by SQLAlchemy
        raise Failure(Code.CODE_UNAVAILABLE, "the database cannot be reached; nothing was lost") from error
    for call in calls:
        call()


def _committed(commit: "asyncio.Task[None]") -> None:
    _COMMITS.discard(commit)
    if not commit.cancelled():
        commit.exception()  # heard, also where whoever waited has gone


async def warm(engine: AsyncEngine, pool: int) -> None:
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


def single(engine: AsyncEngine) -> AsyncEngine:
    """The same pool for work that is one statement: it commits by itself, without the round trips of BEGIN and COMMIT."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def after_commit(tx: Tx, call: Callable[[], None]) -> None:
    """Call `call` once the transaction has committed; never when it rolled back."""
    tx.info["after_commit"].append(call)


def failure_of(error: sa.exc.DBAPIError) -> Failure | None:
    """What a caller is told of a database error; None for one that is a mistake of ours, a broken constraint included.

    A unique violation (23505) is never tried again here: whoever may meet one says ON CONFLICT and judges what it means.
    """
    if error.connection_invalidated or isinstance(error, sa.exc.InterfaceError):
        return Failure(Code.CODE_UNAVAILABLE, AWAY)
    return failure_of_state(getattr(error.orig, "sqlstate", None) or "")


def failure_of_state(sqlstate: str) -> Failure | None:
    """The same by PostgreSQL's own code; away is stopping, starting, full or cutting connections (08, 53, 57P, 58)."""
    if sqlstate in _COLLISIONS:
        return Collided()
    if sqlstate in _WAITED_TOO_LONG:
        return Failure(Code.CODE_OVERLOADED, "the database took too long; nothing was written, try again shortly")
    if sqlstate[:2] in {"08", "53", "58"} or sqlstate.startswith("57P"):
        return Failure(Code.CODE_UNAVAILABLE, AWAY)
    return None


async def check(engine: AsyncEngine) -> None:
    """One round trip; raises Failure when PostgreSQL is away."""
    async with transaction(engine) as tx:
        await tx.execute(sa.text("SELECT 1"))


def _config(package: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(str(import_module(package).__file__)).parent / "migrations"))
    return config


def migrate(package: str, url: str) -> None:
    """Bring the database of `package` (e.g. "resapermis_basket") to its newest migration."""
    config = _config(package)
    config.attributes["url"] = url
    command.upgrade(config, "head")


async def require_head(engine: AsyncEngine, package: str) -> None:
    """Refuse to start on a database that is not at the newest migration (RuntimeError)."""
    head = ScriptDirectory.from_config(_config(package)).get_current_head()
    async with transaction(engine) as tx:
        current = await tx.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())
    if current != head:
        msg = f"database is at {current}, code wants {head}: run `python -m {package} migrate`"
        raise RuntimeError(msg)


def run_migrations(metadata: Sequence[sa.MetaData]) -> None:
    """Body of each service's migrations/env.py: short lock and statement timeouts, one transaction a migration."""

    def run(connection: sa.Connection) -> None:
        context.configure(connection=connection, target_metadata=list(metadata), transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()

    async def main() -> None:
        engine = create_async_engine(
            async_url(context.config.attributes["url"]),
            poolclass=NullPool,
            connect_args={"server_settings": {"lock_timeout": "4000", "statement_timeout": "5000"}},
        )
        async with engine.connect() as connection:
            await connection.run_sync(run)
        await engine.dispose()

    connection = context.config.attributes.get("connection")
    if connection is not None:  # pytest-alembic hands its own
        run(connection)
    else:
        asyncio.run(main())


def create_kit_tables(connection: sa.Connection) -> None:
    """For each service's first migration: the kit's own tables."""
    for module in ("outbox", "consumer", "once"):
        import_module(f"resapermis_kit.{module}")
    KIT.create_all(connection, checkfirst=False)
