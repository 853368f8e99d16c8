"""Tables, and one function a question or a change, each given a transaction. The constraints are the referees.

Order of locks, everywhere: the school's row that counts its basket (`lock_school`, or the first row `count` touches),
its other counters, then lines in slot order. So two acts of one school take turns, and two schools meet on slots only.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_basket.domain import LIVE, Changing, Key, Line, Refusal, Slot, State, in_lock_order
from resapermis_kit import once
from resapermis_kit.db import NAMING, Tx
from resapermis_kit.errors import Code, Failure

metadata = sa.MetaData(naming_convention=NAMING)
MOMENT = sa.DateTime(timezone=True)

groups = sa.Table(
    "group_",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("session_id", sa.Text, nullable=False),
    sa.Column("together", sa.Boolean, nullable=False),
    sa.Column("request_caller", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("warned_at", MOMENT),
)
sa.Index("group__request_idx", groups.c.request_caller, groups.c.request_id)

_STATES = ", ".join(f"'{state}'" for state in State)
_LIVE = ", ".join(f"'{state}'" for state in sorted(LIVE))
# Not "line": that is a type of PostgreSQL's own.
lines = sa.Table(
    "basket_line",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("group_id", sa.Uuid, sa.ForeignKey("group_.id"), nullable=False),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("slot_id", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("starts_at", MOMENT, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("centre_name", sa.Text, nullable=False),
    sa.Column("snapshot", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", MOMENT, nullable=False),
    sa.Column("candidate_id", sa.Uuid),
    sa.Column("rdvpermis_candidate_id", sa.Text, nullable=False),
    sa.Column("expires_at", MOMENT),
    sa.Column("ended_at", MOMENT),
    sa.Column("basket_id", sa.Text, nullable=False),
    sa.Column("exam_id", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("refusal", sa.LargeBinary, nullable=False),
    sa.Column("changing", sa.Text, nullable=False),
    sa.Column("wanted_candidate_id", sa.Uuid),
    sa.Column("wanted_rdvpermis_id", sa.Text, nullable=False),
    sa.Column("next_look_at", MOMENT),
    sa.Column("looks", sa.Integer, nullable=False),
    sa.Column("owed", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.UniqueConstraint("group_id", "position", name="basket_line_group_id_position_key"),
    sa.CheckConstraint("position BETWEEN 0 AND 3", "position"),
    sa.CheckConstraint(f"state IN ({_STATES})", "state"),
    sa.CheckConstraint(f"(ended_at IS NULL) = (state IN ({_LIVE}))", "ended"),
    sa.CheckConstraint("state NOT IN ('confirming', 'booked') OR candidate_id IS NOT NULL", "nominative"),
    sa.CheckConstraint("state <> 'held' OR expires_at IS NOT NULL", "expires"),
)
_ALIVE = lines.c.ended_at.is_(None)
sa.Index("one_live_line_a_slot", lines.c.slot_id, unique=True, postgresql_where=_ALIVE)
sa.Index(
    "one_live_line_a_candidate",
    lines.c.candidate_id,
    lines.c.category,
    unique=True,
    postgresql_where=sa.and_(_ALIVE, lines.c.candidate_id.is_not(None)),
)
sa.Index(
    "basket_line_wanted_idx", lines.c.wanted_candidate_id, postgresql_where=lines.c.wanted_candidate_id.is_not(None)
)
sa.Index("basket_line_live_school_idx", lines.c.school_id, lines.c.group_id, postgresql_where=_ALIVE)
sa.Index("basket_line_expires_idx", lines.c.expires_at, postgresql_where=lines.c.state == "held")
sa.Index("basket_line_next_look_idx", lines.c.next_look_at, postgresql_where=lines.c.next_look_at.is_not(None))
sa.Index("basket_line_booked_idx", lines.c.starts_at, postgresql_where=lines.c.state == "booked")
sa.Index("basket_line_school_starts_idx", lines.c.school_id, lines.c.starts_at, lines.c.id)

quota = sa.Table(
    "quota",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("department", sa.Text, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("taken", sa.Integer, nullable=False),
    sa.Column("cap", sa.Integer, nullable=False),
    sa.Column("granted", sa.Integer, nullable=False),
    sa.CheckConstraint("taken >= 0", "taken"),
)
"""What a school has taken. The row whose three keys are empty counts the lines in its basket.

`cap` is the limit that the newest `count` was given, `granted` what it got: RETURNING carries it out, nothing else
reads it.
"""

heard_table = sa.Table(
    "heard",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("slot_id", sa.Text, nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("candidate_id", sa.Uuid),
    sa.Column("category", sa.Text, nullable=False),
)
"""Facts of others that concern held lines, until they are acted on."""

_NAMES = lines.c.keys()
_COLUMNS = ", ".join(_NAMES)
_FIXED = set(_NAMES[: _NAMES.index("state")])
_MUTABLE = [name for name in _NAMES if name not in _FIXED]
# Lines travel as one JSON parameter, so that a statement's text (and its plan) is the same for one line and for four.
_INSERT = sa.text(
    f"INSERT INTO basket_line ({_COLUMNS}) SELECT {_COLUMNS} "  # noqa: S608 - column names of our own table
    "FROM json_populate_recordset(NULL::basket_line, CAST(CAST(:rows AS text) AS json)) AS new "
    "WHERE NOT EXISTS (SELECT FROM basket_line AS other WHERE other.wanted_candidate_id = new.candidate_id "
    "AND other.category = new.category AND other.ended_at IS NULL AND new.ended_at IS NULL) "
    "ORDER BY slot_id ON CONFLICT DO NOTHING RETURNING id"
)
_UPDATE = sa.text(
    f"WITH new AS (SELECT id, {', '.join(_MUTABLE)} "  # noqa: S608 - as above
    "FROM json_populate_recordset(NULL::basket_line, CAST(CAST(:rows AS text) AS json))), "
    "locked AS (SELECT line.id FROM basket_line AS line JOIN new USING (id) "
    "WHERE line.version = new.version - 1 ORDER BY line.slot_id, line.id FOR UPDATE OF line) "
    f"UPDATE basket_line AS line SET {', '.join(f'{name} = new.{name}' for name in _MUTABLE)} "
    "FROM new JOIN locked USING (id) WHERE line.id = new.id RETURNING line.id"
)
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
        version=row.version,
    )


@dataclass(frozen=True)
class Group:
    """One booking action."""

    id: UUID
    school_id: str
    account_id: str
    session_id: str
    together: bool
    request_caller: str
    request_id: str
    created_at: datetime


def lone_group(line: Line) -> Group:
    """The group of a line that replaces another, whose own group may have its four lines already."""
    return Group(line.group_id, line.school_id, line.account_id, "", False, "", "", line.since)


async def now(tx: Tx) -> datetime:
    """The database's clock: the only one that decides about expiry, whatever a replica's own says."""
    moment: datetime = (await tx.execute(sa.select(sa.func.now()))).scalar_one()
    return moment.astimezone(UTC)


# What is counted


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
    if not deltas:
        return
    rows = [{"department": k[0], "month": k[1], "category": k[2], "by": by} for k, by in deltas.items()]
    await tx.execute(_MOVE, {"school_id": school_id, "rows": json.dumps(rows)})


async def counted(tx: Tx, school_id: str) -> dict[Key, int]:
    """All counters of the school that are not zero."""
    statement = sa.select(quota.c.department, quota.c.month, quota.c.category, quota.c.taken).where(
        quota.c.school_id == school_id, quota.c.taken > 0
    )
    return {(row.department, row.month, row.category): row.taken for row in await tx.execute(statement)}


# Lines


async def add_group(tx: Tx, group: Group) -> None:
    """Write down one booking action."""
    await tx.execute(sa.insert(groups).values(**vars(group)))


async def add(tx: Tx, new: Iterable[Line]) -> set[UUID]:
    """Insert lines; return the ids of those inserted: not those whose slot or candidate another live line has.

    The unique indexes are the referees between schools, not this process. Rows go in in slot order.
    """
    result = await tx.execute(_INSERT, {"rows": json.dumps([row(line) for line in in_lock_order(new)])})
    return set(result.scalars())


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


def _lines_where(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(*lines.c).where(*conditions).order_by(lines.c.group_id, lines.c.position)


async def of_groups(tx: Tx, group_ids: Iterable[UUID]) -> list[Line]:
    """All lines of these groups, by group and position."""
    return [line_of(row) for row in await tx.execute(_lines_where(lines.c.group_id.in_(list(group_ids))))]


async def group(tx: Tx, school_id: str, group_id: UUID) -> Group | None:
    """A group of the school."""
    return _group(await tx.execute(_groups_where(groups.c.id == group_id, groups.c.school_id == school_id)))


async def group_of_request(tx: Tx, caller: str, request_id: str) -> Group | None:
    """The group that a command of the caller made."""
    mine = (groups.c.request_caller == caller, groups.c.request_id == request_id)
    return _group(await tx.execute(_groups_where(*mine)))


async def groups_by_id(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, Group]:
    """These groups."""
    rows = await tx.execute(_groups_where(groups.c.id.in_(list(ids))))
    return {row.id: _as_group(row) for row in rows}


def _groups_where(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(*(groups.c[name] for name in Group.__dataclass_fields__)).where(*conditions)


def _as_group(row: Any) -> Group:
    return Group(*row)


def _group(result: sa.CursorResult[Any]) -> Group | None:
    row = result.first()
    return _as_group(row) if row is not None else None


async def line(tx: Tx, school_id: str, line_id: UUID) -> Line | None:
    """A line of the school."""
    row = (await tx.execute(_lines_where(lines.c.id == line_id, lines.c.school_id == school_id))).first()
    return line_of(row) if row is not None else None


async def newest(tx: Tx, line: Line) -> Line:
    """The line as it is now, or the one that replaced it."""
    after = (lines.c.school_id == line.school_id, lines.c.slot_id == line.slot.id, _ALIVE)
    same = lines.c.id == line.id
    statement = _lines_where(sa.or_(same, sa.and_(*after))).order_by(None).order_by(lines.c.since)
    found = {row.id: line_of(row) for row in await tx.execute(statement)}
    mine = found.pop(line.id)
    return next(iter(found.values()), mine) if mine.state is State.REPLACED else mine


async def again(tx: Tx, earlier: Iterable[Line]) -> list[Line]:
    """The same lines as they are now, in lock order; call within the school's turn."""
    ids = [line.id for line in earlier]
    return in_lock_order([line_of(row) for row in await tx.execute(_lines_where(lines.c.id.in_(ids)))])


async def live_groups(tx: Tx, school_id: str) -> list[Line]:
    """Lines of every group that has a line in the school's basket."""
    in_basket = sa.select(lines.c.group_id).where(lines.c.school_id == school_id, _ALIVE, lines.c.state != State.BOOKED)
    return [line_of(row) for row in await tx.execute(_lines_where(lines.c.group_id.in_(in_basket)))]


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
        _ALIVE,
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


async def was_asked(tx: Tx, caller: str, request_id: str) -> bool:
    """Whether a command with this request id has committed its intention."""
    mine = (once.requests.c.caller == caller, once.requests.c.request_id == request_id)
    return (await tx.execute(sa.select(sa.literal(1)).where(*mine))).first() is not None


async def forget_request(tx: Tx, caller: str, request_id: str) -> None:
    """Let the same request id be tried again: what it asked surely did not happen."""
    mine = (once.requests.c.caller == caller, once.requests.c.request_id == request_id)
    await tx.execute(sa.delete(once.requests).where(*mine))


# Work that is due, by the database's clock

_BATCH = 200


async def due_to_expire(tx: Tx) -> list[Line]:
    """Held lines whose time has come."""
    due = _lines_where(lines.c.state == State.HELD, lines.c.expires_at <= sa.func.now()).limit(_BATCH)
    return [line_of(row) for row in await tx.execute(due)]


async def due_to_look(tx: Tx) -> list[Line]:
    """Live lines about which RdvPermis is to be read, longest due first."""
    due = sa.select(*lines.c).where(_ALIVE, lines.c.next_look_at <= sa.func.now())
    return [line_of(row) for row in await tx.execute(due.order_by(lines.c.next_look_at).limit(_BATCH))]


async def due_to_give_back(tx: Tx) -> list[Line]:
    """Ended lines that RdvPermis still has in a basket of ours; not where a newer line was found in that very basket."""
    newer = lines.alias()
    kept = sa.exists().where(
        newer.c.slot_id == lines.c.slot_id, newer.c.basket_id == lines.c.basket_id, newer.c.ended_at.is_(None)
    )
    due = sa.select(*lines.c).where(lines.c.owed, lines.c.next_look_at <= sa.func.now(), ~kept)
    return [line_of(row) for row in await tx.execute(due.order_by(lines.c.next_look_at).limit(_BATCH))]


async def due_to_be_done(tx: Tx) -> list[Line]:
    """Booked lines whose exam has begun and about which nothing is in doubt."""
    due = _lines_where(
        lines.c.state == State.BOOKED, lines.c.starts_at <= sa.func.now(), lines.c.changing == Changing.NOTHING
    )
    return [line_of(row) for row in await tx.execute(due.limit(_BATCH))]


async def take_warnings(tx: Tx, seconds: int) -> list[tuple[UUID, str, datetime]]:
    """Mark groups that expire within `seconds` as warned; return (group, school, when) of each, once for ever."""
    soon = (
        sa.select(lines.c.group_id, sa.func.min(lines.c.expires_at).label("expires_at"))
        .where(
            lines.c.state == State.HELD,
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
    rows: list[Any] = list(await tx.execute(statement.order_by(heard_table.c.id).limit(_BATCH)))
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
    return [line_of(row) for row in await tx.execute(_lines_where(*mine, lines.c.state == State.HELD))]


async def held_on_slot(tx: Tx, slot_id: str) -> Line | None:
    """The held line on a slot, whoever's it is."""
    row = (await tx.execute(_lines_where(lines.c.slot_id == slot_id, lines.c.state == State.HELD))).first()
    return line_of(row) if row is not None else None


# Bookings


@dataclass(frozen=True)
class Page:
    """A keyset page: what to list and after what."""

    states: Sequence[State]
    newest_first: bool
    limit: int
    after: tuple[datetime, UUID] | None
    begun: bool | None = None
    """Only exams that have begun, or only those that have not."""


async def bookings(tx: Tx, school_id: str, page: Page) -> list[Line]:
    """One page of the school's bookings by start."""
    key = sa.tuple_(lines.c.starts_at, lines.c.id)
    conditions = [lines.c.school_id == school_id, lines.c.state.in_(page.states)]
    if page.begun is not None:
        begun = lines.c.starts_at <= sa.func.now()
        conditions.append(sa.or_(begun, lines.c.state != State.BOOKED) if page.begun else ~begun)
    if page.after is not None:
        edge = sa.tuple_(sa.literal(page.after[0], MOMENT), sa.literal(page.after[1], sa.Uuid))
        conditions.append(key < edge if page.newest_first else key > edge)
    order = (lines.c.starts_at, lines.c.id)
    statement = sa.select(*lines.c).where(*conditions).limit(page.limit)
    statement = statement.order_by(*(column.desc() if page.newest_first else column for column in order))
    return [line_of(row) for row in await tx.execute(statement)]
