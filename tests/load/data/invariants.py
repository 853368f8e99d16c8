"""What must hold in basket's database whatever was asked at once, each as a question that counts what breaks it.

Nothing here trusts an index or a counter: lines are counted again, so a lost constraint shows.
"""

from typing import Any

import asyncpg

LIVE = "('asking', 'held', 'confirming', 'booked')"
IN_BASKET = "('asking', 'held', 'confirming')"
COUNTED = "('asking', 'held', 'confirming', 'booked', 'done')"

# A sequential read on purpose: the partial unique indexes are what is checked.
_BREACHES = {
    "oversold": f"""
        SELECT count(*) FROM (
            SELECT slot_id FROM basket_line WHERE state IN {LIVE} GROUP BY slot_id HAVING count(*) > 1) AS twice""",  # noqa: S608 - our own words
    "candidates_on_two_lines": f"""
        SELECT count(*) FROM (
            SELECT candidate_id, category FROM basket_line
            WHERE state IN {LIVE} AND candidate_id IS NOT NULL
            GROUP BY candidate_id, category HAVING count(*) > 1) AS twice""",  # noqa: S608 - our own words
    "counters_wrong": f"""
        WITH really AS (
            SELECT school_id, department, month, category, count(*) AS many FROM basket_line
            WHERE state IN {COUNTED} GROUP BY school_id, department, month, category
            UNION ALL
            SELECT school_id, '', '', '', count(*) FROM basket_line WHERE state IN {IN_BASKET} GROUP BY school_id)
        SELECT count(*) FROM really FULL JOIN quota USING (school_id, department, month, category)
        WHERE coalesce(many, 0) <> coalesce(taken, 0)""",  # noqa: S608 - our own words
    "above_limit": "SELECT count(*) FROM quota WHERE taken > cap",
    "baskets_above_limit": f"""
        SELECT count(*) FROM (
            SELECT school_id FROM basket_line WHERE state IN {IN_BASKET}
            GROUP BY school_id HAVING count(*) > $1::int) AS full_baskets""",  # noqa: S608 - our own words
    "groups_above_four": """
        SELECT count(*) FROM (SELECT group_id FROM basket_line GROUP BY group_id HAVING count(*) > 4) AS large""",
}


async def breaches(connection: "asyncpg.Connection[Any]", *, basket_limit: int) -> dict[str, int]:
    """How many rows break each invariant; all zero is what must be. `basket_limit`: lines in one school's basket."""
    found: dict[str, int] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off")
        for name, question in _BREACHES.items():
            arguments = (basket_limit,) if "$1" in question else ()
            found[name] = await connection.fetchval(question, *arguments)
    return found


async def live_lines(connection: "asyncpg.Connection[Any]") -> int:
    """Lines whose slot is taken."""
    found: int = await connection.fetchval(f"SELECT count(*) FROM basket_line WHERE state IN {LIVE}")  # noqa: S608
    return found
