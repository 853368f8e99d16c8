"""What is asked about the rules' numbers, and the rulebook that every process remembers."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_scheduling_rules.domain.parameters import (
    DatedValue,
    Parameter,
    Parameters,
    Proposal,
    Rulebook,
    in_force,
)
from resapermis_scheduling_rules.parameters.tables import parameters
from resapermis_scheduling_rules.peers import TtlCache


async def approved_parameters(tx: Tx) -> list[DatedValue]:
    """Every value that was ever approved, with the moment from which it counts."""
    statement = sa.select(
        parameters.c.name, parameters.c.department, parameters.c.category, parameters.c.value, parameters.c.valid_from
    ).where(parameters.c.approved_by.is_not(None))
    return [DatedValue(Parameter(*row[:4]), row[4]) for row in await tx.execute(statement)]


async def parameters_in_force(tx: Tx, at: datetime) -> list[Parameter]:
    """The newest approved value of each parameter and place whose time has come."""
    return in_force(await approved_parameters(tx), at)


async def all_parameters(tx: Tx) -> list[Proposal]:
    """Every row, by name and place, oldest first."""
    ordered = (parameters.c.name, parameters.c.department, parameters.c.category, parameters.c.valid_from)
    return [_proposal(row) for row in await tx.execute(sa.select(parameters).order_by(*ordered))]


def _proposal(row: sa.Row[Any]) -> Proposal:
    value = Parameter(row.name, row.department, row.category, row.value)
    return Proposal(row.id, value, row.valid_from, row.set_by, row.approved_by or "")


async def propose(tx: Tx, proposal: UUID, wanted: Parameter, valid_from: datetime, by: str, at: datetime) -> None:
    """Write a value that nobody approved yet; IntegrityError when the table's checks refuse it."""
    place = {"name": wanted.name, "department": wanted.department, "category": wanted.category}
    await tx.execute(
        insert(parameters).values(
            id=proposal, **place, value=wanted.value, valid_from=valid_from, set_by=by, approved_by=None, set_at=at
        )
    )


async def pending_proposal(tx: Tx, proposal: UUID) -> Proposal | None:
    """A proposal that nobody approved yet, locked."""
    statement = sa.select(parameters).where(parameters.c.id == proposal, parameters.c.approved_by.is_(None))
    row = (await tx.execute(statement.with_for_update())).one_or_none()
    return None if row is None else _proposal(row)


async def approve(tx: Tx, proposal: UUID, by: str, at: datetime, valid_from: datetime) -> None:
    """Put a proposal in force from a moment on."""
    values = {"approved_by": by, "approved_at": at, "valid_from": valid_from}
    await tx.execute(sa.update(parameters).where(parameters.c.id == proposal).values(**values))


class Rulebooks:
    """Every parameter that was ever approved, remembered for seconds.

    Each change is known here before it counts (`change.ANNOUNCED`).
    """

    def __init__(self, engine: AsyncEngine, now: Clock, seconds: float) -> None:
        """`seconds` is how late a change elsewhere may be seen here."""
        self._engine, self._now = engine, now
        self._remembered: TtlCache[Rulebook] = TtlCache(now, seconds)

    async def get(self) -> Rulebook:
        """Every approved value, remembered for a process' usual time."""

        async def read() -> Rulebook:
            async with transaction(self._engine) as tx:
                return Rulebook(await approved_parameters(tx))

        return await self._remembered.get("all", read)

    async def parameters_at(self, department: str = "", category: str = "") -> Parameters:
        """Parameters in force in a place now."""
        return (await self.get()).at(self._now(), department, category)
