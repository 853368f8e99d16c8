"""Bookings page by page, results, the allowance of replacements: what the acts on bookings ask of the database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_basket.domain.answer import ELIGIBILITY_LASTS, Eligibility
from resapermis_basket.domain.line import ExamOutcome, Line, State
from resapermis_basket.line.queries import line_of
from resapermis_basket.tables import ALIVE, MOMENT, allowances, eligibility, in_state, lines, penalties_seen
from resapermis_kit.database.transaction import Tx


@dataclass(frozen=True)
class BookingPage:
    """A keyset page: what to list and after what."""

    states: Sequence[State]
    newest_first: bool
    limit: int
    after: tuple[datetime, UUID] | None
    begun: bool | None = None
    """Only exams that have begun, or only those that have not."""
    candidate_id: UUID | None = None
    """Only this candidate's."""


async def booked_with_exams(tx: Tx, school_id: str, exam_ids: Iterable[str]) -> list[Line]:
    """Booked lines of the school that have these exams, by start."""
    mine = (lines.c.school_id == school_id, in_state(State.BOOKED), lines.c.exam_id.in_(list(exam_ids)))
    statement = sa.select(*lines.c).where(ALIVE, *mine).order_by(lines.c.starts_at, lines.c.id)
    return [line_of(row) for row in await tx.execute(statement)]


async def find_bookings(tx: Tx, school_id: str, page: BookingPage) -> list[Line]:
    """One page of the school's bookings by start."""
    key = sa.tuple_(lines.c.starts_at, lines.c.id)
    conditions = [lines.c.school_id == school_id, lines.c.state.in_(page.states)]
    if page.candidate_id is not None:
        conditions.append(lines.c.candidate_id == page.candidate_id)
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


DONE = in_state(State.DONE)
DUE_AT_ONCE = 500


async def due_for_a_result(tx: Tx) -> list[Line]:
    """Lines whose exam is over, whose result is to be polled now; longest due first."""
    due = sa.select(*lines.c).where(DONE, lines.c.outcome == "", lines.c.next_poll_at <= sa.func.now())
    return [line_of(row) for row in await tx.execute(due.order_by(lines.c.next_poll_at).limit(DUE_AT_ONCE))]


@dataclass(frozen=True)
class Tally:
    """How the exams of a month, category and kind went."""

    month: str
    category: str
    kind: str
    passed: int
    failed: int
    absent: int
    awaited: int


async def tallies(tx: Tx, school_id: str, first: str, last: str) -> list[Tally]:
    """The school's exams that are over, from month `first` to `last`."""
    key = (lines.c.month, lines.c.category, lines.c.kind)
    counts = [sa.func.count().filter(lines.c.outcome == word) for word in (*ExamOutcome, "")]
    mine = (lines.c.school_id == school_id, DONE, lines.c.month.between(first, last))
    statement = sa.select(*key, *counts).where(*mine).group_by(*key).order_by(*key)
    return [Tally(*row) for row in await tx.execute(statement)]


async def penalties_published(tx: Tx, school_id: str, category: str, candidates: Iterable[str]) -> dict[str, bytes]:
    """Digest of the list last published, by RdvPermis' candidate id."""
    of = penalties_seen.c
    mine = (of.school_id == school_id, of.category == category, of.rdvpermis_candidate_id.in_(list(candidates)))
    found = await tx.execute(sa.select(of.rdvpermis_candidate_id, of.digest).where(*mine))
    return {row.rdvpermis_candidate_id: row.digest for row in found}


async def keep_penalties(tx: Tx, school_id: str, category: str, digests: Mapping[str, bytes]) -> None:
    """Keep the digest of each candidate's list of penalties as published, by RdvPermis' candidate id."""
    rows = [
        {"school_id": school_id, "category": category, "rdvpermis_candidate_id": who, "digest": digest}
        for who, digest in sorted(digests.items())
    ]
    if rows:
        statement = insert(penalties_seen).values(rows)
        await tx.execute(
            statement.on_conflict_do_update(
                constraint="penalties_seen_pkey", set_={"digest": statement.excluded.digest}
            )
        )


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many replacements RdvPermis leaves a school in a month, as read at `seen_at`."""

    left: int
    per_month: int
    seen_at: datetime


_ALLOWANCE = allowances.c


def _mine(school_id: str, category: str, month: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (_ALLOWANCE.school_id == school_id, _ALLOWANCE.category == category, _ALLOWANCE.month == month)


async def find_allowance(tx: Tx, school_id: str, category: str, month: str) -> Allowance | None:
    """As last read; None when it never was, or has changed since."""
    statement = sa.select(_ALLOWANCE.left_, _ALLOWANCE.per_month, _ALLOWANCE.seen_at).where(
        *_mine(school_id, category, month)
    )
    row = (await tx.execute(statement)).first()
    return Allowance(*row) if row is not None else None


async def keep_allowance(
    tx: Tx, school_id: str, category: str, month: str, left: int, per_month: int, now: datetime
) -> None:
    """Keep RdvPermis' answer for this school, category and month over an earlier one."""
    read = {"left_": left, "per_month": per_month, "seen_at": now}
    statement = insert(allowances).values(school_id=school_id, category=category, month=month, **read)
    await tx.execute(statement.on_conflict_do_update(constraint="allowance_pkey", set_=read))


async def forget_allowance(tx: Tx, school_id: str, category: str, month: str) -> None:
    """Delete the kept allowance: one replacement was used, and only RdvPermis knows what is left."""
    await tx.execute(sa.delete(allowances).where(*_mine(school_id, category, month)))


async def read_eligibility(tx: Tx, school_id: str) -> dict[tuple[str, str], Eligibility]:
    """RdvPermis' answers about the school's candidates that still stand."""
    fresh = eligibility.c.seen_at > sa.func.now() - sa.literal(ELIGIBILITY_LASTS, sa.Interval)
    columns = [eligibility.c[name] for name in Eligibility.__dataclass_fields__]
    rows = await tx.execute(sa.select(*columns).where(eligibility.c.school_id == school_id, fresh))
    answers = [Eligibility(*row) for row in rows]
    return {(one.category, one.rdvpermis_candidate_id): one for one in answers}
