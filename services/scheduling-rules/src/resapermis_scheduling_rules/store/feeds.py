"""What is asked about trainers' private addresses and the exams behind them."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_kit.database.transaction import Tx
from resapermis_scheduling_rules.availability.feed import Exam
from resapermis_scheduling_rules.store.school_tables import feeds
from resapermis_scheduling_rules.store.tables import centres, lines


async def keep(tx: Tx, school_id: str, trainer_id: str, token_hash: bytes, by: str, at: datetime) -> None:
    """Write a trainer's address, hashed; an earlier one ends."""
    values = {"token_hash": token_hash, "made_by": by, "made_at": at}
    upsert = insert(feeds).values(school_id=school_id, trainer_id=trainer_id, **values)
    await tx.execute(upsert.on_conflict_do_update(index_elements=list(feeds.primary_key), set_=values))


async def revoke(tx: Tx, school_id: str, trainer_id: str) -> bool:
    """End a trainer's address; False when there is none."""
    mine = (feeds.c.school_id == school_id, feeds.c.trainer_id == trainer_id)
    return (await tx.execute(sa.delete(feeds).where(*mine))).rowcount == 1


async def owner(tx: Tx, token_hash: bytes) -> tuple[str, str] | None:
    """School and trainer behind an address."""
    statement = sa.select(feeds.c.school_id, feeds.c.trainer_id).where(feeds.c.token_hash == token_hash)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else (row.school_id, row.trainer_id)


async def exams(tx: Tx, school_id: str, trainer_id: str, since: datetime, limit: int) -> list[Exam]:
    """A trainer's bookings from a moment on, in order of time."""
    statement = (
        sa.select(lines.c.id, lines.c.category, centres.c.name, lines.c.starts_at, lines.c.ends_at, lines.c.booked_at)
        .outerjoin_from(lines, centres, centres.c.id == lines.c.centre_id)
        .where(
            lines.c.school_id == school_id,
            lines.c.trainer_id == trainer_id,
            lines.c.booked_at.is_not(None),
            lines.c.starts_at >= since,
            lines.c.ends_at.is_not(None),
        )
        .order_by(lines.c.starts_at, lines.c.id)
        .limit(limit)
    )
    return [
        Exam(row.id, row.category, row.name or "", row.starts_at, row.ends_at, row.booked_at)
        for row in await tx.execute(statement)
    ]
