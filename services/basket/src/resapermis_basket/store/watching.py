"""Which schools are compared with RdvPermis, and when next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_basket.domain import Key, Line, State
from resapermis_basket.store.line_rows import line_of
from resapermis_basket.store.tables import ALIVE, in_state, lines, quota, watched
from resapermis_kit.database.transaction import Tx


@dataclass(frozen=True)
class Watched:
    """A school whose turn it is."""

    school_id: str
    failures: int
    overdue_seconds: float


async def was_here(tx: Tx, school_id: str) -> None:
    """Somebody of the school looked: it is watched from now on."""
    now = sa.func.now()
    statement = insert(watched).values(school_id=school_id, seen_at=now, next_sweep_at=now, failures=0)
    await tx.execute(statement.on_conflict_do_update(index_elements=[watched.c.school_id], set_={"seen_at": now}))


async def watch_who_has_bookings(tx: Tx) -> None:
    """Every school with a coming booking is watched, whether or not anybody of it looks."""
    now = sa.func.now()
    having = sa.select(lines.c.school_id, now, now, sa.literal(0)).where(ALIVE, in_state(State.BOOKED)).distinct()
    names = ["school_id", "seen_at", "next_sweep_at", "failures"]
    await tx.execute(insert(watched).from_select(names, having).on_conflict_do_nothing())


async def due_to_sweep(tx: Tx, quiet_after: timedelta, most: int) -> list[Watched]:
    """Schools whose time has come, longest due first: with a coming booking, or somebody here lately."""
    booked = sa.exists().where(lines.c.school_id == watched.c.school_id, ALIVE, in_state(State.BOOKED))
    overdue = sa.func.extract("epoch", sa.func.now() - watched.c.next_sweep_at)
    lately = watched.c.seen_at > sa.func.now() - sa.literal(quiet_after, sa.Interval)
    statement = (
        sa.select(watched.c.school_id, watched.c.failures, overdue.label("overdue"))
        .where(watched.c.next_sweep_at <= sa.func.now(), sa.or_(lately, booked))
        .order_by(watched.c.next_sweep_at)
        .limit(most)
    )
    return [Watched(row.school_id, row.failures, float(row.overdue)) for row in await tx.execute(statement)]


async def swept(tx: Tx, school_id: str, pause: timedelta, failures: int) -> None:
    """When the school's turn comes again."""
    again_at = sa.func.now() + sa.literal(pause, sa.Interval)
    statement = sa.update(watched).where(watched.c.school_id == school_id)
    await tx.execute(statement.values(next_sweep_at=again_at, failures=failures))


async def sweep_soon(tx: Tx, school_id: str, within: timedelta) -> None:
    """Something is up at RdvPermis: the school's turn comes earlier. Many hints in a row bring one look."""
    soon = sa.func.now() + sa.literal(within, sa.Interval)
    statement = insert(watched).values(school_id=school_id, seen_at=sa.func.now(), next_sweep_at=soon, failures=0)
    earlier = sa.func.least(watched.c.next_sweep_at, soon)
    await tx.execute(
        statement.on_conflict_do_update(index_elements=[watched.c.school_id], set_={"next_sweep_at": earlier})
    )


async def coming(tx: Tx, school_id: str) -> list[Line]:
    """Live lines of the school whose exam has not begun, in whatever state."""
    mine = (lines.c.school_id == school_id, ALIVE, lines.c.starts_at > sa.func.now())
    return [line_of(row) for row in await tx.execute(sa.select(*lines.c).where(*mine).order_by(lines.c.slot_id))]


async def touched(
    tx: Tx, school_id: str, slot_ids: Sequence[str], exam_ids: Sequence[str], since: datetime
) -> list[Line]:
    """Live lines on these slots, whoever's; and the school's own, those done or ended since a moment too."""
    theirs = sa.select(*lines.c).where(ALIVE, lines.c.slot_id.in_(slot_ids))
    same = sa.or_(lines.c.slot_id.in_(slot_ids), lines.c.exam_id.in_([one for one in exam_ids if one]))
    stands = sa.or_(ALIVE, lines.c.since >= since, in_state(State.DONE))
    ours = sa.select(*lines.c).where(lines.c.school_id == school_id, same, stands)
    found = {row.id: line_of(row) for statement in (theirs, ours) for row in await tx.execute(statement)}
    return list(found.values())


async def departments_of_centres(tx: Tx, school_id: str, centre_ids: Iterable[str]) -> dict[str, str]:
    """Where centres are, as the school's lines know it; those that no line knows are left out."""
    asked = sorted(centre_ids)
    if not asked:
        return {}
    mine = (lines.c.school_id == school_id, lines.c.centre_id.in_(asked), lines.c.department != "")
    known = sa.select(lines.c.centre_id, lines.c.department).where(*mine).distinct()
    return {row.centre_id: row.department for row in await tx.execute(known)}


async def department_of_school(tx: Tx, school_id: str) -> str:
    """Where the school booked last; "" when it never did."""
    mine = (lines.c.school_id == school_id, lines.c.department != "")
    newest = sa.select(lines.c.department).where(*mine).order_by(lines.c.starts_at.desc(), lines.c.id.desc()).limit(1)
    return (await tx.execute(newest)).scalar() or ""


async def make_counters(tx: Tx, school_id: str, keys: Iterable[Key]) -> None:
    """Have counters for what was taken without asking us; the basket's row first: the school's turn."""
    rows = [
        {
            "school_id": school_id,
            "department": k[0],
            "month": k[1],
            "category": k[2],
            "taken": 0,
            "cap": 0,
            "granted": 0,
        }
        for k in sorted(keys)
    ]
    await tx.execute(insert(quota).values(rows).on_conflict_do_nothing())


async def booked_on_slot(tx: Tx, slot_id: str) -> Line | None:
    """The booked line on a slot, whoever's it is."""
    row = (
        await tx.execute(sa.select(*lines.c).where(lines.c.slot_id == slot_id, ALIVE, in_state(State.BOOKED)))
    ).first()
    return line_of(row) if row is not None else None
