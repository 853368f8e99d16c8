"""Statements that are a transaction by themselves, sent with the driver: for the few on the path of every act.

PostgreSQL commits one statement whole or not at all, so where one statement does everything, BEGIN and COMMIT are two
round trips for nothing; and asyncpg alone needs a quarter of the CPU that SQLAlchemy's execution needs around it.
Everything else goes through `transaction`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi, PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from resapermis_kit.database.transaction import AWAY, failure_of_state
from resapermis_kit.errors import Code, Failure

_CONNECTING = AsyncAdapt_asyncpg_dbapi.Error
"""Why no connection could be opened: outside of a transaction SQLAlchemy passes its driver's error on as it is."""


class Row(asyncpg.Record):
    """A row whose columns are attributes, as SQLAlchemy's are."""

    def __getattr__(self, name: str) -> Any:
        """The column of this name; KeyError when the statement selects none."""
        return self[name]


class Statement:
    """One statement with named parameters, prepared once on each connection of the pool."""

    def __init__(self, statement: str | sa.ClauseElement) -> None:
        """Text with :name, each parameter typed by a cast or by where it stands; or what SQLAlchemy builds, with bindparams.

        One text for any number of values: a list is one parameter (`= ANY(:ids)`, `sa.any_(sa.bindparam(...))`).
        """
        dialect = PGDialect_asyncpg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
        compiled = (sa.text(statement) if isinstance(statement, str) else statement).compile(dialect=dialect)
        self.sql = str(compiled)
        self._names: list[str] = list(getattr(compiled, "positiontup", None) or [])

    async def run(self, engine: AsyncEngine, values: Mapping[str, Any]) -> Sequence[Row]:
        """Execute on a connection of the pool; committed at the return.

        Failures as `transaction` raises them (a connection on which the server has said goodbye is away, and so dropped, before
        its end is read: the driver then refuses to send); what a constraint refuses comes as asyncpg's own error, and then
        nothing was written.
        """
        arguments = [values[name] for name in self._names]
        pooled = await _open(engine)
        driver: asyncpg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
        try:
            found: Sequence[Row] = await driver.fetch(self.sql, *arguments, record_class=Row)
            return found  # noqa: TRY300 - the exceptions below are the driver's
        except asyncpg.PostgresError as error:
            failure = failure_of_state(error.sqlstate or "")
            if failure is None:
                raise
            raise failure from error
        except asyncpg.InternalClientError as error:
            driver.terminate()
            raise Failure(Code.CODE_UNAVAILABLE, AWAY) from error
        except (asyncpg.InterfaceError, OSError) as error:
            raise Failure(Code.CODE_UNAVAILABLE, AWAY) from error
        finally:
            if driver.is_closed():
                pooled.invalidate()
                await greenlet_spawn(pooled.close)
            else:  # no transaction of SQLAlchemy's is open on it, so there is nothing to wait for
                pooled.close()


async def _open(engine: AsyncEngine) -> PoolProxiedConnection:
    try:
        return await engine.raw_connection()
    except sa.exc.TimeoutError as error:
        raise Failure(Code.CODE_OVERLOADED, "no database connection became free in time") from error
    except (sa.exc.DBAPIError, _CONNECTING, OSError, TimeoutError) as error:
        raise Failure(Code.CODE_UNAVAILABLE, AWAY) from error
