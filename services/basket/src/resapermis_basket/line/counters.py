"""What a school has taken: counters of its basket and of each month's threshold.

Order of locks, everywhere: the school's row that counts its basket (`lock_school`, or the first row `take_counters`
touches), then lines in slot order. So two acts of one school take turns, also on its other counters, and two schools meet
on slots only.
"""

import json
from collections.abc import Mapping

import sqlalchemy as sa

from resapermis_basket.domain.line import Key
from resapermis_basket.tables import quota
from resapermis_kit.database.sql_file import sql_file
from resapermis_kit.database.transaction import Tx

_SQL = sql_file("resapermis_basket.line", "statements.sql")
_COUNT, _MOVE = sa.text(_SQL["take_counters"]), sa.text(_SQL["move_counters"])


async def take_counters(tx: Tx, school_id: str, asked: Mapping[Key, tuple[int, int]]) -> dict[Key, int]:
    """Take up to `asked` = (how many, limit) of each counter and return how many of each were granted.

    Locks the counters in order, the basket's first: from here on the school's other acts wait for this one.
    """
    rows = [
        {"department": key[0], "month": key[1], "category": key[2], "asked": many, "cap": max(cap, 0)}
        for key, (many, cap) in asked.items()
    ]
    result = await tx.execute(_COUNT, {"school_id": school_id, "rows": json.dumps(rows)})
    return {(row.department, row.month, row.category): row.granted for row in result}


async def lock_school(tx: Tx, school_id: str) -> None:
    """Lock the school, by its basket's row; before any of its lines or counters is changed."""
    mine = (quota.c.school_id == school_id, quota.c.department == "", quota.c.month == "", quota.c.category == "")
    await tx.execute(sa.select(quota.c.taken).where(*mine).with_for_update())


async def move_counters(tx: Tx, school_id: str, deltas: Mapping[Key, int]) -> None:
    """Move counters that `take_counters` made; the school is locked."""
    rows = [{"department": k[0], "month": k[1], "category": k[2], "by": by} for k, by in deltas.items() if by]
    if not rows:  # a counter that does not move is not written: each write is a new row version
        return
    await tx.execute(_MOVE, {"school_id": school_id, "rows": json.dumps(rows)})


async def read_counters(tx: Tx, school_id: str) -> dict[Key, int]:
    """All counters of the school that are not zero."""
    statement = sa.select(quota.c.department, quota.c.month, quota.c.category, quota.c.taken).where(
        quota.c.school_id == school_id, quota.c.taken > 0
    )
    return {(row.department, row.month, row.category): row.taken for row in await tx.execute(statement)}
