"""What is asked about restrictions: who may not be booked until when, and how a restriction is waived."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_kit.database.transaction import Tx
from resapermis_scheduling_rules.domain.restrictions import NewRestriction, Reason, Restriction
from resapermis_scheduling_rules.evaluation.tables import penalty_polls, restrictions

NAMESPACE = UUID("7c5a1a9e-4f0d-5f2b-9d7e-2f6f8f0a3b11")
"""A restriction's id follows from what made it: the same event, seen twice, is one restriction."""
OF_A_RESULT = (Reason.PASSED, Reason.FAILURE, Reason.ABSENCE, Reason.RESULT_PENDING)


@dataclass(frozen=True, slots=True)
class RestrictionSubject:
    """Whose restriction: a school's candidate in a category group."""

    school_id: str
    candidate_id: str
    category: str


@dataclass(frozen=True, slots=True)
class PublishedRestriction:
    """A restriction that RdvPermis publishes, with its motif verbatim."""

    reason: str
    until: datetime | None
    """None: until it lists it no more."""


@dataclass(frozen=True, slots=True)
class KeptRestriction:
    """A restriction as stored; `proposed_by` and `approved_by` are the accounts of its waiver, "" for nobody yet."""

    whom: RestrictionSubject
    restriction: Restriction
    proposed_by: str = ""
    approved_by: str = ""


def _kept(row: Any) -> KeptRestriction:
    restriction = Restriction(
        id=str(row.id),
        reason=row.reason,
        since=row.since,
        until=row.until,
        kind=row.kind,
        from_rdvpermis=row.line_id is None,
        waived=row.approved_by is not None,
    )
    whom = RestrictionSubject(row.school_id, row.candidate_id, row.category)
    return KeptRestriction(whom, restriction, row.proposed_by or "", row.approved_by or "")


async def write_line_restriction(tx: Tx, whom: RestrictionSubject, line_id: str, restriction: NewRestriction) -> None:
    """Write a restriction that follows from a line, once; stated again with another end it is moved, its waiver stays.

    One that would last no time (a parameter of 0 days) restricts nobody.
    """
    if restriction.until is not None and restriction.until <= restriction.since:
        await tx.execute(
            sa.delete(restrictions).where(
                restrictions.c.line_id == line_id, restrictions.c.reason == restriction.reason
            )
        )
        return
    upsert = insert(restrictions).values(
        id=uuid5(NAMESPACE, f"{line_id}/{restriction.reason}"),
        school_id=whom.school_id,
        candidate_id=whom.candidate_id,
        category=whom.category,
        kind=restriction.kind,
        reason=restriction.reason,
        since=restriction.since,
        until=restriction.until,
        line_id=line_id,
    )
    names = ("since", "until", "kind")
    await tx.execute(
        upsert.on_conflict_do_update(
            index_elements=[restrictions.c.line_id, restrictions.c.reason],
            index_where=restrictions.c.line_id.is_not(None),
            set_={name: upsert.excluded[name] for name in names},
        )
    )


async def write_result_restriction(
    tx: Tx, whom: RestrictionSubject, line_id: str, restriction: NewRestriction | None
) -> None:
    """Write what a line's result restricts, in place of the waiting for it and of any other result stated before."""
    others = [reason for reason in OF_A_RESULT if restriction is None or reason is not restriction.reason]
    await tx.execute(
        sa.delete(restrictions).where(restrictions.c.line_id == line_id, restrictions.c.reason.in_(others))
    )
    if restriction is not None:
        await write_line_restriction(tx, whom, line_id, restriction)


async def has_result(tx: Tx, line_id: str) -> bool:
    """Whether a result of this line was found already."""
    results = [reason for reason in OF_A_RESULT if reason is not Reason.RESULT_PENDING]
    statement = sa.select(sa.exists().where(restrictions.c.line_id == line_id, restrictions.c.reason.in_(results)))
    return bool((await tx.execute(statement)).scalar())


async def replace_rdvpermis_restrictions(
    tx: Tx, whom: RestrictionSubject, found: Sequence[PublishedRestriction], seen_at: datetime
) -> None:
    """Put what RdvPermis lists now in place of what it listed before; an older poll changes nothing."""
    poll = insert(penalty_polls).values(candidate_id=whom.candidate_id, category=whom.category, seen_at=seen_at)
    newer = poll.on_conflict_do_update(
        index_elements=list(penalty_polls.primary_key),
        set_={"seen_at": poll.excluded.seen_at},
        where=penalty_polls.c.seen_at < poll.excluded.seen_at,
    ).returning(penalty_polls.c.seen_at)
    if (await tx.execute(newer)).one_or_none() is None:
        return
    rows = {}
    for one in found:
        if one.until is None or one.until > seen_at:
            end = "" if one.until is None else one.until.isoformat()
            name = f"{whom.candidate_id}/{whom.category}/{one.reason}/{end}"
            rows[uuid5(NAMESPACE, name)] = one
    theirs = (
        restrictions.c.candidate_id == whom.candidate_id,
        restrictions.c.category == whom.category,
        restrictions.c.line_id.is_(None),
    )
    await tx.execute(sa.delete(restrictions).where(*theirs, restrictions.c.id.not_in(list(rows))))
    if rows:
        values = [
            {
                "id": restriction_id,
                "school_id": whom.school_id,
                "candidate_id": whom.candidate_id,
                "category": whom.category,
                "kind": "",
                "reason": one.reason,
                "since": seen_at,
                "until": one.until,
                "line_id": None,
            }
            for restriction_id, one in rows.items()
        ]
        await tx.execute(insert(restrictions).values(values).on_conflict_do_nothing(index_elements=[restrictions.c.id]))


def standing_of(school_id: str, candidate_ids: Sequence[str], now: datetime) -> sa.Select[tuple[object, ...]]:
    """The statement of `of_candidates`: restrictions that have not ended."""
    return sa.select(restrictions).where(
        restrictions.c.school_id == school_id,
        restrictions.c.candidate_id.in_(candidate_ids),
        sa.or_(restrictions.c.until.is_(None), restrictions.c.until > now),
    )


async def of_candidates(tx: Tx, school_id: str, candidate_ids: Sequence[str], now: datetime) -> list[KeptRestriction]:
    """Restrictions of a school's candidates that have not ended, longest last; waived ones too."""
    if not candidate_ids:
        return []
    statement = standing_of(school_id, candidate_ids, now).order_by(restrictions.c.until, restrictions.c.id)
    return [_kept(row) for row in await tx.execute(statement)]


async def restriction_of(tx: Tx, school_id: str, restriction_id: UUID) -> KeptRestriction | None:
    """One restriction of a school's candidate, locked."""
    statement = (
        sa.select(restrictions)
        .where(restrictions.c.id == restriction_id, restrictions.c.school_id == school_id)
        .with_for_update()
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _kept(row)


async def propose_waiver(tx: Tx, restriction_id: UUID, reason: str, by: str, at: datetime) -> None:
    """Write that somebody asks for a restriction to be waived."""
    values = {"waiver_reason": reason, "proposed_by": by, "proposed_at": at}
    await tx.execute(sa.update(restrictions).where(restrictions.c.id == restriction_id).values(**values))


async def approve_waiver(tx: Tx, restriction_id: UUID, by: str, at: datetime) -> None:
    """Waive it; that one person did both is the table's to refuse (`four_eyes`)."""
    await tx.execute(
        sa.update(restrictions).where(restrictions.c.id == restriction_id).values(approved_by=by, approved_at=at)
    )


async def forget_restrictions(tx: Tx, ended_before: datetime, passed_before: datetime) -> None:
    """Delete restrictions that ended long ago, and passes whose result is no longer valid; RdvPermis' open ones are its own."""
    passed = sa.and_(restrictions.c.reason == Reason.PASSED, restrictions.c.since < passed_before)
    await tx.execute(sa.delete(restrictions).where(sa.or_(restrictions.c.until < ended_before, passed)))
    await tx.execute(sa.delete(penalty_polls).where(penalty_polls.c.seen_at < ended_before))
