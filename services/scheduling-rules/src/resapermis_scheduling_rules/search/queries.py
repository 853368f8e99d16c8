"""Slots of a search: parts of an index read side by side, each in order and no further than needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.statement import Statement
from resapermis_scheduling_rules.search.criteria import Position, ReadStep, Row


@dataclass(frozen=True, slots=True)
class SearchShape:
    """How to read: by department or by centre, only free ones, only one kind."""

    by_centre: bool
    free_only: bool
    kind: bool


def text(reading: SearchShape) -> str:
    """One index scan a stream and part (`slot_search_idx`, `slot_free_idx`, `slot_centre_idx`, `slot_centre_free_idx`).

    Parts of the window come in order and apart, and each is sorted in itself: what the outer LIMIT does not need of later
    parts is not read at all. (A nested loop over functions keeps their order.)
    """
    column = "centre_id" if reading.by_centre else "department"
    free = " AND status = 'FREE'" if reading.free_only else ""
    kind = " AND kind = :kind" if reading.kind else ""
    return (
        "SELECT part.n, s.id, s.centre_id, s.kind, s.starts_at, s.ends_at, s.published_at, s.status, s.school_id, s.seen_at"  # noqa: S608 - our own words
        " FROM unnest(CAST(:lows AS timestamptz[]), CAST(:ids AS text[]), CAST(:highs AS timestamptz[]))"
        " WITH ORDINALITY AS part(low, id, high, n)"
        " CROSS JOIN LATERAL (SELECT one.* FROM unnest(CAST(:keys AS text[])) AS stream(key)"
        " CROSS JOIN LATERAL (SELECT id, centre_id, kind, starts_at, ends_at, published_at, status, school_id, seen_at"
        f" FROM slot WHERE {column} = stream.key AND category = CAST(:category AS text)"
        " AND (starts_at, id) > (part.low, part.id) AND starts_at < part.high"
        f" AND withdrawn_at IS NULL{free}{kind} ORDER BY starts_at, id LIMIT CAST(:each AS int)) AS one"
        " ORDER BY one.starts_at, one.id LIMIT CAST(:most AS int)) AS s LIMIT CAST(:most AS int)"
    )


@lru_cache
def _statement(reading: SearchShape) -> Statement:
    return Statement(text(reading))


async def read_step(
    engine: AsyncEngine, reading: SearchShape, category: str, kind: str, after: Position, step: ReadStep
) -> Sequence[Row]:
    """The first slots of a step after a position, in order of (starts_at, id): `most` of all its streams together."""
    values: dict[str, Any] = {
        "lows": [low for low, _ in step.parts],
        "highs": [high for _, high in step.parts],
        "keys": step.keys,
        "category": category,
        "ids": [after[1] if low == after[0] else "" for low, _ in step.parts],
        "each": step.most_each,
        "most": step.most,
        "kind": kind,
    }
    return await _statement(reading).run(engine, values)
