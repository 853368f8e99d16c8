"""What is counted for a school; the row of its basket is its turn-taking."""

import json
from collections.abc import Mapping

import sqlalchemy as sa

from resapermis_basket.domain import Key
from resapermis_basket.store.tables import quota
from resapermis_kit.database.transaction import Tx

_GRANT = "LEAST(excluded.granted, GREATEST(excluded.cap - q.taken, 0))"
_COUNT = sa.text(
    "INSERT INTO quota AS q (school_id, department, month, category, taken, cap, granted) "  # noqa: S608 - as above
    "SELECT :school_id, department, month, category, LEAST(asked, cap), cap, LEAST(asked, cap) "
    "FROM json_to_recordset(CAST(CAST(:rows AS text) AS json)) "
    "AS wanted (department text, month text, category text, asked int, cap int) "
    "ORDER BY department, month, category "
    "ON CONFLICT (school_id, department, month, category) DO UPDATE "
    f"SET taken = q.taken + {_GRANT}, cap = excluded.cap, granted = {_GRANT} "
    "RETURNING department, month, category, granted"
)
_MOVE = sa.text(
    "UPDATE quota SET taken = taken + moved.by FROM json_to_recordset(CAST(CAST(:rows AS text) AS json)) "
    "AS moved (department text, month text, category text, by int) "
    "WHERE school_id = :school_id AND quota.department = moved.department AND quota.month = moved.month "
    "AND quota.category = moved.category"
)


async def count(tx: Tx, school_id: str, asked: Mapping[Key, tuple[int, int]]) -> dict[Key, int]:
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
    """Wait for the school's turn; taken before any of its lines or counters is changed."""
    mine = (quota.c.school_id == school_id, quota.c.department == "", quota.c.month == "", quota.c.category == "")
    await tx.execute(sa.select(quota.c.taken).where(*mine).with_for_update())


async def move_counts(tx: Tx, school_id: str, deltas: Mapping[Key, int]) -> None:
    """Move counters that `count` made, within the school's turn."""
    rows = [{"department": k[0], "month": k[1], "category": k[2], "by": by} for k, by in deltas.items() if by]
    if not rows:  # a counter that does not move is not written: each write is a new row version
        return
    await tx.execute(_MOVE, {"school_id": school_id, "rows": json.dumps(rows)})


async def counted(tx: Tx, school_id: str) -> dict[Key, int]:
    """All counters of the school that are not zero."""
    statement = sa.select(quota.c.department, quota.c.month, quota.c.category, quota.c.taken).where(
        quota.c.school_id == school_id, quota.c.taken > 0
    )
    return {(row.department, row.month, row.category): row.taken for row in await tx.execute(statement)}
