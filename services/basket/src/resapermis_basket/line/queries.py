"""Lines read and written, whole, at their version; their groups, judgements and the commands that made them."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from google.protobuf.message import Message
from prometheus_client import Counter

from resapermis_basket.domain.line import (
    Change,
    Changing,
    ExamOutcome,
    Group,
    Line,
    Refusal,
    Result,
    Slot,
    State,
    deltas,
    group_of_replacement,
    in_lock_order,
)
from resapermis_basket.line.counters import lock_school, move_counters
from resapermis_basket.tables import ALIVE, groups, lines
from resapermis_kit.database.sql_file import sql_file
from resapermis_kit.database.transaction import Tx, after_commit
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox

MOVED = Counter(
    "resapermis_line_changes_total",
    "Lines that came to a state; what a hold obtained at once: hold_lines_total",
    ["state"],
)
for _state in State:
    MOVED.labels(_state)  # there from the start, at 0: Prometheus sees no increase in what begins at 1
_SQL = sql_file("resapermis_basket.line", "statements.sql")
_INSERT, _UPDATE = sa.text(_SQL["insert_lines"]), sa.text(_SQL["update_lines"])
_KEEP, _PASS = sa.text(_SQL["keep_judgements"]), sa.text(_SQL["pass_judgements"])


def row_of(line: Line) -> dict[str, Any]:
    """A line as JSON for its table."""
    slot = line.slot
    return {
        "id": str(line.id),
        "group_id": str(line.group_id),
        "position": line.position,
        "school_id": line.school_id,
        "account_id": line.account_id,
        "slot_id": slot.id,
        "department": slot.department,
        "category": slot.category,
        "month": slot.month,
        "starts_at": slot.starts_at.isoformat(),
        "ends_at": slot.ends_at.isoformat(),
        "time_zone": slot.time_zone,
        "centre_name": slot.centre_name,
        "snapshot": "\\x" + slot.snapshot.hex(),
        "centre_id": slot.centre_id,
        "kind": slot.kind,
        "found_elsewhere": line.found_elsewhere,
        "state": line.state,
        "since": line.since.isoformat(),
        "candidate_id": str(line.candidate_id) if line.candidate_id else None,
        "rdvpermis_candidate_id": line.rdvpermis_candidate_id,
        "expires_at": line.expires_at.isoformat() if line.expires_at else None,
        "ended_at": line.ended_at.isoformat() if line.ended_at else None,
        "basket_id": line.basket_id,
        "exam_id": line.exam_id,
        "reason": line.refusal.reason,
        "refusal": "\\x" + line.refusal.message.hex(),
        "changing": line.changing,
        "wanted_candidate_id": str(line.wanted_candidate_id) if line.wanted_candidate_id else None,
        "wanted_rdvpermis_id": line.wanted_rdvpermis_id,
        "next_poll_at": line.next_poll_at.isoformat() if line.next_poll_at else None,
        "polls": line.polls,
        "owed": line.owed,
        "trainer_id": line.trainer_id,
        "vehicle_id": line.vehicle_id,
        "partner_id": str(line.partner_id) if line.partner_id else None,
        "outcome": line.result.outcome if line.result else "",
        "points": line.result.points if line.result else None,
        "result_at": line.result.found_at.isoformat() if line.result else None,
        "version": line.version,
    }


def line_of(row: Any) -> Line:
    """A row of basket_line → Line; inverse of `row_of`."""
    slot = Slot(
        row.slot_id,
        row.department,
        row.category,
        row.month,
        row.starts_at,
        row.ends_at,
        row.time_zone,
        row.centre_name,
        row.snapshot,
        row.centre_id,
        row.kind,
    )
    return Line(
        id=row.id,
        group_id=row.group_id,
        position=row.position,
        school_id=row.school_id,
        account_id=row.account_id,
        slot=slot,
        state=State(row.state),
        since=row.since,
        candidate_id=row.candidate_id,
        rdvpermis_candidate_id=row.rdvpermis_candidate_id,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        basket_id=row.basket_id,
        exam_id=row.exam_id,
        refusal=Refusal(row.reason, row.refusal),
        changing=Changing(row.changing),
        wanted_candidate_id=row.wanted_candidate_id,
        wanted_rdvpermis_id=row.wanted_rdvpermis_id,
        next_poll_at=row.next_poll_at,
        polls=row.polls,
        owed=row.owed,
        trainer_id=row.trainer_id,
        vehicle_id=row.vehicle_id,
        found_elsewhere=row.found_elsewhere,
        partner_id=row.partner_id,
        result=Result(ExamOutcome(row.outcome), row.points, row.result_at) if row.outcome else None,
        version=row.version,
    )


async def insert_lines(tx: Tx, new: Iterable[Line]) -> set[UUID]:
    """Insert lines; return the ids of those inserted: not those whose slot or candidate another live line has.

    The unique indexes are the referees between schools, not this process. Rows go in in slot order.
    """
    rows = [row_of(line) for line in in_lock_order(new)]
    if not rows:
        return set()
    return set((await tx.execute(_INSERT, {"rows": json.dumps(rows)})).scalars())


async def update_lines(tx: Tx, after: Iterable[Line]) -> list[Line]:
    """Write lines that were read at their version; return them as written.

    STALE (and so nothing written) when one has moved meanwhile.
    """
    newer = [replace(line, version=line.version + 1) for line in in_lock_order(after)]
    if newer:
        written = (await tx.execute(_UPDATE, {"rows": json.dumps([row_of(line) for line in newer])})).scalars().all()
        if len(written) != len(newer):
            raise Failure(Code.CODE_STALE, "a line changed meanwhile; read it again")
    return newer


def lines_where(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Lines that meet the conditions, by group and position."""
    return sa.select(*lines.c).where(*conditions).order_by(lines.c.group_id, lines.c.position)


async def lines_of_groups(tx: Tx, group_ids: Iterable[UUID]) -> list[Line]:
    """Every line of these groups, ended ones too, by group and position."""
    return [line_of(row) for row in await tx.execute(lines_where(lines.c.group_id.in_(list(group_ids))))]


async def find_line(tx: Tx, school_id: str, line_id: UUID) -> Line | None:
    """The line with this id; None when there is none, or it is another school's."""
    row = (await tx.execute(lines_where(lines.c.id == line_id, lines.c.school_id == school_id))).first()
    return line_of(row) if row is not None else None


async def newest_line(tx: Tx, line: Line) -> Line:
    """The line as it is stored now; where another has replaced it (a swap, a replacement), that one."""
    after = (lines.c.school_id == line.school_id, lines.c.slot_id == line.slot.id, ALIVE)
    same = lines.c.id == line.id
    statement = lines_where(sa.or_(same, sa.and_(*after))).order_by(None).order_by(lines.c.since)
    found = {row.id: line_of(row) for row in await tx.execute(statement)}
    mine = found.pop(line.id)
    return next(iter(found.values()), mine) if mine.state in {State.REPLACED, State.SWAPPED} else mine


async def reread(tx: Tx, earlier: Iterable[Line]) -> list[Line]:
    """The same lines as they are now, in lock order; the school is locked."""
    ids = [line.id for line in earlier]
    return in_lock_order([line_of(row) for row in await tx.execute(lines_where(lines.c.id.in_(ids)))])


LATELY = timedelta(hours=1)
"""How long a group stays shown whose end nobody saw happen."""


async def lines_of_live_groups(tx: Tx, school_id: str) -> list[Line]:
    """Lines of every group that has a line in the school's basket, or lost one lately while nobody was being answered.

    Lost: it expired, RdvPermis took it back, or its answer was lost and the doubt ended badly. What a person was refused
    to their face is not shown again.
    """
    mine = lines.c.school_id == school_id
    in_basket = sa.select(lines.c.group_id).where(mine, ALIVE, lines.c.state != State.BOOKED)
    since = sa.func.now() - sa.literal(LATELY, sa.Interval)
    unanswered = sa.and_(lines.c.state.in_([State.REFUSED, State.REJECTED]), lines.c.reason == "RDVPERMIS_DOWN")
    lost = sa.select(lines.c.group_id).where(
        mine,
        lines.c.starts_at > since,  # their index has it, and what is held has not begun
        lines.c.ended_at > since,
        sa.or_(lines.c.state.in_([State.EXPIRED, State.WITHDRAWN]), unanswered),
    )
    # Two questions: in one, the order of the answer has PostgreSQL read the groups of all schools by it.
    shown = (await tx.execute(sa.union(in_basket, lost))).scalars().all()
    return await lines_of_groups(tx, shown) if shown else []


@dataclass(frozen=True)
class Conflicts:
    """Of slots and candidates asked about, those that a live line has."""

    slots: frozenset[str]
    candidates: frozenset[tuple[UUID, str]]
    """(candidate, category), also those that a change under way would name."""


async def find_conflicts(tx: Tx, slot_ids: Iterable[str], candidate_ids: Iterable[UUID]) -> Conflicts:
    """Say which of these slots and candidates a live line has."""
    slots, candidates = set(slot_ids), set(candidate_ids)
    found = sa.select(lines.c.slot_id, lines.c.candidate_id, lines.c.wanted_candidate_id, lines.c.category).where(
        ALIVE,
        sa.or_(
            lines.c.slot_id.in_(slots),
            lines.c.candidate_id.in_(candidates),
            lines.c.wanted_candidate_id.in_(candidates),
        ),
    )
    rows = (await tx.execute(found)).all()
    named = {(who, row.category) for row in rows for who in (row.candidate_id, row.wanted_candidate_id) if who}
    return Conflicts(
        frozenset(row.slot_id for row in rows if row.slot_id in slots),
        frozenset(pair for pair in named if pair[0] in candidates),
    )


async def busy_beside(tx: Tx, candidate_ids: Iterable[UUID], without: Iterable[UUID]) -> set[tuple[UUID, str]]:
    """(candidate, category) that a live line has or wants, leaving out the lines `without`."""
    asked = set(candidate_ids)
    if not asked:
        return set()
    found = sa.select(lines.c.candidate_id, lines.c.wanted_candidate_id, lines.c.category).where(
        ALIVE,
        lines.c.id.not_in(list(without)),
        sa.or_(lines.c.candidate_id.in_(asked), lines.c.wanted_candidate_id.in_(asked)),
    )
    rows = (await tx.execute(found)).all()
    return {(who, row.category) for row in rows for who in (row.candidate_id, row.wanted_candidate_id) if who in asked}


async def database_now(tx: Tx) -> datetime:
    """The database's clock: the only one that decides about expiry, whatever a replica's own says."""
    moment: datetime = (await tx.execute(sa.select(sa.func.now()))).scalar_one()
    return moment.astimezone(UTC)


@dataclass(frozen=True)
class ActTime:
    """The database's time, carried on by this process's monotonic clock for the length of one act.

    A replica whose own clock is wrong decides nothing by it.
    """

    read: datetime
    _started: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> datetime:
        """The database's time by this process's monotonic clock: exact to the round trip, and never backwards."""
        return self.read + timedelta(seconds=time.monotonic() - self._started)


async def insert_group(tx: Tx, group: Group) -> None:
    """Insert a booking action; its lines are inserted apart."""
    await tx.execute(sa.insert(groups).values(**vars(group)))


async def find_group(tx: Tx, school_id: str, group_id: UUID) -> Group | None:
    """The group with this id; None when there is none, or it is another school's."""
    return _group(await tx.execute(_groups_where(groups.c.id == group_id, groups.c.school_id == school_id)))


async def find_groups(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, Group]:
    """Groups by id; an unknown id has no entry. Of whatever school: the caller knows whose lines it has."""
    rows = await tx.execute(_groups_where(groups.c.id.in_(list(ids))))
    return {row.id: _as_group(row) for row in rows}


def _groups_where(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(*(groups.c[name] for name in Group.__dataclass_fields__)).where(*conditions)


def _as_group(row: Any) -> Group:
    return Group(*row)


def _group(result: sa.CursorResult[Any]) -> Group | None:
    row = result.first()
    return _as_group(row) if row is not None else None


async def pass_judgements(tx: Tx, heirs: Mapping[UUID, UUID]) -> None:
    """What was judged before a change now belongs to the line that came of it."""
    if heirs:
        rows = [{"old": str(old), "new": str(new)} for old, new in heirs.items()]
        await tx.execute(_PASS, {"rows": json.dumps(rows)})


async def keep_judgements(tx: Tx, purpose: str, snapshots: Mapping[UUID, bytes]) -> None:
    """Keep what the rules looked at with these lines; what they did not answer cannot be kept."""
    rows = [
        {"line_id": str(line_id), "facts": "\\x" + snapshot.hex()}
        for line_id, snapshot in snapshots.items()
        if snapshot
    ]
    if rows:
        await tx.execute(_KEEP, {"purpose": purpose, "rows": json.dumps(rows)})


async def write_changes(
    tx: Tx, outbox: Outbox, changes: Sequence[Change], messages: Sequence[Message], now: datetime
) -> list[Line]:
    """Write changes of one school's lines, the counters they move and their messages; return the lines as written.

    The school is locked when counters move. STALE (nothing written) when a line has moved since it was read.
    """
    moved = deltas(changes)
    school_id = changes[0].after.school_id if moved else ""
    if moved:
        await lock_school(tx, school_id)
    written = await update_lines(tx, [change.after for change in changes if change.before is not None])
    new = [change.after for change in changes if change.before is None]
    for line in new:
        await insert_group(tx, group_of_replacement(line))
    if new and len(await insert_lines(tx, new)) != len(new):
        raise Failure(Code.CODE_STALE, "the slot or candidate was taken meanwhile")
    # After the lines: a line that has moved may have been counted off already, and is STALE, no counter below none.
    await move_counters(tx, school_id, moved)
    heirs = {line.slot.id: line.id for line in new}
    await pass_judgements(tx, {line.id: heirs[line.slot.id] for line in written if line.slot.id in heirs})
    await outbox.add(tx, now, *messages)
    after_commit(tx, partial(_count, changes))
    return written + new


def _count(changes: Sequence[Change]) -> None:
    for change in changes:
        if change.before is None or change.before.state is not change.after.state:
            MOVED.labels(change.after.state).inc()
