"""Bookings page by page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from resapermis_basket.domain import Line, State
from resapermis_basket.store.line_rows import line_of
from resapermis_basket.store.tables import ALIVE, MOMENT, in_state, lines
from resapermis_kit.database.transaction import Tx


@dataclass(frozen=True)
class Page:
    """A keyset page: what to list and after what."""

    states: Sequence[State]
    newest_first: bool
    limit: int
    after: tuple[datetime, UUID] | None
    begun: bool | None = None
    """Only exams that have begun, or only those that have not."""


async def booked_with_exams(tx: Tx, school_id: str, exam_ids: Iterable[str]) -> list[Line]:
    """Booked lines of the school that have these exams, by start."""
    mine = (lines.c.school_id == school_id, in_state(State.BOOKED), lines.c.exam_id.in_(list(exam_ids)))
    statement = sa.select(*lines.c).where(ALIVE, *mine).order_by(lines.c.starts_at, lines.c.id)
    return [line_of(row) for row in await tx.execute(statement)]


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
