"""What must hold in basket's database whatever was asked at once, each as a question that counts what breaks it.

Nothing here trusts an index or a counter: lines are counted again, so a lost constraint shows.
"""

from typing import Any

import asyncpg

from resapermis_kit.database.sql_file import sql_file

_SQL = dict(sql_file("data", "invariants.sql"))
_LIVE_LINES = _SQL.pop("live_lines")


async def breaches(connection: "asyncpg.Connection[Any]", *, basket_limit: int) -> dict[str, int]:
    """How many rows break each invariant; all zero is what must be. `basket_limit`: lines in one school's basket."""
    found: dict[str, int] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        # A sequential read on purpose: the partial unique indexes are what is checked.
        await connection.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off")
        for name, question in _SQL.items():
            arguments = (basket_limit,) if "$1" in question else ()
            found[name] = await connection.fetchval(question, *arguments)
    return found


async def live_lines(connection: "asyncpg.Connection[Any]") -> int:
    """Lines whose slot is taken."""
    found: int = await connection.fetchval(_LIVE_LINES)
    return found
