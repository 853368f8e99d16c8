"""One transaction a decision, and how a database that refuses looks to a caller."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from resapermis_kit.errors import Code, Failure

Tx = AsyncConnection
"""A connection with a transaction open on it, as `transaction` hands it out."""
AWAY = "the database is away; nothing was lost, try again shortly"
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


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[Tx]:
    """One READ COMMITTED transaction; commits at the end of the block.

    A database that is away or full fails as UNAVAILABLE, one without a free connection as OVERLOADED: nothing was
    written unless the connection broke at COMMIT itself, and then the caller's request id decides on the next try.

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
        commit.exception()  # retrieved, also where whoever waited has gone


def after_commit(tx: Tx, call: Callable[[], None]) -> None:
    """Call `call` once the transaction has committed; never when it rolled back."""
    tx.info["after_commit"].append(call)


def failure_of(error: sa.exc.DBAPIError) -> Failure | None:
    """The failure that a caller gets for a database error; None for one that is a mistake of ours, a broken constraint included.

    A unique violation (23505) is never tried again here: whoever may meet one writes ON CONFLICT and judges what it means.
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
