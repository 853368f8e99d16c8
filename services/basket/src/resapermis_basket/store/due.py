"""Work that is due, by the database's clock, and facts of others to act on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_basket.domain import Changing, Line, State
from resapermis_basket.store.line_rows import line_of, lines_where
from resapermis_basket.store.tables import ALIVE, groups, heard_table, in_state, lines
from resapermis_kit.database.transaction import Tx

BATCH = 200


async def due_to_expire(tx: Tx) -> list[Line]:
    """Held lines whose time has come, longest due first.

    In any other order PostgreSQL may look for the first ones through an index that is in that order: through the past.
    """
    due = sa.select(*lines.c).where(in_state(State.HELD), lines.c.expires_at <= sa.func.now())
    return [line_of(row) for row in await tx.execute(due.order_by(lines.c.expires_at).limit(BATCH))]


async def due_to_look(tx: Tx) -> list[Line]:
    """Live lines about which RdvPermis is to be read, longest due first."""
    due = sa.select(*lines.c).where(ALIVE, lines.c.next_look_at <= sa.func.now())
    return [line_of(row) for row in await tx.execute(due.order_by(lines.c.next_look_at).limit(BATCH))]


async def due_to_give_back(tx: Tx) -> list[Line]:
    """Ended lines that RdvPermis still has in a basket of ours; not where a newer line was found in that very basket."""
    newer = lines.alias()
    same = (newer.c.slot_id == lines.c.slot_id, newer.c.basket_id == lines.c.basket_id, newer.c.ended_at.is_(None))
    # Not EXISTS: that is joined, and the join reads every live line where few are believed to live.
    kept = sa.select(newer.c.id).where(*same).limit(1).scalar_subquery()
    due = sa.select(*lines.c).where(lines.c.owed, lines.c.next_look_at <= sa.func.now(), kept.is_(None))
    return [line_of(row) for row in await tx.execute(due.order_by(lines.c.next_look_at).limit(BATCH))]


async def due_to_be_done(tx: Tx) -> list[Line]:
    """Booked lines whose exam has begun and about which nothing is in doubt; the earliest first, for the same reason."""
    begun = (in_state(State.BOOKED), lines.c.starts_at <= sa.func.now(), lines.c.changing == Changing.NOTHING)
    due = sa.select(*lines.c).where(*begun).order_by(lines.c.starts_at)
    return [line_of(row) for row in await tx.execute(due.limit(BATCH))]


async def take_warnings(tx: Tx, seconds: int) -> list[tuple[UUID, str, datetime]]:
    """Mark groups that expire within `seconds` as warned; return (group, school, when) of each, once for ever."""
    soon = (
        sa.select(lines.c.group_id, sa.func.min(lines.c.expires_at).label("expires_at"))
        .where(
            in_state(State.HELD),
            lines.c.expires_at <= sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds),
        )
        .group_by(lines.c.group_id)
        .subquery()
    )
    statement = (
        sa.update(groups)
        .values(warned_at=sa.func.now())
        .where(groups.c.id == soon.c.group_id, groups.c.warned_at.is_(None))
        .returning(groups.c.id, groups.c.school_id, soon.c.expires_at)
    )
    return [(row.id, row.school_id, row.expires_at) for row in await tx.execute(statement)]


@dataclass(frozen=True)
class Heard:
    """A slot that was withdrawn, or a mandate that ended."""

    id: UUID
    slot_id: str = ""
    school_id: str = ""
    candidate_id: UUID | None = None
    category: str = ""


async def hear(tx: Tx, one: Heard) -> None:
    """Write down a fact to act on; twice is once."""
    await tx.execute(insert(heard_table).values(**vars(one)).on_conflict_do_nothing())


async def heard(tx: Tx) -> list[Heard]:
    """Facts to act on, oldest first."""
    statement = sa.select(*(heard_table.c[name] for name in Heard.__dataclass_fields__))
    rows: list[Any] = list(await tx.execute(statement.order_by(heard_table.c.id).limit(BATCH)))
    return [Heard(*row) for row in rows]


async def forget_heard(tx: Tx, heard_id: UUID) -> None:
    """A fact was acted on."""
    await tx.execute(sa.delete(heard_table).where(heard_table.c.id == heard_id))


async def held_of_candidate(tx: Tx, ended: Heard) -> list[Line]:
    """Held lines that name the candidate of an ended mandate."""
    mine = (
        lines.c.school_id == ended.school_id,
        lines.c.candidate_id == ended.candidate_id,
        lines.c.category == ended.category,
    )
    return [line_of(row) for row in await tx.execute(lines_where(*mine, ALIVE, in_state(State.HELD)))]


async def held_on_slot(tx: Tx, slot_id: str) -> Line | None:
    """The held line on a slot, whoever's it is."""
    row = (await tx.execute(lines_where(lines.c.slot_id == slot_id, ALIVE, in_state(State.HELD)))).first()
    return line_of(row) if row is not None else None
