"""Booking actions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from resapermis_basket.domain import Line
from resapermis_basket.store.tables import groups
from resapermis_kit.database.transaction import Tx


@dataclass(frozen=True)
class Group:
    """One booking action."""

    id: UUID
    school_id: str
    account_id: str
    session_id: str
    together: bool
    request_caller: str
    request_id: str
    created_at: datetime


def lone_group(line: Line) -> Group:
    """The group of a line that replaces another, whose own group may have its four lines already."""
    return Group(line.group_id, line.school_id, line.account_id, "", False, "", "", line.since)


async def add_group(tx: Tx, group: Group) -> None:
    """Write down one booking action."""
    await tx.execute(sa.insert(groups).values(**vars(group)))


async def group(tx: Tx, school_id: str, group_id: UUID) -> Group | None:
    """A group of the school."""
    return _group(await tx.execute(_groups_where(groups.c.id == group_id, groups.c.school_id == school_id)))


async def group_of_request(tx: Tx, caller: str, request_id: str) -> Group | None:
    """The group that a command of the caller made."""
    mine = (groups.c.request_caller == caller, groups.c.request_id == request_id)
    return _group(await tx.execute(_groups_where(*mine)))


async def groups_by_id(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, Group]:
    """These groups."""
    rows = await tx.execute(_groups_where(groups.c.id.in_(list(ids))))
    return {row.id: _as_group(row) for row in rows}


def _groups_where(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(*(groups.c[name] for name in Group.__dataclass_fields__)).where(*conditions)


def _as_group(row: Any) -> Group:
    return Group(*row)


def _group(result: sa.CursorResult[Any]) -> Group | None:
    row = result.first()
    return _as_group(row) if row is not None else None
