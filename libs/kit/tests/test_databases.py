"""A database that was emptied after a test is as one that was just made, or no other test gets it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from resapermis_kit.database.transaction import transaction
from resapermis_testing.databases import RESTING, Clone, Databases
from resapermis_testing.postgres import Postgres

PACKAGES = (
    "kit_sample",
    "resapermis_audit",
    "resapermis_auth_gateway",
    "resapermis_basket",
    "resapermis_mandate",
    "resapermis_notification",
    "resapermis_scheduling_rules",
)
SOME = {
    "text": "'x'",
    "uuid": "gen_random_uuid()",
    "timestamp with time zone": "now()",
    "date": "current_date",
    "bigint": "1",
    "integer": "1",
    "smallint": "1",
    "numeric": "1",
    "boolean": "true",
    "bytea": "'x'",
    "json": "'{}'",
    "jsonb": "'{}'",
    "ARRAY": "'{}'",
    "interval": "'1 s'",
    "tstzrange": "'[2026-01-01,2026-01-02)'",
}
"""A value of each type."""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
SCHEMA = """
-- Of an index the planner counts pages: how many rows it once had it reads nowhere while it has none.
SELECT 'relation', relname, relkind::text, CASE relkind WHEN 'r' THEN reltuples::text END, reloptions::text, relacl::text
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'column', attrelid::regclass::text, attname, atttypid::regtype::text, attnotnull::text, attoptions::text
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated::text, ''
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid::text, '', ''
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'function', proname, prosrc, '', '', '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, tgenabled::text, '', '' FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'statistics', starelid::regclass::text, '', '', '', '' FROM pg_statistic WHERE starelid >= 16384
ORDER BY 1, 2, 3, 4
"""


async def _state(postgres: Postgres, clone: Clone) -> dict[str, Any]:
    """Rows and where they lie, sequences, the schema and what the planner knows."""
    connection = await postgres.connect(clone.name)
    try:
        rows = {
            name: [tuple(row) for row in await connection.fetch(str(_of(name, "ctid, *").order_by(sa.text("ctid"))))]
            for (name,) in await connection.fetch(TABLES)
        }
        sequences = {
            name: await connection.fetch(str(_of(name, "last_value, is_called")))
            for (name,) in await connection.fetch("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'")
        }
        schema = [tuple(row) for row in await connection.fetch(SCHEMA)]
    finally:
        await connection.close()
    return {"rows": rows, "sequences": sequences, "schema": schema}


def _of(name: str, what: str) -> sa.Select[Any]:
    return sa.select(sa.text(what)).select_from(sa.table(name))


async def _fill(postgres: Postgres, clone: Clone) -> set[str]:
    """Write a row into each table that has none and takes one that makes no sense; which those are."""
    connection = await postgres.connect(clone.name)
    filled = set()
    try:
        await connection.execute("SET session_replication_role = replica")  # no foreign keys
        for (name,) in await connection.fetch(TABLES):
            if await connection.fetch(str(_of(name, "1"))):
                continue
            columns = await connection.fetch(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
                " AND table_name = $1 AND is_nullable = 'NO' AND column_default IS NULL AND identity_generation IS NULL",
                name,
            )
            values = {column["column_name"]: sa.text(SOME[column["data_type"]]) for column in columns}
            with contextlib.suppress(asyncpg.CheckViolationError):
                await connection.execute(str(sa.insert(sa.table(name, *map(sa.column, values))).values(values)))
                filled.add(name)
    finally:
        await connection.close()
    return filled


@pytest.mark.parametrize("package", PACKAGES)
async def test_an_emptied_database_is_as_one_just_made(databases: Databases, postgres: Postgres, package: str) -> None:
    clone = await databases.take(package)
    fresh = await _state(postgres, clone)
    assert any(fresh["rows"].values()), "no revision"
    filled = await _fill(postgres, clone)
    assert filled >= {"outbox", "outbox_head", "inbox", "request", "dead_letter"}
    written = await _state(postgres, clone)
    assert {name for name, rows in written["rows"].items() if rows != fresh["rows"][name]} == filled
    assert await databases.empty(clone)
    assert await _state(postgres, clone) == fresh
    databases.give_back(clone)


@pytest.mark.parametrize("rows", [1, 5_000])
async def test_the_planner_believes_of_an_emptied_table_what_it_does_of_a_new_one(
    databases: Databases, rows: int
) -> None:
    clone = await databases.take("kit_sample")
    connection = await asyncpg.connect(clone.url, timeout=10)

    async def believed() -> str:
        return "\n".join(row[0] for row in await connection.fetch("EXPLAIN SELECT * FROM request"))

    fresh = await believed()
    await connection.execute(
        "INSERT INTO request (caller, request_id, digest, created_at)"
        " SELECT 'x', n::text, 'x', now() FROM generate_series(1, $1::int) n",
        rows,
    )
    assert rows == 1 or await believed() != fresh
    await connection.close()
    assert await databases.empty(clone)
    connection = await asyncpg.connect(clone.url, timeout=10)
    assert await believed() == fresh
    assert await connection.fetch("SELECT FROM request") == []
    await connection.close()
    databases.give_back(clone)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (n int)",
        "BEGIN; CREATE TABLE more (n int); ROLLBACK",
        "DROP INDEX outbox_waiting_idx",
        "ALTER TABLE request ALTER digest DROP NOT NULL",
        "ALTER TABLE request SET (fillfactor = 50)",
        "ALTER SEQUENCE outbox_sequence INCREMENT 2",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "COMMENT ON TABLE request IS 'more'",
        "GRANT SELECT ON request TO PUBLIC",
        "ANALYZE",
        "VACUUM",
        "SELECT lo_create(0)",
        "ALTER DATABASE {name} SET synchronous_commit = off",
        "ALTER DATABASE {name} CONNECTION LIMIT 5",
        "GRANT CREATE ON DATABASE {name} TO PUBLIC",
        "UPDATE alembic_version SET version_num = version_num",
        "DELETE FROM alembic_version",
        "INSERT INTO alembic_version VALUES ('more')",
    ],
)
async def test_one_that_was_changed_in_another_way_is_given_to_nobody(
    databases: Databases, postgres: Postgres, statement: str
) -> None:
    clone = await databases.take("kit_sample")
    connection = await postgres.connect(clone.name)
    await connection.execute(statement.format(name=clone.name))
    await connection.close()
    assert not await databases.empty(clone)
    databases.give_back(clone)
    others = [await databases.take("kit_sample") for _ in range(3)]
    assert clone.name not in {other.name for other in others}
    for other in others:
        databases.give_back(other)


async def test_a_database_that_is_gone_or_closed_is_given_to_nobody(databases: Databases, postgres: Postgres) -> None:
    for statement in ('DROP DATABASE "{}" WITH (FORCE)', 'ALTER DATABASE "{}" ALLOW_CONNECTIONS false'):
        clone = await databases.take("kit_sample")
        await postgres.execute(statement.format(clone.name))
        assert not await databases.empty(clone)
        databases.give_back(clone)


async def test_who_is_still_connected_is_cut_off_and_what_they_had_begun_undone(
    databases: Databases, postgres: Postgres
) -> None:
    clone = await databases.take("kit_sample")
    fresh = await _state(postgres, clone)
    left = await asyncpg.connect(clone.url, timeout=10)
    try:
        await left.execute("BEGIN; INSERT INTO seen VALUES ('a', 1); LOCK TABLE seen")
        assert await databases.empty(clone)
        assert left.is_closed() or not await _answers(left)
    finally:
        left.terminate()  # cut off by the server, it need not know of it yet
    assert await _state(postgres, clone) == fresh
    databases.give_back(clone)


async def _answers(connection: Any) -> bool:
    with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await connection.execute("COMMIT")
        return True
    return False


async def test_one_is_given_again_with_its_engine_once_another_has_ended(databases: Databases) -> None:
    clones = [await databases.take("kit_sample") for _ in range(RESTING + 1)]
    engines = [clone.take_engine() for clone in clones]
    for clone, engine in zip(clones, engines, strict=True):
        async with transaction(engine) as tx:
            await tx.execute(sa.text("INSERT INTO seen VALUES ('a', 1)"))
        await engine.dispose()
        databases.give_back(clone)
    # Given in turn: those that earlier tests gave back come first.
    again = [await databases.take("kit_sample")]
    while clones[0] not in again and len(again) < 20:
        again.append(await databases.take("kit_sample"))
    assert clones[0] in again
    for clone in again:
        async with transaction(clone.take_engine()) as tx:
            assert list(await tx.execute(sa.text("SELECT * FROM seen"))) == []
        await clone.take_engine().dispose()
        databases.give_back(clone)
    assert clones[0].take_engine() is engines[0]


async def test_an_engine_that_somebody_listens_to_is_not_given_again(databases: Databases) -> None:
    clone = await databases.take("kit_sample")
    engine = clone.take_engine()
    assert clone.take_engine() is engine
    sa.event.listen(engine.sync_engine, "before_cursor_execute", print)
    assert clone.take_engine() is not engine
    databases.give_back(clone)


@pytest.fixture
async def left_open() -> AsyncIterator[list[Any]]:
    """Connections that the test does not close: set up before the databases, it ends after them."""
    connections: list[Any] = []
    yield connections
    assert connections
    assert all(connection.is_closed() for connection in connections)


async def test_no_connection_outlives_its_test(left_open: list[Any], make_engine: Any) -> None:
    engine = await make_engine("kit_sample")
    url = engine.url.set(drivername="postgresql").render_as_string()
    left_open.append(await asyncpg.connect(url, timeout=10))
