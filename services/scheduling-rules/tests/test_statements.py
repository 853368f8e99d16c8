"""The statements that stand in files: planned by PostgreSQL, whole, and alike where they say the same."""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from resapermis_kit.database.sql_file import sql_file
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import transaction
from resapermis_scheduling_rules.school.tables import lines
from resapermis_scheduling_rules.search.queries import SearchShape
from resapermis_testing.postgres import MakeEngine

PACKAGE = "resapermis_scheduling_rules"
EVALUATION, SCHOOL, SEARCH = (
    sql_file(f"{PACKAGE}.{room}", "statements.sql") for room in ("evaluation", "school", "search")
)


@pytest.mark.parametrize("statements", [EVALUATION, SCHOOL, SEARCH], ids=["evaluation", "school", "search"])
async def test_postgresql_plans_each(make_engine: MakeEngine, statements: dict[str, str]) -> None:
    async with transaction(await make_engine(PACKAGE)) as tx:
        await tx.execute(sa.text("SET LOCAL plan_cache_mode = force_generic_plan"))
        driver: Any = (await tx.get_raw_connection()).driver_connection
        for name, text in statements.items():
            sql = Statement(text).sql
            nulls = ", ".join("NULL" for _ in (await driver.prepare(sql)).get_parameters())
            await driver.execute(f"PREPARE {name} AS {sql}")
            assert await driver.fetch(f"EXPLAIN EXECUTE {name} ({nulls})")


def test_a_line_that_counts_is_written_whole_and_stays_counted_where_it_was() -> None:
    found = re.search(
        r"INSERT INTO line \(([^)]*)\)\s+SELECT \* FROM unnest\((.*)\)\s+ON CONFLICT \(id\) DO UPDATE SET(.*)",
        SCHOOL["keep_lines"],
        re.DOTALL,
    )
    assert found is not None
    written = re.split(r",\s+", found[1].strip())
    assert set(written) == set(lines.c.keys())
    types = {name: "timestamptz" if isinstance(lines.c[name].type, sa.DateTime) else "text" for name in written}
    assert re.split(r",\s+", found[2].strip()) == [f"CAST(:{name} AS {types[name]}[])" for name in written]
    threshold = {"id", "school_id", "department", "month", "category"}
    changed = [name for name in written if name not in threshold]
    assert re.split(r",\s+", found[3].strip()) == [f"{name} = excluded.{name}" for name in changed]


def test_standings_are_read_alike_wherever_they_are_read() -> None:
    found = [
        re.search(r"ARRAY\((.*?)\) AS standings", text, re.DOTALL) for text in (*SCHOOL.values(), *EVALUATION.values())
    ]
    assert len({re.sub(r"\s+", "", one[1]) for one in found if one is not None}) == 1
    assert sum(one is not None for one in found) == 3


def test_searches_differ_in_what_their_names_say_and_in_nothing_else() -> None:
    shapes = [
        SearchShape(by_centre, free_only, kind)
        for by_centre in (False, True)
        for free_only in (False, True)
        for kind in (False, True)
    ]
    assert list(SEARCH) == [shape.name for shape in shapes]
    plain = SEARCH["department"]
    assert (plain.count("WHERE department ="), plain.count("withdrawn_at IS NULL\n")) == (1, 1)
    for shape in shapes:
        expected = plain.replace("department =", "centre_id =" if shape.by_centre else "department =")
        more = " AND status = 'FREE'" * shape.free_only + " AND kind = :kind" * shape.kind
        assert SEARCH[shape.name] == expected.replace("withdrawn_at IS NULL", f"withdrawn_at IS NULL{more}")
