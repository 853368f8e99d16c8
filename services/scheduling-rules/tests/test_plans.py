"""No statement on the path of a search, a hold or a counted line goes through a table, whatever PostgreSQL believes of it."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from resapermis_kit.database.sql_file import sql_file
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_testing.databases import vacuum_analyze
from resapermis_testing.postgres import MakeEngine

PACKAGE = "resapermis_scheduling_rules"
STATEMENTS = {
    f"{room}_{name}": text
    for room in ("evaluation", "school", "search")
    for name, text in sql_file(f"{PACKAGE}.{room}", "statements.sql").items()
}
READ_WHOLE = {"parameter"}
"""A few dozen rows, of which a change of a line needs all."""
FILLED = {"slot", "school", "threshold", "line", "restriction"}
FIRST_COLUMNS = """
SELECT index.relname AS name, indrelid::regclass::text AS of, attname
FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] WHERE index.relnamespace = 'public'::regnamespace
"""
FILL = """
INSERT INTO centre SELECT 'k' || n, 'K', lpad(n::text, 2, '0') FROM generate_series(1, 50) AS n;
INSERT INTO slot (id, centre_id, department, category, kind, starts_at, ends_at, published_at, status, seen_at)
SELECT 's' || n, 'k' || 1 + n % 50, lpad((1 + n % 50)::text, 2, '0'), 'B', 'PLATEAU', at, at + interval '32 min', at,
  CASE WHEN n % 5 = 0 THEN 'FREE' ELSE 'TAKEN' END, at
FROM generate_series(1, 6000) AS n, LATERAL (SELECT timestamptz '2026-12-01' + n * interval '10 min' AS at) AS t;
INSERT INTO school (id, licence_number, department, fte, seen_at)
SELECT 'e' || n, '', '94', 10, now() FROM generate_series(1, 1000) AS n;
INSERT INTO threshold (school_id, department, month, category, elsewhere)
SELECT 'e' || 1 + n % 1000, '94', '2026-' || lpad((1 + n / 1000)::text, 2, '0'), 'B', 0 FROM generate_series(0, 5999) AS n;
INSERT INTO line (id, school_id, department, month, category, changed_at, starts_at, ends_at)
SELECT 'l' || n, 'e' || 1 + n % 1000, '94', '2026-12', 'B', at, at, at + interval '32 min'
FROM generate_series(1, 6000) AS n, LATERAL (SELECT timestamptz '2026-12-01' + n * interval '10 min' AS at) AS t;
INSERT INTO restriction (id, school_id, candidate_id, category, kind, reason, since)
SELECT md5('r' || n)::uuid, 'e' || 1 + n % 1000, md5('c' || n), 'B', '', '', now() FROM generate_series(1, 6000) AS n;
"""


@pytest.mark.parametrize("vacuumed", [False, True], ids=["as migrated", "vacuumed"])
async def test_plans_made_of_empty_tables_look_rows_up_by_an_index(make_engine: MakeEngine, *, vacuumed: bool) -> None:
    """A connection keeps them until its tables are analysed: the first minute of an opening is planned before it."""
    engine = await make_engine(PACKAGE)
    if vacuumed:
        await vacuum_analyze(engine)
    async with transaction(engine) as tx:
        assert await _read_whole(tx) == {}


async def test_plans_made_of_what_there_is_choose_the_indexes_by_themselves(make_engine: MakeEngine) -> None:
    """Where PostgreSQL 18 knows how much there is, nothing needs to be switched off; 15 takes a small table whole where it may."""
    engine = await make_engine(PACKAGE)
    async with transaction(engine) as tx:
        driver: Any = (await tx.get_raw_connection()).driver_connection
        await driver.execute(FILL)
    await vacuum_analyze(engine)
    async with transaction(engine) as tx:
        driver = (await tx.get_raw_connection()).driver_connection
        if int(await driver.fetchval("SHOW server_version_num")) >= 180_000:
            await tx.execute(sa.text("SET LOCAL enable_seqscan = on"))
        found = await _read_whole(tx)
    assert {name: read for name, whole in found.items() if (read := whole & FILLED)} == {}


async def _read_whole(tx: Tx) -> dict[str, set[str]]:
    """Tables that statements, by name, read without an index, or along one whose first column they do not ask by."""
    await tx.execute(sa.text("SET LOCAL plan_cache_mode = force_generic_plan"))
    first = {row.name: (row.of, row.attname) for row in await tx.execute(sa.text(FIRST_COLUMNS))}
    driver: Any = (await tx.get_raw_connection()).driver_connection
    found = {}
    for name, text in STATEMENTS.items():
        sql = Statement(text).sql
        nulls = ", ".join("NULL" for _ in (await driver.prepare(sql)).get_parameters())
        await driver.execute(f"PREPARE {name} AS {sql}")
        plan = (await driver.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {name} ({nulls})"))[0]["Plan"]
        whole = set()
        for node in _nodes(plan):
            if node["Node Type"] == "Seq Scan":
                whole.add(node["Relation Name"])
            elif "Index Name" in node:
                table, column = first[node["Index Name"]]
                if f"({column} " not in node.get("Index Cond", ""):
                    whole.add(table)
        if whole - READ_WHOLE:
            found[name] = whole - READ_WHOLE
    return found


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)
