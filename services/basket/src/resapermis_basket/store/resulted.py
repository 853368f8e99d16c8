"""Results: which are looked for, what they add up to, which penalties were told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_basket.domain import ExamOutcome, Line, State
from resapermis_basket.store.line_rows import line_of
from resapermis_basket.store.tables import in_state, lines, penalties_seen
from resapermis_kit.database.transaction import Tx

DONE = in_state(State.DONE)
PATIENCE = 500


async def due_for_a_result(tx: Tx) -> list[Line]:
    """Lines whose exam is over, whose result is to be looked for now; longest due first."""
    due = sa.select(*lines.c).where(DONE, lines.c.outcome == "", lines.c.next_look_at <= sa.func.now())
    return [line_of(row) for row in await tx.execute(due.order_by(lines.c.next_look_at).limit(PATIENCE))]


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


async def penalties_told(tx: Tx, school_id: str, category: str, candidates: Iterable[str]) -> dict[str, bytes]:
    """Digest of the list last told, by RdvPermis' candidate id."""
    of = penalties_seen.c
    mine = (of.school_id == school_id, of.category == category, of.rdvpermis_candidate_id.in_(list(candidates)))
    found = await tx.execute(sa.select(of.rdvpermis_candidate_id, of.digest).where(*mine))
    return {row.rdvpermis_candidate_id: row.digest for row in found}


async def tell_penalties(tx: Tx, school_id: str, category: str, digests: Mapping[str, bytes]) -> None:
    """Remember which lists are told."""
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
