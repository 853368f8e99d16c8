"""Judgements with the facts they rest on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from resapermis_basket.domain.line import State
from resapermis_basket.tables import ALIVE, compliance_checks, judgements, lines
from resapermis_kit.database.transaction import Tx

BOOKED = (State.BOOKED, State.DONE, State.CANCELLED, State.REPLACED, State.SWAPPED)


@dataclass(frozen=True)
class Judgement:
    """What the rules looked at when they judged a line."""

    line_id: UUID
    purpose: str
    school_id: str
    facts: bytes
    drift: str
    """Rules that an earlier check found against it, with commas."""


START = (UUID(int=0), "")
_BOOKINGS = sa.select(
    judgements.c.line_id, judgements.c.purpose, lines.c.school_id, judgements.c.facts, judgements.c.drift
).join(lines, lines.c.id == judgements.c.line_id)


async def judgements_of_bookings(tx: Tx, after: tuple[UUID, str], many: int) -> list[Judgement]:
    """The next judgements, by line and purpose, of lines that were ever booked."""
    key = sa.tuple_(judgements.c.line_id, judgements.c.purpose)
    edge = sa.tuple_(sa.literal(after[0], sa.Uuid), sa.literal(after[1]))
    statement = _BOOKINGS.where(key > edge, lines.c.state.in_(BOOKED)).order_by(
        judgements.c.line_id, judgements.c.purpose
    )
    return [Judgement(*row) for row in await tx.execute(statement.limit(many))]


async def judgements_of_coming(tx: Tx, after: tuple[UUID, str], many: int) -> list[Judgement]:
    """The next judgements of live lines whose exam has not begun."""
    key = sa.tuple_(judgements.c.line_id, judgements.c.purpose)
    edge = sa.tuple_(sa.literal(after[0], sa.Uuid), sa.literal(after[1]))
    coming = (key > edge, ALIVE, lines.c.starts_at > sa.func.now())
    statement = _BOOKINGS.where(*coming).order_by(judgements.c.line_id, judgements.c.purpose)
    return [Judgement(*row) for row in await tx.execute(statement.limit(many))]


async def mark_drift(tx: Tx, found: Mapping[tuple[UUID, str], str]) -> None:
    """Remember what a check found ("" nothing any more), so that it is published once."""
    for (line_id, purpose), rules in sorted(found.items()):
        mine = (judgements.c.line_id == line_id, judgements.c.purpose == purpose)
        await tx.execute(sa.update(judgements).where(*mine).values(drift=rules))


@dataclass(frozen=True)
class ComplianceCheck:
    """A finished check: when it ran, how many bookings and judgements it judged again, how many differ."""

    id: UUID
    began_at: datetime
    ended_at: datetime
    bookings: int
    judgements: int
    drifted: int


async def keep_check(tx: Tx, check: ComplianceCheck) -> None:
    """Insert a finished check; `last_check` returns the newest."""
    await tx.execute(sa.insert(compliance_checks).values(**vars(check)))


async def last_check(tx: Tx) -> ComplianceCheck | None:
    """The compliance check that ended last; None before the first."""
    columns = [compliance_checks.c[name] for name in ComplianceCheck.__dataclass_fields__]
    newest = sa.select(*columns).order_by(compliance_checks.c.ended_at.desc()).limit(1)
    row = (await tx.execute(newest)).first()
    return ComplianceCheck(*row) if row is not None else None
