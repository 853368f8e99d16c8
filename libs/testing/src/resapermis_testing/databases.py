"""Fresh migrated databases for tests: clones of a template, emptied after their test instead of made again.

Tests connect as the role that serves, to tables of the owner's: a right that a service lacks fails its test. What a service may
never do, as breaking its schema on purpose, a test does `as_owner`.

A clone costs PostgreSQL ten times what it costs to empty the few tables that a test wrote. What cannot be emptied exactly,
or has been changed in another way (its schema, what migrations put in, statistics, settings), is dropped.
"""

import asyncio
import contextlib
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from devstack.components import DATABASES, PUBLISHERS
from resapermis_kit.database.engine import make_engine
from resapermis_kit.database.migration import migrate
from resapermis_kit.roles.handover import Database, make_roles
from resapermis_kit.roles.rights import OWNER

T = TypeVar("T")
Connect = Callable[[str], Awaitable[Any]]
"""Opens an asyncpg connection of the administrator to the database of this name."""
USES_AT_MOST = 100
"""Each use leaves dead rows in the catalog, and files that PostgreSQL unlinks at its next checkpoint only."""
RESTING = 1
"""Clones of a package that wait while another is taken: PostgreSQL is still closing the last test's connections."""

_PREPARE = """
CREATE SCHEMA test_fixture;

CREATE FUNCTION test_fixture.rows_of(relation regclass) RETURNS text LANGUAGE plpgsql AS $$
-- Which versions of which rows a table holds: an update changes it also where it writes what was there.
DECLARE found text;
BEGIN
    EXECUTE format('SELECT string_agg(ctid::text || xmin::text, '' '' ORDER BY ctid) FROM %s', relation) INTO found;
    RETURN found;
END $$;

CREATE FUNCTION test_fixture.statistics() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(oid::text || ' ' || reltuples::text, ',' ORDER BY oid)
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace $$;

CREATE TABLE test_fixture.table_ AS SELECT oid::regclass AS relation, NULL::text AS rows
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace;
UPDATE test_fixture.table_ SET rows = test_fixture.rows_of(relation);
CREATE TABLE test_fixture.sequence AS
    SELECT seqrelid::regclass AS relation, seqstart AS start, pg_sequence_last_value(seqrelid) AS last FROM pg_sequence;
CREATE FUNCTION test_fixture.rights() RETURNS text LANGUAGE sql AS $$ -- in whatever order they were given
    SELECT string_agg(entry::text, ',' ORDER BY entry::text) FROM pg_database, unnest(datacl) AS entry
    WHERE datname = current_database() $$;
CREATE TABLE test_fixture.known AS SELECT test_fixture.statistics() AS statistics, test_fixture.rights() AS rights;

CREATE FUNCTION test_fixture.as_new() RETURNS boolean LANGUAGE plpgsql
    SET session_replication_role = replica AS $$ -- no trigger, and no order of foreign keys
-- Empty what was written. False where the database is not as a fresh clone then.
DECLARE written text;
BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    IF pg_sequence_last_value('test_fixture.change') IS NOT NULL
        OR test_fixture.statistics() IS DISTINCT FROM (SELECT statistics FROM test_fixture.known)
        OR EXISTS (SELECT FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
                   WHERE datname = current_database())
        OR EXISTS (SELECT FROM pg_database WHERE datname = current_database()
                   AND NOT (datallowconn AND datconnlimit = -1))
        OR test_fixture.rights() IS DISTINCT FROM (SELECT rights FROM test_fixture.known)
        OR EXISTS (SELECT FROM pg_largeobject_metadata)
    THEN
        RETURN false;
    END IF;
    SELECT string_agg(relation::text, ', ') INTO written
    FROM test_fixture.table_ WHERE rows IS NULL AND pg_relation_size(relation) > 65536;
    IF written IS NOT NULL THEN
        EXECUTE 'TRUNCATE ' || written || ' CASCADE';
    END IF;
    -- Truncating makes new files for a table and each of its indexes: for the few rows of most tests deleting costs a third.
    -- Of less than ten pages the planner believes the same as of none, as long as nobody has analyzed the table.
    SELECT string_agg('DELETE FROM ' || relation::text, '; ') INTO written
    FROM test_fixture.table_ WHERE rows IS NULL AND pg_relation_size(relation) > 0;
    IF written IS NOT NULL THEN
        EXECUTE written;
    END IF;
    PERFORM setval(relation, coalesce(last, start), last IS NOT NULL)
    FROM test_fixture.sequence WHERE pg_sequence_last_value(relation) IS DISTINCT FROM last;
    RETURN NOT EXISTS (
        SELECT FROM test_fixture.table_ WHERE rows IS NOT NULL AND rows IS DISTINCT FROM test_fixture.rows_of(relation)
    );
END $$;

CREATE SEQUENCE test_fixture.change;
CREATE FUNCTION test_fixture.note_change() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
-- A sequence, because what is rolled back counts too.
BEGIN PERFORM nextval('test_fixture.change'); END $$;
CREATE EVENT TRIGGER test_fixture_note_change ON ddl_command_end EXECUTE FUNCTION test_fixture.note_change();
"""
"""What a template gets after its migrations, in a schema of its own: what it holds, and how to become that again."""


class Administrator:
    """Connections that outlive the event loops of tests: they live in a loop of their own, one to each database."""

    def __init__(self, connect: Connect) -> None:
        """Its thread ends with `close`."""
        self._connect = connect
        self._open: dict[str, Any] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="administrator", daemon=True)
        self._thread.start()
        self._one_at_a_time = asyncio.Lock()

    async def run(self, database: str, work: Callable[[Any], Awaitable[T]]) -> T:
        """What `work` makes of the connection to that database; the next one gets another connection where it fails."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._run(database, work), self._loop))

    async def _run(self, database: str, work: Callable[[Any], Awaitable[T]]) -> T:
        async with self._one_at_a_time:
            known = self._open.pop(database, None)
            connection = await self._connect(database) if known is None or known.is_closed() else known
            try:
                done = await work(connection)
            except BaseException:
                connection.terminate()
                raise
            self._open[database] = connection
            return done

    async def forget(self, database: str) -> None:
        """Close the connection to this one."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._forget(database), self._loop))

    async def _forget(self, database: str) -> None:
        async with self._one_at_a_time:
            if (known := self._open.pop(database, None)) is not None:
                await known.close()

    def close(self) -> None:
        """Close all, and end the thread."""

        async def all_of_them() -> None:
            for connection in self._open.values():
                connection.terminate()

        asyncio.run_coroutine_threadsafe(all_of_them(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass
class Clone:
    """A database of one test, and the engines on it of whoever asked for one, with what they have compiled so far."""

    package: str
    name: str
    url: str
    """For the role that serves; of several that of the process which publishes the outbox."""
    uses: int = 0
    engines: dict[str, AsyncEngine] = field(default_factory=dict)

    def take_engine(self, role: str = "") -> AsyncEngine:
        """Its one engine of a role ("": that of `url`), without a connection. One that a test listens to is not given to another."""
        known = self.engines.get(role)
        if known is None or known.sync_engine._has_events:  # noqa: SLF001 - nothing public says so
            url = url_of(self.url, role) if role else self.url
            known = self.engines[role] = make_engine(url, pool=10, name=self.package)
        return known


def url_of(url: str, role: str) -> str:
    """Of the same database, for another role."""
    return url.replace(f"//{make_url(url).username}@", f"//{role}@", 1)


def owner_url(url: str) -> str:
    """Of the same database, for its owner."""
    return url_of(url, _owner(make_url(url).username))


def _owner(role: str | None) -> str:
    return next((one.owner for one in DATABASES if role in one.serving), f"{role}{OWNER}")


@asynccontextmanager
async def as_owner(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction on the same database as its owner, for what a test does and no service may: breaking the schema, say."""
    async with as_role(engine, _owner(engine.url.username)) as tx:
        yield tx


@asynccontextmanager
async def as_role(engine: AsyncEngine, role: str) -> AsyncIterator[AsyncConnection]:
    """A transaction on the same database as another role: the other process that serves from it, say."""
    other = create_async_engine(engine.url.set(username=role), poolclass=NullPool)
    try:
        async with other.begin() as tx:
            yield tx
    finally:
        await other.dispose()


async def vacuum_analyze(engine: AsyncEngine, table: str = "") -> None:
    """What autovacuum does by and by, now: of one table, or of all."""
    owner = create_async_engine(engine.url.set(username=_owner(engine.url.username)), poolclass=NullPool)
    try:
        async with owner.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.exec_driver_sql(f"VACUUM ANALYZE {table}")
    finally:
        await owner.dispose()


def _close(name: str, roles: Database) -> str:
    """A database's own rights are no part of what is cloned."""
    serving = ", ".join(f'"{role}"' for role in roles.serving)
    return f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC; GRANT CONNECT ON DATABASE "{name}" TO {serving}'


class Databases:
    """All clones of a server."""

    def __init__(self, administrator: Administrator, url: Callable[[str, str], str]) -> None:
        """`url`: of the database of this name, for a role."""
        self._administrator, self._url = administrator, url
        self._templates: dict[str, Database] = {}
        self._idle: defaultdict[str, deque[Clone]] = defaultdict(deque)

    async def take(self, package: str) -> Clone:
        """A database as the migrations of `package` leave it."""
        idle = self._idle[package]
        while len(idle) > RESTING:
            clone = idle.popleft()
            if clone.uses < USES_AT_MOST and await self.empty(clone):
                return clone
            await self._administrator.forget(clone.name)
            await self._execute(f'DROP DATABASE IF EXISTS "{clone.name}" WITH (FORCE)')
        if package not in self._templates:
            self._templates[package] = await self._template(package)
        template = self._templates[package]
        name = f"test_{uuid.uuid4().hex}"
        # Copying files takes half as long as logging each page: the default is kind to a server that others use.
        await self._execute(
            f'CREATE DATABASE "{name}" OWNER "{template.owner}" TEMPLATE "{template.name}" STRATEGY file_copy'
        )
        await self._execute(_close(name, template))
        usual = template.serving[0]
        return Clone(package, name, self._url(PUBLISHERS[usual].role if usual in PUBLISHERS else usual, name))

    async def _template(self, package: str) -> Database:
        usual = Database.of(package.removeprefix("resapermis_"))
        roles = next((one for one in DATABASES if one.name == usual.name), usual)
        template = Database(f"template_{package}", roles.owner, roles.serving)
        await self._administrator.run("postgres", lambda connection: make_roles(connection, template.roles, {}))
        await self._execute(f'CREATE DATABASE "{template.name}" OWNER "{template.owner}"')
        await self._execute(_close(template.name, template))
        await asyncio.to_thread(migrate, package, self._url(template.owner, template.name))
        await self._administrator.run(template.name, lambda connection: connection.execute(_PREPARE))
        await self._administrator.forget(template.name)
        return template

    def give_back(self, clone: Clone) -> None:
        """Its test has ended; it is emptied when the next one asks."""
        self._idle[clone.package].append(clone)

    async def empty(self, clone: Clone) -> bool:
        """Make it as it was when it was cloned; False where that cannot be done exactly."""
        clone.uses += 1
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # gone, or closed to us
            done: bool = await self._administrator.run(
                clone.name, lambda connection: connection.fetchval("SELECT test_fixture.as_new()")
            )
            return done
        return False

    async def _execute(self, statement: str) -> None:
        await self._administrator.run("postgres", lambda connection: connection.execute(statement))
