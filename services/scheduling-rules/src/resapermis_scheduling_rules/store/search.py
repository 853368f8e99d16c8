"""Slots of a search: parts of an index read side by side, each in order and no further than needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa

from resapermis_kit.db import Tx
from resapermis_scheduling_rules.domain import Centre
from resapermis_scheduling_rules.search.wanted import Position, Step
from resapermis_scheduling_rules.store.tables import TIME, centres, offers

Row = tuple[int, str, str, str, datetime, datetime, datetime, str, str | None, datetime]
"""(stretch, id, centre, kind, starts, ends, published, status, holder, seen)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read: by department or by centre, only free ones, only one kind."""

    by_centre: bool
    free_only: bool
    kind: bool


@lru_cache
def statement(reading: Reading) -> sa.TextClause:
    """One index scan a stretch (`slot_search_idx`, `slot_free_idx`, `slot_centre_idx` or `slot_centre_free_idx`)."""
    column = "centre_id" if reading.by_centre else "department"
    free = " AND status = 'FREE'" if reading.free_only else ""
    kind = " AND kind = :kind" if reading.kind else ""
    return sa.text(
        "SELECT k.n, s.id, s.centre_id, s.kind, s.starts_at, s.ends_at, s.published_at, s.status, s.school_id, s.seen_at"  # noqa: S608 - our own words
        " FROM unnest(CAST(:keys AS text[]), CAST(:lows AS timestamptz[]), CAST(:highs AS timestamptz[]))"
        " WITH ORDINALITY AS k(key, low, high, n)"
        " CROSS JOIN LATERAL (SELECT id, centre_id, kind, starts_at, ends_at, published_at, status, school_id, seen_at"
        f" FROM slot WHERE {column} = k.key AND category = :category"
        " AND starts_at >= k.low AND starts_at < k.high AND (starts_at, id) > (:at, :id)"
        f" AND withdrawn_at IS NULL{free}{kind} ORDER BY starts_at, id LIMIT :each) AS s"
        " ORDER BY s.starts_at, s.id LIMIT :most"
    ).bindparams(
        sa.bindparam("at", type_=TIME),
        sa.bindparam("lows", type_=sa.ARRAY(TIME)),
        sa.bindparam("highs", type_=sa.ARRAY(TIME)),
        sa.bindparam("keys", type_=sa.ARRAY(sa.Text)),
    )


async def read_step(tx: Tx, reading: Reading, category: str, kind: str, after: Position, step: Step) -> Sequence[Row]:
    """The first slots of a step after a position, in order of (starts_at, id): so many of all its stretches together."""
    values: dict[str, Any] = {
        "keys": [one.key for one in step.stretches],
        "lows": [one.low for one in step.stretches],
        "highs": [one.high for one in step.stretches],
        "category": category,
        "at": after[0],
        "id": after[1],
        "each": step.most_each,
        "most": step.most,
    }
    if reading.kind:
        values["kind"] = kind
    return cast("Sequence[Row]", (await tx.execute(statement(reading), values)).all())


async def all_centres(tx: Tx) -> list[tuple[Centre, frozenset[str]]]:
    """Every centre ever seen, with the categories that it is known to offer while open."""
    asked = (
        sa.select(centres, sa.func.array_agg(offers.c.category))
        .select_from(centres.outerjoin(offers, offers.c.centre_id == centres.c.id))
        .group_by(centres.c.id)
    )
    return [(Centre(*row[:5]), frozenset(row[5]) - {None}) for row in await tx.execute(asked)]
