"""What is due, which events are still to be acted on, and which schools are reconciled when; by the database's clock."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from resapermis_basket.domain.line import Changing, Key, Line, State
from resapermis_basket.line.queries import line_of, lines_where
from resapermis_basket.tables import ALIVE, groups, in_state, lines, quota, received_events, watched
from resapermis_kit.database.transaction import Tx

DUE_AT_ONCE = 200


@dataclass(frozen=True)
class LeftOut:
    """What a search for due lines leaves out."""

    schools: Collection[str] = ()
    """Schools with a batch under way or done in this round, and schools and lines that wait after a failure."""
    lines: Collection[UUID] = ()
    """Those that rest."""


def _due(since: sa.ColumnElement[Any], left_out: LeftOut, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Lines whose time `since` has come, longest due first.

    In any other order PostgreSQL may look for the first ones through an index that is in that order: through the past.
    """
    schools, ids = (
        sa.literal(list(left_out.schools), ARRAY(sa.Text)),
        sa.literal(list(left_out.lines), ARRAY(sa.Uuid)),
    )
    others = (lines.c.school_id != sa.all_(schools), lines.c.id != sa.all_(ids))
    return sa.select(*lines.c).where(*conditions, since <= sa.func.now(), *others).order_by(since).limit(DUE_AT_ONCE)


async def due_to_expire(tx: Tx, left_out: LeftOut) -> list[Line]:
    """Held lines whose time has come."""
    return [line_of(row) for row in await tx.execute(_due(lines.c.expires_at, left_out, in_state(State.HELD)))]


async def due_to_poll(tx: Tx, left_out: LeftOut) -> list[Line]:
    """Live lines about which RdvPermis is to be read."""
    return [line_of(row) for row in await tx.execute(_due(lines.c.next_poll_at, left_out, ALIVE))]


async def count_due_to_poll(tx: Tx) -> int:
    """How many live lines are due to be read at RdvPermis."""
    due = sa.select(sa.func.count()).where(ALIVE, lines.c.next_poll_at <= sa.func.now())
    return int((await tx.execute(due)).scalar_one())


async def due_to_give_back(tx: Tx, left_out: LeftOut) -> list[Line]:
    """Ended lines that RdvPermis still has in a basket of ours; not where a newer line was found in that very basket."""
    newer = lines.alias()
    same = (newer.c.slot_id == lines.c.slot_id, newer.c.basket_id == lines.c.basket_id, newer.c.ended_at.is_(None))
    # Not EXISTS: that is joined, and the join reads every live line where few are believed to live.
    kept = sa.select(newer.c.id).where(*same).limit(1).scalar_subquery()
    due = _due(lines.c.next_poll_at, left_out, lines.c.owed, kept.is_(None))
    return [line_of(row) for row in await tx.execute(due)]


async def due_to_be_done(tx: Tx, left_out: LeftOut) -> list[Line]:
    """Booked lines whose exam has begun and about which nothing is in doubt."""
    due = _due(lines.c.starts_at, left_out, in_state(State.BOOKED), lines.c.changing == Changing.NOTHING)
    return [line_of(row) for row in await tx.execute(due)]


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
class ReceivedEvent:
    """A slot that was withdrawn, or a mandate that ended."""

    id: UUID
    slot_id: str = ""
    school_id: str = ""
    candidate_id: UUID | None = None
    category: str = ""


async def keep_event(tx: Tx, one: ReceivedEvent) -> None:
    """Write down an event to act on; twice is once."""
    await tx.execute(insert(received_events).values(**vars(one)).on_conflict_do_nothing())


_UNDECIDED = sa.and_(ALIVE, lines.c.state != State.BOOKED, sa.or_(lines.c.state != State.HELD, lines.c.changing != ""))
"""Lines in a basket of which RdvPermis is being asked something."""


def _undecided_with(*same: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Not EXISTS: beside another condition PostgreSQL may answer it from a hash of every live line."""
    found = sa.select(lines.c.id).where(_UNDECIDED, *same).limit(1).correlate(received_events).scalar_subquery()
    return found.is_not(None)


_ABOUT_UNDECIDED = sa.or_(
    _undecided_with(lines.c.slot_id == received_events.c.slot_id),
    *(
        _undecided_with(
            lines.c[who] == received_events.c.candidate_id,
            lines.c.school_id == received_events.c.school_id,
            lines.c.category == received_events.c.category,
        )
        for who in ("candidate_id", "wanted_candidate_id")
    ),
)


async def pending_events(tx: Tx) -> list[ReceivedEvent]:
    """Received events that can be acted on and were not yet, oldest first.

    Those about a line of which RdvPermis is being asked something wait for the answer, and hold up none of the others.
    """
    statement = sa.select(*(received_events.c[name] for name in ReceivedEvent.__dataclass_fields__))
    ready = statement.where(~_ABOUT_UNDECIDED).order_by(received_events.c.id).limit(DUE_AT_ONCE)
    rows: list[Any] = list(await tx.execute(ready))
    return [ReceivedEvent(*row) for row in rows]


async def forget_event(tx: Tx, event_id: UUID) -> None:
    """Delete a received event that was acted on."""
    await tx.execute(sa.delete(received_events).where(received_events.c.id == event_id))


async def in_basket_of_candidate(tx: Tx, ended: ReceivedEvent) -> list[Line]:
    """Lines in the school's basket that name the candidate of an ended mandate, or would."""
    mine = (
        lines.c.school_id == ended.school_id,
        sa.or_(lines.c.candidate_id == ended.candidate_id, lines.c.wanted_candidate_id == ended.candidate_id),
        lines.c.category == ended.category,
        lines.c.state != State.BOOKED,
    )
    return [line_of(row) for row in await tx.execute(lines_where(*mine, ALIVE))]


async def live_on_slot(tx: Tx, slot_id: str) -> Line | None:
    """The live line on a slot, whoever's it is."""
    row = (await tx.execute(sa.select(*lines.c).where(lines.c.slot_id == slot_id, ALIVE))).first()
    return line_of(row) if row is not None else None


@dataclass(frozen=True)
class WatchedSchool:
    """A school that is due for reconciliation, with how often it failed in a row."""

    school_id: str
    failures: int
    overdue_seconds: float


async def watch_schools_with_bookings(tx: Tx) -> None:
    """Every school with a coming booking is watched, whether or not anybody of it is here."""
    now = sa.func.now()
    having = sa.select(lines.c.school_id, now, now, sa.literal(0)).where(ALIVE, in_state(State.BOOKED)).distinct()
    names = ["school_id", "seen_at", "next_reconciliation_at", "failures"]
    await tx.execute(insert(watched).from_select(names, having).on_conflict_do_nothing())


async def due_to_reconcile(tx: Tx, quiet_after: timedelta, most: int) -> list[WatchedSchool]:
    """Schools whose time has come, longest due first: with a coming booking, a grant, or somebody here lately."""
    booked = sa.exists().where(lines.c.school_id == watched.c.school_id, ALIVE, in_state(State.BOOKED))
    overdue = sa.func.extract("epoch", sa.func.now() - watched.c.next_reconciliation_at)
    lately = watched.c.seen_at > sa.func.now() - sa.literal(quiet_after, sa.Interval)
    statement = (
        sa.select(watched.c.school_id, watched.c.failures, overdue.label("overdue"))
        .where(watched.c.next_reconciliation_at <= sa.func.now(), sa.or_(lately, booked))
        .order_by(watched.c.next_reconciliation_at)
        .limit(most)
    )
    return [WatchedSchool(row.school_id, row.failures, float(row.overdue)) for row in await tx.execute(statement)]


async def keep_watching(tx: Tx, school_id: str) -> None:
    """A grant of the school stands: it is watched whether or not anybody of it is here. Written down once a day."""
    old = watched.c.seen_at < sa.func.now() - sa.literal(timedelta(days=1), sa.Interval)
    await tx.execute(sa.update(watched).where(watched.c.school_id == school_id, old).values(seen_at=sa.func.now()))


async def schedule_next_reconciliation(tx: Tx, school_id: str, pause: timedelta, failures: int) -> None:
    """Set when the school is due again, `pause` from now by the database's clock, and its failures in a row."""
    again_at = sa.func.now() + sa.literal(pause, sa.Interval)
    statement = sa.update(watched).where(watched.c.school_id == school_id)
    await tx.execute(statement.values(next_reconciliation_at=again_at, failures=failures))


async def reconcile_soon(tx: Tx, school_id: str, within: timedelta) -> None:
    """Something is up at RdvPermis: the school is due earlier. Many hints bring one reconciliation."""
    soon = sa.func.now() + sa.literal(within, sa.Interval)
    statement = insert(watched).values(
        school_id=school_id, seen_at=sa.func.now(), next_reconciliation_at=soon, failures=0
    )
    earlier = sa.func.least(watched.c.next_reconciliation_at, soon)
    await tx.execute(
        statement.on_conflict_do_update(index_elements=[watched.c.school_id], set_={"next_reconciliation_at": earlier})
    )


async def coming_lines(tx: Tx, school_id: str) -> list[Line]:
    """Live lines of the school whose exam has not begun, in whatever state."""
    mine = (lines.c.school_id == school_id, ALIVE, lines.c.starts_at > sa.func.now())
    return [line_of(row) for row in await tx.execute(sa.select(*lines.c).where(*mine).order_by(lines.c.slot_id))]


async def lines_touched(
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
    """Have counters for what was taken without asking us; the basket's row first: it locks the school."""
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


async def doubt_all(tx: Tx) -> int:
    """Have every hold read at RdvPermis now, and every school with bookings reconciled; return how many holds.

    Versions move, so that an act that read its line before is refused as stale.
    """
    held = sa.update(lines).where(in_state(State.HELD))
    doubted = await tx.execute(held.values(next_poll_at=sa.func.now(), version=lines.c.version + 1))
    await watch_schools_with_bookings(tx)
    await tx.execute(sa.update(watched).values(next_reconciliation_at=sa.func.now()))
    return doubted.rowcount
