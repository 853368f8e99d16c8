"""The statements that stand in files: whole, planned by PostgreSQL, and with the numbers that the code decides by."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from basket_peers import Basket

from resapermis_basket.domain.answer import BASKET_MARGIN, ELIGIBILITY_LASTS
from resapermis_basket.tables import lines
from resapermis_kit.database.sql_file import sql_file
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import transaction

HOLD, LINE = (sql_file(f"resapermis_basket.{room}", "statements.sql") for room in ("hold", "line"))
INVARIANTS = sql_file("resapermis_basket", "invariants.sql")
NAMES = lines.c.keys()
FIXED = NAMES[: NAMES.index("state")]


@pytest.mark.parametrize("statements", [HOLD, LINE, INVARIANTS], ids=["hold", "line", "invariants"])
async def test_postgresql_plans_each(basket: Basket, statements: dict[str, str]) -> None:
    async with transaction(basket.engine) as tx:
        await tx.execute(sa.text("SET LOCAL plan_cache_mode = force_generic_plan"))
        driver: Any = (await tx.get_raw_connection()).driver_connection
        for name, text in statements.items():
            sql = Statement(text).sql
            nulls = ", ".join("NULL" for _ in (await driver.prepare(sql)).get_parameters())
            await driver.execute(f"PREPARE {name} AS {sql}")
            assert await driver.fetch(f"EXPLAIN EXECUTE {name} ({nulls})" if nulls else f"EXPLAIN EXECUTE {name}")


@pytest.mark.parametrize("text", [HOLD["intend"], HOLD["refuse_taken_slots"], LINE["insert_lines"]])
def test_what_inserts_a_line_writes_every_column(text: str) -> None:
    inserted = re.search(r"INSERT INTO basket_line \(([^)]*)\)", text)
    assert inserted is not None
    assert re.split(r",\s+", inserted[1].strip()) == NAMES


@pytest.mark.parametrize("text", [HOLD["answer"], LINE["update_lines"]])
def test_what_updates_a_line_writes_every_column_that_changes(text: str) -> None:
    (written,) = re.findall(r"UPDATE basket_line AS line\s+SET (.*?)\s+FROM new", text, re.DOTALL)
    assert re.split(r",\s+", re.sub(r"\s*=\s*", "=", written)) == [f"{name}=new.{name}" for name in NAMES[len(FIXED) :]]


def test_the_intervals_in_them_are_those_of_the_domain() -> None:
    found = {name: set(re.findall(r"interval '([\d.]+) s", text)) for name, text in HOLD.items()}
    assert {name: {float(one) for one in some} for name, some in found.items() if some} == {
        "situation": {ELIGIBILITY_LASTS.total_seconds()},
        "intend": {BASKET_MARGIN.total_seconds()},
        "take_prepared_basket": {BASKET_MARGIN.total_seconds()},
    }
