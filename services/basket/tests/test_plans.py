"""No question of an act or a duty goes through all lines, whatever PostgreSQL believes of how many live."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from basket_peers import Basket

from resapermis_basket.store import hold, late
from resapermis_kit.db import single, transaction

MAY_BE_READ_WHOLE = {"basket_line_booked_idx", "basket_line_pkey"}
"""Coming exams alone, for those who watch them; and the key, which a join reads whole while there are few lines at all:
with a past it looks lines up, whatever lives.
"""


@pytest.mark.req("P-02")
async def test_kept_plans_look_lines_up_by_an_index(basket: Basket) -> None:
    async with single(basket.engine).connect() as connection:
        await connection.execute(sa.text("VACUUM ANALYZE"))  # nobody holds anything: an index of nothing looks cheap
    asked = {hold._STANDING.sql, hold._INTEND.sql, hold._ANSWER.sql, late._REFUSE.sql}
    ours = basket.engine.sync_engine
    sa.event.listen(ours, "before_cursor_execute", lambda *said: asked.add(said[2]))
    one = await basket.hold(("s1", 1), ("s2", 2), "s3")
    await basket.validate((await basket.hold(("s4", 4))).id)
    await basket.unasked.expire_and_warn()
    await basket.unasked.look_and_give_back()
    assert one.lines
    about = [text for text in sorted(asked) if "basket_line" in text and not text.startswith("EXPLAIN")]
    assert len(about) >= 10
    found = {}
    async with transaction(basket.engine) as tx:
        driver: Any = (await tx.get_raw_connection()).driver_connection
        await driver.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for place, text in enumerate(about):
            nulls = ", ".join("NULL" for _ in (await driver.prepare(text)).get_parameters())
            await driver.execute(f"PREPARE plan_{place} AS {text}")
            execute = f"plan_{place}({nulls})" if nulls else f"plan_{place}"
            plan = (await driver.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {execute}"))[0]["Plan"]
            if whole := [node.get("Index Name", "all of it") for node in _nodes(plan) if _reads_all(node)]:
                found[text] = whole
    assert {text[text.rindex("FROM") :]: plan for text, plan in found.items()} == {}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)


def _reads_all(node: dict[str, Any]) -> bool:
    index = node.get("Index Name", "")
    if "Scan" not in node["Node Type"] or "Index Cond" in node or index in MAY_BE_READ_WHOLE:
        return False
    return index.startswith(("basket_line", "one_live")) or (
        node["Node Type"] == "Seq Scan" and node["Relation Name"] == "basket_line"
    )
