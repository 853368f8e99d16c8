"""No question of an act or a leader task goes through all lines, whatever PostgreSQL believes of how many live."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from basket_peers import Basket
from basket_work import expire_and_warn, settle_and_give_back

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.hold import queries, taken_slots
from resapermis_basket.reconcile.queries import LeftOut, due_to_be_done, due_to_expire, due_to_give_back, due_to_poll
from resapermis_kit.database.transaction import transaction
from resapermis_testing.databases import vacuum_analyze

MAY_BE_READ_WHOLE = {"basket_line_booked_idx", "basket_line_pkey"}
"""Coming exams alone, for those who watch them; and the key, which a join reads whole while there are few lines at all:
with a past it looks lines up, whatever lives.
"""


async def test_kept_plans_look_lines_up_by_an_index(basket: Basket) -> None:
    await vacuum_analyze(basket.engine)  # nobody holds anything: an index of nothing looks cheap
    asked = {queries._SITUATION.sql, queries._INTEND.sql, queries._ANSWER.sql, taken_slots._REFUSE.sql}
    ours = basket.engine.sync_engine
    sa.event.listen(ours, "before_cursor_execute", lambda *executed: asked.add(executed[2]))
    one = await basket.hold(("s1", 1), ("s2", 2), "s3")
    await basket.validate((await basket.hold(("s4", 4))).id)
    await expire_and_warn(basket.dependencies)
    await settle_and_give_back(basket.dependencies)
    await basket.ask("GetBasket", pb.GetBasketRequest())
    assert one.lines
    about = [text for text in sorted(asked) if "basket_line" in text and not text.startswith("EXPLAIN")]
    assert len(about) >= 10
    found = {}
    async with transaction(basket.engine) as tx:
        # Not by the driver: SQLAlchemy begins the transaction with its own first statement, and LOCAL without one sets nothing.
        await tx.execute(sa.text("SET LOCAL plan_cache_mode = force_generic_plan"))
        driver: Any = (await tx.get_raw_connection()).driver_connection
        for place, text in enumerate(about):
            nulls = ", ".join("NULL" for _ in (await driver.prepare(text)).get_parameters())
            await driver.execute(f"PREPARE plan_{place} AS {text}")
            execute = f"plan_{place}({nulls})" if nulls else f"plan_{place}"
            plan = (await driver.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {execute}"))[0]["Plan"]
            if whole := [node.get("Index Name", "all of it") for node in _nodes(plan) if _reads_all(node)]:
                found[text] = whole
    assert {text[text.rindex("FROM") :]: plan for text, plan in found.items()} == {}


async def test_whether_a_candidate_is_wanted_is_looked_up_by_an_index(basket: Basket) -> None:
    """Every hold asks it within its one statement, whose plan does not show what the function does."""
    (found,) = await basket.rows("SELECT prosrc FROM pg_proc WHERE proname = 'candidate_wanted_now'")
    (query,) = re.findall(r"EXISTS \((.*?)\);", found.prosrc, re.DOTALL)
    asked = re.sub(r"\bcategory_\b", "$2", re.sub(r"= candidate\b", "= $1", query))
    async with transaction(basket.engine) as tx:
        await tx.execute(sa.text("SET LOCAL plan_cache_mode = force_generic_plan"))
        driver: Any = (await tx.get_raw_connection()).driver_connection
        await driver.execute(f"PREPARE wanted (uuid, text) AS {asked}")
        plan = (await driver.fetchval("EXPLAIN (FORMAT JSON) EXECUTE wanted (NULL, NULL)"))[0]["Plan"]
    assert [node["Index Name"] for node in _nodes(plan) if "Index Cond" in node] == ["basket_line_wanted_idx"]


_GROUPS = """
INSERT INTO group_ SELECT (jsonb_populate_record(group_, jsonb_build_object('id', md5('group' || n)::uuid, 'request_id', n))).*
FROM group_, generate_series(1, 12000) AS n WHERE group_.id = (SELECT group_id FROM basket_line WHERE slot_id = 's1')
"""
_LINES = """
INSERT INTO basket_line SELECT (jsonb_populate_record(line, jsonb_build_object(
  'id', md5('line' || n)::uuid, 'group_id', md5('group' || n)::uuid, 'slot_id', 'past-' || n,
  'candidate_id', md5('who' || n)::uuid, 'expires_at', now() - interval '1 hour', 'state', CASE WHEN n > 4000 THEN 'held' ELSE 'done' END,
  'ended_at', CASE WHEN n > 4000 THEN NULL ELSE now() END))).*
FROM basket_line AS line, generate_series(1, 12000) AS n WHERE line.slot_id = 's1'
"""


@pytest.mark.long_only
async def test_leader_tasks_search_for_what_is_due_and_not_through_the_past(basket: Basket) -> None:
    """Asked in another order than their index's, the first two hundred would be looked for in that order."""
    await basket.hold(("s1", 1))
    async with transaction(basket.engine) as tx:
        await tx.execute(
            sa.text("SET LOCAL statement_timeout = '2min'")
        )  # 12,000 rows on a machine that others use too
        await tx.execute(sa.text(_GROUPS))
        await tx.execute(sa.text(_LINES))
    await vacuum_analyze(basket.engine, "basket_line")
    asked: dict[str, str] = {}

    def note(*executed: Any) -> None:
        if "basket_line" in executed[2]:
            asked[executed[2]] = ", ".join("'{}'" if value == [] else f"'{value}'" for value in executed[3])

    sa.event.listen(basket.engine.sync_engine, "before_cursor_execute", note)
    async with transaction(basket.engine) as tx:
        for due in (due_to_expire, due_to_be_done, due_to_poll, due_to_give_back):
            await due(tx, LeftOut())
    found = {}
    async with transaction(basket.engine) as tx:
        await tx.execute(sa.text("SET LOCAL plan_cache_mode = force_custom_plan"))
        driver: Any = (await tx.get_raw_connection()).driver_connection
        for place, (text, values) in enumerate(asked.items()):
            await driver.execute(f"PREPARE due_{place} AS {text}")
            execute = f"due_{place}({values})" if values else f"due_{place}"
            plan = (await driver.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {execute}"))[0]["Plan"]
            found[text] = [node.get("Index Name", "all of it") for node in _nodes(plan) if _reads_all(node)]
    assert len(found) == 4
    assert not any(found.values()), found


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
