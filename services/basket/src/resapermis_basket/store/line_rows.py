"""Lines read and written, whole, at their version."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from resapermis_basket.domain import Changing, ExamOutcome, Line, Refusal, Result, Slot, State, in_lock_order
from resapermis_basket.store.tables import ALIVE, lines
from resapermis_kit.database.transaction import Tx
from resapermis_kit.errors import Code, Failure

_NAMES = lines.c.keys()
COLUMNS = ", ".join(_NAMES)
_FIXED = set(_NAMES[: _NAMES.index("state")])
MUTABLE = [name for name in _NAMES if name not in _FIXED]
SET_MUTABLE = ", ".join(f"{name} = new.{name}" for name in MUTABLE)
WANTED_BY_ANOTHER = (
    "EXISTS (SELECT FROM basket_line AS other WHERE other.wanted_candidate_id = new.candidate_id "
    "AND other.category = new.category AND other.ended_at IS NULL AND new.ended_at IS NULL)"
)
"""A change under way would put the new line's candidate on another line: reserved, as if it stood there."""
LOCKED_AND_NEW = (
    f"new AS (SELECT id, {', '.join(MUTABLE)} "  # noqa: S608 - column names of our own table
    "FROM json_populate_recordset(NULL::basket_line, CAST(CAST(:rows AS text) AS json))), "
    "locked AS (SELECT line.id FROM basket_line AS line JOIN new USING (id) "
    "WHERE line.version = new.version - 1 ORDER BY line.slot_id, line.id FOR UPDATE OF line)"
)
"""Lines as they shall be, and those of them that still are as they were read, locked in slot order."""
# Lines travel as one JSON parameter, so that a statement's text (and its plan) is the same for one line and for four.
_INSERT = sa.text(
    f"INSERT INTO basket_line ({COLUMNS}) SELECT {COLUMNS} "  # noqa: S608 - as above
    "FROM json_populate_recordset(NULL::basket_line, CAST(CAST(:rows AS text) AS json)) AS new "
    f"WHERE NOT {WANTED_BY_ANOTHER} ORDER BY slot_id ON CONFLICT DO NOTHING RETURNING id"
)
_UPDATE = sa.text(
    f"WITH {LOCKED_AND_NEW} UPDATE basket_line AS line SET {SET_MUTABLE} "  # noqa: S608 - as above
    "FROM new JOIN locked USING (id) WHERE line.id = new.id RETURNING line.id"
)


def row(line: Line) -> dict[str, Any]:
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
        "next_look_at": line.next_look_at.isoformat() if line.next_look_at else None,
        "looks": line.looks,
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
    """Inverse of `row`."""
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
        next_look_at=row.next_look_at,
        looks=row.looks,
        owed=row.owed,
        trainer_id=row.trainer_id,
        vehicle_id=row.vehicle_id,
        found_elsewhere=row.found_elsewhere,
        partner_id=row.partner_id,
        result=Result(ExamOutcome(row.outcome), row.points, row.result_at) if row.outcome else None,
        version=row.version,
    )


async def add(tx: Tx, new: Iterable[Line]) -> set[UUID]:
    """Insert lines; return the ids of those inserted: not those whose slot or candidate another live line has.

    The unique indexes are the referees between schools, not this process. Rows go in in slot order.
    """
    rows = [row(line) for line in in_lock_order(new)]
    if not rows:
        return set()
    return set((await tx.execute(_INSERT, {"rows": json.dumps(rows)})).scalars())


async def save(tx: Tx, after: Iterable[Line]) -> list[Line]:
    """Write lines that were read at their version; return them as written.

    STALE (and so nothing written) when one has moved meanwhile.
    """
    newer = [replace(line, version=line.version + 1) for line in in_lock_order(after)]
    if newer:
        written = (await tx.execute(_UPDATE, {"rows": json.dumps([row(line) for line in newer])})).scalars().all()
        if len(written) != len(newer):
            raise Failure(Code.CODE_STALE, "a line changed meanwhile; read it again")
    return newer


def lines_where(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Lines that meet the conditions, by group and position."""
    return sa.select(*lines.c).where(*conditions).order_by(lines.c.group_id, lines.c.position)


async def of_groups(tx: Tx, group_ids: Iterable[UUID]) -> list[Line]:
    """All lines of these groups, by group and position."""
    return [line_of(row) for row in await tx.execute(lines_where(lines.c.group_id.in_(list(group_ids))))]


async def line(tx: Tx, school_id: str, line_id: UUID) -> Line | None:
    """A line of the school."""
    row = (await tx.execute(lines_where(lines.c.id == line_id, lines.c.school_id == school_id))).first()
    return line_of(row) if row is not None else None


async def newest(tx: Tx, line: Line) -> Line:
    """The line as it is now, or the one that replaced it."""
    after = (lines.c.school_id == line.school_id, lines.c.slot_id == line.slot.id, ALIVE)
    same = lines.c.id == line.id
    statement = lines_where(sa.or_(same, sa.and_(*after))).order_by(None).order_by(lines.c.since)
    found = {row.id: line_of(row) for row in await tx.execute(statement)}
    mine = found.pop(line.id)
    return next(iter(found.values()), mine) if mine.state in {State.REPLACED, State.SWAPPED} else mine


async def again(tx: Tx, earlier: Iterable[Line]) -> list[Line]:
    """The same lines as they are now, in lock order; call within the school's turn."""
    ids = [line.id for line in earlier]
    return in_lock_order([line_of(row) for row in await tx.execute(lines_where(lines.c.id.in_(ids)))])


async def live_groups(tx: Tx, school_id: str) -> list[Line]:
    """Lines of every group that has a line in the school's basket."""
    in_basket = sa.select(lines.c.group_id).where(lines.c.school_id == school_id, ALIVE, lines.c.state != State.BOOKED)
    return [line_of(row) for row in await tx.execute(lines_where(lines.c.group_id.in_(in_basket)))]


@dataclass(frozen=True)
class Conflicts:
    """What other live lines have."""

    slots: frozenset[str]
    candidates: frozenset[tuple[UUID, str]]
    """(candidate, category), also those that a change under way would name."""


async def conflicts(tx: Tx, slot_ids: Iterable[str], candidate_ids: Iterable[UUID]) -> Conflicts:
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
