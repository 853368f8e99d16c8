"""One function a question to the database, given a transaction; those on the path of every page or hold take the engine."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.statement import Row, Statement
from resapermis_kit.database.transaction import Tx
from resapermis_mandate.domain import OPEN, Mandate, SealedCandidate, SealedName, State
from resapermis_mandate.tables import candidates, mandates, words


async def add_candidate(tx: Tx, candidate: SealedCandidate, word_indexes: Collection[bytes]) -> bool:
    """Insert a candidate with the index words of the name; False when the school has this NEPH already."""
    statement = insert(candidates).values(**asdict(candidate)).on_conflict_do_nothing().returning(candidates.c.id)
    if (await tx.execute(statement)).scalar() is None:
        return False
    await _add_words(tx, candidate, word_indexes)
    return True


async def _add_words(tx: Tx, candidate: SealedCandidate, word_indexes: Collection[bytes]) -> None:
    if word_indexes:
        rows = [
            {"school_id": candidate.school_id, "word": word, "candidate_id": candidate.id}
            for word in sorted(set(word_indexes))
        ]
        await tx.execute(insert(words).values(rows))


async def correct_candidate(tx: Tx, candidate: SealedCandidate, word_indexes: Collection[bytes] | None) -> bool:
    """Write a candidate as corrected, and the index words of a name that changed; False when the school has its NEPH already.

    The row is locked (`lock_candidate`); the constraint decides between two that take one NEPH.
    """
    values = {name: value for name, value in asdict(candidate).items() if name != "id"}
    try:
        async with tx.begin_nested():
            await tx.execute(sa.update(candidates).where(candidates.c.id == candidate.id).values(**values))
    except IntegrityError:  # SQLAlchemy's text holds the statement's parameters: it goes no further
        return False
    if word_indexes is not None:
        await tx.execute(sa.delete(words).where(words.c.candidate_id == candidate.id))
        await _add_words(tx, candidate, word_indexes)
    return True


async def lock_candidate(
    tx: Tx, school_id: str, candidate_id: UUID, *, to_correct: bool = False
) -> SealedCandidate | None:
    """The school's candidate, who is not corrected until the transaction ends; `to_correct`: nor a mandate drafted."""
    statement = (
        sa.select(candidates)
        .where(candidates.c.school_id == school_id, candidates.c.id == candidate_id)
        .with_for_update(read=not to_correct, key_share=not to_correct)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else SealedCandidate(**row._mapping)  # noqa: SLF001


async def candidate_of_neph(tx: Tx, school_id: str, neph_indexes: Sequence[bytes]) -> UUID | None:
    """Whose NEPH this is at the school, under every index key in use."""
    statement = sa.select(candidates.c.id).where(
        candidates.c.school_id == school_id, candidates.c.neph_index.in_(neph_indexes)
    )
    found: UUID | None = (await tx.execute(statement)).scalars().first()
    return found


async def find_candidates(tx: Tx, school_id: str, ids: Collection[UUID]) -> list[SealedCandidate]:
    """Those of `ids` that are the school's."""
    statement = sa.select(candidates).where(candidates.c.school_id == school_id, candidates.c.id.in_(ids))
    return [SealedCandidate(**row._mapping) for row in await tx.execute(statement)]  # noqa: SLF001 - SQLAlchemy's public name


_NAMES = Statement(
    sa.select(candidates.c.id, candidates.c.wrapped_key, candidates.c.last_name, candidates.c.first_name).where(
        candidates.c.school_id == sa.bindparam("school_id"),
        candidates.c.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))),
    )
)


async def names_of(engine: AsyncEngine, school_id: str, ids: Collection[UUID]) -> list[SealedName]:
    """The names of those whom the school has, for every page: one round trip."""
    return [SealedName(**row) for row in await _NAMES.run(engine, {"school_id": school_id, "ids": list(ids)})]


async def any_candidate(tx: Tx, candidate_id: UUID) -> SealedCandidate | None:
    """A candidate of whatever school: for notification only."""
    row = (await tx.execute(sa.select(candidates).where(candidates.c.id == candidate_id))).one_or_none()
    return None if row is None else SealedCandidate(**row._mapping)  # noqa: SLF001


async def page_candidates(tx: Tx, school_id: str, before: UUID | None, limit: int) -> list[SealedCandidate]:
    """At most `limit` candidates of the school older than id `before`, newest first; not those erased: they have no name."""
    of_school = (candidates.c.school_id == school_id, candidates.c.wrapped_key.is_not(None))
    statement = sa.select(candidates).where(*of_school).order_by(candidates.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(candidates.c.id < before)
    return [SealedCandidate(**row._mapping) for row in await tx.execute(statement)]  # noqa: SLF001


async def search_candidates(
    tx: Tx,
    school_id: str,
    neph_indexes: Sequence[bytes],
    word_indexes: Sequence[Sequence[bytes]],
    before: UUID | None,
    limit: int,
) -> list[SealedCandidate]:
    """At most `limit` by NEPH, or by all words of a name (each given under every index key in use): older than `before`.

    Newest first; not those erased.
    """
    by_neph = await candidate_of_neph(tx, school_id, neph_indexes)
    if by_neph is not None:
        return await find_candidates(tx, school_id, [by_neph]) if before is None else []
    if not word_indexes:
        return []
    each = [
        sa.select(words.c.candidate_id).where(words.c.school_id == school_id, words.c.word.in_(one))
        for one in word_indexes
    ]
    named = (candidates.c.school_id == school_id, candidates.c.wrapped_key.is_not(None))
    statement = (
        sa.select(candidates)
        .where(*named, candidates.c.id.in_(sa.intersect(*each)))
        .order_by(candidates.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(candidates.c.id < before)
    return [SealedCandidate(**row._mapping) for row in await tx.execute(statement)]  # noqa: SLF001


def _mandate(row: sa.Row[Any] | Row) -> Mandate:
    fields = {name: getattr(row, name) for name in Mandate.__dataclass_fields__}
    return Mandate(**fields | {"state": State(fields["state"])})


async def add_mandate(tx: Tx, mandate: Mandate, next_poll_at: datetime | None) -> bool:
    """Insert a mandate; False when an open one for this candidate and category exists."""
    statement = (
        insert(mandates)
        .values(**asdict(mandate), next_poll_at=next_poll_at)
        .on_conflict_do_nothing(
            index_elements=[mandates.c.candidate_id, mandates.c.category],
            # Written out, not bound: PostgreSQL's generic plan, from the sixth time on, cannot match $n to the index.
            index_where=sa.text("state IN ('draft', 'pending', 'active')"),
        )
        .returning(mandates.c.id)
    )
    return (await tx.execute(statement)).scalar() is not None


async def change_mandate(tx: Tx, mandate_id: UUID, old: State, values: Mapping[str, Any]) -> Mandate | None:
    """Change a mandate that is still in state `old`; None when somebody was faster."""
    statement = (
        sa.update(mandates)
        .where(mandates.c.id == mandate_id, mandates.c.state == old)
        .values(**values)
        .returning(mandates)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _mandate(row)


async def find_mandate(tx: Tx, school_id: str, mandate_id: UUID) -> Mandate | None:
    """The mandate with this id; None when there is none, or it is another school's."""
    statement = sa.select(mandates).where(mandates.c.id == mandate_id, mandates.c.school_id == school_id)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _mandate(row)


async def open_mandate(tx: Tx, school_id: str, candidate_id: UUID, category: str) -> Mandate | None:
    """The open mandate of a candidate and category, if the school has one."""
    statement = sa.select(mandates).where(
        mandates.c.school_id == school_id,
        mandates.c.candidate_id == candidate_id,
        mandates.c.category == category,
        mandates.c.state.in_(OPEN),
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _mandate(row)


# Parameters come as sub-selects, so that PostgreSQL keeps one plan instead of making one for each number of candidates; and
# `OFFSET 0` has it probe for each candidate, where it would scan a whole index that was small when it planned.
_MANDATES_OF_SCHOOLS = Statement("""
SELECT mandate.id, mandate.candidate_id, mandate.school_id, category, gearbox, state, since, expires_at, rdvpermis_code,
  rdvpermis_candidate_id, rdvpermis_mandate_id, seen_at, polls
FROM unnest(
  (SELECT CAST(:schools AS text[])), (SELECT CAST(:candidates AS uuid[]))
) AS asked (school_id, candidate_id)
CROSS JOIN LATERAL (
  SELECT * FROM mandate
  WHERE mandate.candidate_id = asked.candidate_id AND mandate.school_id = asked.school_id OFFSET 0
) AS mandate
ORDER BY mandate.id DESC
""")
SchoolQuestion = tuple[str, Collection[UUID]]
"""A school, and the candidates of whom it asks; each once."""


async def mandates_of_schools(engine: AsyncEngine, asked: Sequence[SchoolQuestion]) -> Sequence[Sequence[Mandate]]:
    """What `mandates_of` answers to each, on the path of every hold: one round trip however many schools ask.

    A mandate is found by school and candidate at once, so a school learns of its own alone, whoever asks beside it.
    """
    pairs = {(school_id, candidate_id) for school_id, ids in asked for candidate_id in ids}
    values = {"schools": [school for school, _ in pairs], "candidates": [candidate for _, candidate in pairs]}
    found: dict[str, list[Mandate]] = {}
    for row in await _MANDATES_OF_SCHOOLS.run(engine, values):
        found.setdefault(row["school_id"], []).append(_mandate(row))
    answers = []
    for school_id, ids in asked:
        wanted = set(ids)
        answers.append([one for one in found.get(school_id, ()) if one.candidate_id in wanted])
    return answers


async def mandates_of(tx: Tx, school_id: str, candidate_ids: Collection[UUID]) -> list[Mandate]:
    """All mandates of these candidates with this school, newest first: one query however many."""
    statement = (
        sa.select(mandates)
        .where(mandates.c.school_id == school_id, mandates.c.candidate_id.in_(candidate_ids))
        .order_by(mandates.c.id.desc())
    )
    return [_mandate(row) for row in await tx.execute(statement)]


async def mandates_at_rdvpermis(tx: Tx, school_id: str, rdvpermis_ids: Collection[str]) -> list[Mandate]:
    """All mandates of the school whose candidates RdvPermis calls so, newest first: one query however many."""
    statement = (
        sa.select(mandates)
        .where(mandates.c.school_id == school_id, mandates.c.rdvpermis_candidate_id.in_(rdvpermis_ids))
        .order_by(mandates.c.id.desc())
    )
    return [_mandate(row) for row in await tx.execute(statement)]


async def page_mandates(tx: Tx, school_id: str, before: UUID | None, limit: int, state: State | None) -> list[Mandate]:
    """At most `limit` mandates of the school older than id `before`, newest first; `state` None: of every state."""
    statement = sa.select(mandates).where(mandates.c.school_id == school_id).order_by(mandates.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(mandates.c.id < before)
    if state is not None:
        statement = statement.where(mandates.c.state == state)
    return [_mandate(row) for row in await tx.execute(statement)]


async def due_mandates(tx: Tx, now: datetime, limit: int) -> list[Mandate]:
    """Mandates that RdvPermis should be read for, most overdue first."""
    statement = sa.select(mandates).where(mandates.c.next_poll_at <= now).order_by(mandates.c.next_poll_at).limit(limit)
    return [_mandate(row) for row in await tx.execute(statement)]


async def postpone_poll(tx: Tx, mandate_id: UUID, next_poll_at: datetime) -> None:
    """Poll later: RdvPermis could not be read."""
    await tx.execute(sa.update(mandates).where(mandates.c.id == mandate_id).values(next_poll_at=next_poll_at))


async def postpone_polls(tx: Tx, school_id: str, next_poll_at: datetime) -> None:
    """Poll none of a school's mandates before `next_poll_at`: nobody of it can be read for."""
    earlier = (mandates.c.school_id == school_id, mandates.c.next_poll_at < next_poll_at)
    await tx.execute(sa.update(mandates).where(*earlier).values(next_poll_at=next_poll_at))
