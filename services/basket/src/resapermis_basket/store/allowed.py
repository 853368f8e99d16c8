"""RdvPermis' allowance of replacements, as last read."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_basket.domain import Allowance
from resapermis_basket.store.tables import allowances
from resapermis_kit.database.transaction import Tx

_OF = allowances.c


def _mine(school_id: str, category: str, month: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (_OF.school_id == school_id, _OF.category == category, _OF.month == month)


async def allowance(tx: Tx, school_id: str, category: str, month: str) -> Allowance | None:
    """As last read; None when it never was, or has changed since."""
    statement = sa.select(_OF.left_, _OF.per_month, _OF.seen_at).where(*_mine(school_id, category, month))
    row = (await tx.execute(statement)).first()
    return Allowance(*row) if row is not None else None


async def keep_allowance(
    tx: Tx, school_id: str, category: str, month: str, left: int, per_month: int, now: datetime
) -> None:
    """Keep what was read."""
    read = {"left_": left, "per_month": per_month, "seen_at": now}
    statement = insert(allowances).values(school_id=school_id, category=category, month=month, **read)
    await tx.execute(statement.on_conflict_do_update(constraint="allowance_pkey", set_=read))


async def forget_allowance(tx: Tx, school_id: str, category: str, month: str) -> None:
    """It has changed: one was used."""
    await tx.execute(sa.delete(allowances).where(*_mine(school_id, category, month)))
