"""What is asked about bars: who may not be booked until when, and how a bar is lifted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_kit.database.transaction import Tx
from resapermis_scheduling_rules.domain.penalties import Bar, Barred, Reason
from resapermis_scheduling_rules.evaluation.tables import bars, penalty_looks

NAMESPACE = UUID("7c5a1a9e-4f0d-5f2b-9d7e-2f6f8f0a3b11")
"""A bar's id follows from what made it: the same fact, seen twice, is one bar."""
OF_A_RESULT = (Reason.PASSED, Reason.FAILURE, Reason.ABSENCE, Reason.RESULT_PENDING)


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom a bar concerns: a school's candidate in a category group."""

    school_id: str
    candidate_id: str
    category: str


@dataclass(frozen=True, slots=True)
class Found:
    """A bar that RdvPermis publishes, with its motif verbatim."""

    reason: str
    until: datetime | None
    """None: until it says so no more."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A bar as kept, with how far its lifting is."""

    whom: Whom
    bar: Bar
    proposed_by: str = ""
    approved_by: str = ""


def _kept(row: Any) -> Kept:
    bar = Bar(
        id=str(row.id),
        reason=row.reason,
        since=row.since,
        until=row.until,
        kind=row.kind,
        from_rdvpermis=row.line_id is None,
        lifted=row.approved_by is not None,
    )
    whom = Whom(row.school_id, row.candidate_id, row.category)
    return Kept(whom, bar, row.proposed_by or "", row.approved_by or "")


async def of_line(tx: Tx, whom: Whom, line_id: str, barred: Barred) -> None:
    """Write a bar that follows from a line, once; said again with another end it is moved, its lifting stays.

    One that would last no time (a parameter of 0 days) bars nobody.
    """
    if barred.until is not None and barred.until <= barred.since:
        await tx.execute(sa.delete(bars).where(bars.c.line_id == line_id, bars.c.reason == barred.reason))
        return
    upsert = insert(bars).values(
        id=uuid5(NAMESPACE, f"{line_id}/{barred.reason}"),
        school_id=whom.school_id,
        candidate_id=whom.candidate_id,
        category=whom.category,
        kind=barred.kind,
        reason=barred.reason,
        since=barred.since,
        until=barred.until,
        line_id=line_id,
    )
    names = ("since", "until", "kind")
    await tx.execute(
        upsert.on_conflict_do_update(
            index_elements=[bars.c.line_id, bars.c.reason],
            index_where=bars.c.line_id.is_not(None),
            set_={name: upsert.excluded[name] for name in names},
        )
    )


async def of_result(tx: Tx, whom: Whom, line_id: str, barred: Barred | None) -> None:
    """Write what a line's result bars, in place of the waiting for it and of any other result said before."""
    others = [reason for reason in OF_A_RESULT if barred is None or reason is not barred.reason]
    await tx.execute(sa.delete(bars).where(bars.c.line_id == line_id, bars.c.reason.in_(others)))
    if barred is not None:
        await of_line(tx, whom, line_id, barred)


async def has_result(tx: Tx, line_id: str) -> bool:
    """Whether a result of this line was found already."""
    results = [reason for reason in OF_A_RESULT if reason is not Reason.RESULT_PENDING]
    statement = sa.select(sa.exists().where(bars.c.line_id == line_id, bars.c.reason.in_(results)))
    return bool((await tx.execute(statement)).scalar())


async def of_rdvpermis(tx: Tx, whom: Whom, found: Sequence[Found], seen_at: datetime) -> None:
    """Put what RdvPermis says now in place of what it said before; an older look changes nothing."""
    look = insert(penalty_looks).values(candidate_id=whom.candidate_id, category=whom.category, seen_at=seen_at)
    newer = look.on_conflict_do_update(
        index_elements=list(penalty_looks.primary_key),
        set_={"seen_at": look.excluded.seen_at},
        where=penalty_looks.c.seen_at < look.excluded.seen_at,
    ).returning(penalty_looks.c.seen_at)
    if (await tx.execute(newer)).one_or_none() is None:
        return
    rows = {}
    for one in found:
        if one.until is None or one.until > seen_at:
            end = "" if one.until is None else one.until.isoformat()
            name = f"{whom.candidate_id}/{whom.category}/{one.reason}/{end}"
            rows[uuid5(NAMESPACE, name)] = one
    theirs = (
        bars.c.candidate_id == whom.candidate_id,
        bars.c.category == whom.category,
        bars.c.line_id.is_(None),
    )
    await tx.execute(sa.delete(bars).where(*theirs, bars.c.id.not_in(list(rows))))
    if rows:
        values = [
            {
                "id": bar_id,
                "school_id": whom.school_id,
                "candidate_id": whom.candidate_id,
                "category": whom.category,
                "kind": "",
                "reason": one.reason,
                "since": seen_at,
                "until": one.until,
                "line_id": None,
            }
            for bar_id, one in rows.items()
        ]
        await tx.execute(insert(bars).values(values).on_conflict_do_nothing(index_elements=[bars.c.id]))


def standing_of(school_id: str, candidate_ids: Sequence[str], now: datetime) -> sa.Select[tuple[object, ...]]:
    """The statement of `of_candidates`: bars that have not ended."""
    return sa.select(bars).where(
        bars.c.school_id == school_id,
        bars.c.candidate_id.in_(candidate_ids),
        sa.or_(bars.c.until.is_(None), bars.c.until > now),
    )


async def of_candidates(tx: Tx, school_id: str, candidate_ids: Sequence[str], now: datetime) -> list[Kept]:
    """Bars of a school's candidates that have not ended, longest last; lifted ones too."""
    if not candidate_ids:
        return []
    statement = standing_of(school_id, candidate_ids, now).order_by(bars.c.until, bars.c.id)
    return [_kept(row) for row in await tx.execute(statement)]


async def bar_of(tx: Tx, school_id: str, bar_id: UUID) -> Kept | None:
    """One bar of a school's candidate, locked."""
    statement = sa.select(bars).where(bars.c.id == bar_id, bars.c.school_id == school_id).with_for_update()
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _kept(row)


async def propose_lift(tx: Tx, bar_id: UUID, reason: str, by: str, at: datetime) -> None:
    """Write that somebody asks for a bar to be lifted."""
    values = {"lift_reason": reason, "proposed_by": by, "proposed_at": at}
    await tx.execute(sa.update(bars).where(bars.c.id == bar_id).values(**values))


async def approve_lift(tx: Tx, bar_id: UUID, by: str, at: datetime) -> None:
    """Lift it; that one person did both is the table's to refuse (`four_eyes`)."""
    await tx.execute(sa.update(bars).where(bars.c.id == bar_id).values(approved_by=by, approved_at=at))


async def forget_bars(tx: Tx, ended_before: datetime, passed_before: datetime) -> None:
    """Delete bars that ended long ago, and passes whose result is no longer valid; RdvPermis' open ones are its own."""
    passed = sa.and_(bars.c.reason == Reason.PASSED, bars.c.since < passed_before)
    await tx.execute(sa.delete(bars).where(sa.or_(bars.c.until < ended_before, passed)))
    await tx.execute(sa.delete(penalty_looks).where(penalty_looks.c.seen_at < ended_before))
