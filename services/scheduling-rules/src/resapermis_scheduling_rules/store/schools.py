"""What is asked about schools, their thresholds, and the parameters in force."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx
from resapermis_scheduling_rules.domain.availability import KeptLine
from resapermis_scheduling_rules.domain.parameters import Dated, Parameter, Proposal, in_force
from resapermis_scheduling_rules.domain.quota import Place
from resapermis_scheduling_rules.domain.slots import School
from resapermis_scheduling_rules.store.tables import lines, parameters, said, schools, thresholds


async def approved_parameters(tx: Tx) -> list[Dated]:
    """Every value that was ever approved, with the moment from which it counts."""
    statement = sa.select(
        parameters.c.name, parameters.c.department, parameters.c.category, parameters.c.value, parameters.c.valid_from
    ).where(parameters.c.approved_by.is_not(None))
    return [Dated(Parameter(*row[:4]), row[4]) for row in await tx.execute(statement)]


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


async def waiting(tx: Tx, proposal: UUID) -> Proposal | None:
    """A proposal that nobody approved yet, locked."""
    statement = sa.select(parameters).where(parameters.c.id == proposal, parameters.c.approved_by.is_(None))
    row = (await tx.execute(statement.with_for_update())).one_or_none()
    return None if row is None else _proposal(row)


async def approve(tx: Tx, proposal: UUID, by: str, at: datetime, valid_from: datetime) -> None:
    """Put a proposal in force from a moment on."""
    values = {"approved_by": by, "approved_at": at, "valid_from": valid_from}
    await tx.execute(sa.update(parameters).where(parameters.c.id == proposal).values(**values))


async def school(tx: Tx, school_id: str) -> tuple[School, datetime] | None:
    """A school and when RdvPermis last described it."""
    columns = (schools.c[name] for name in ("id", "department", "licence_number", "fte", "licensed_until"))
    place = schools.c.latitude, schools.c.longitude
    statement = sa.select(*columns, *place, schools.c.seen_at).where(schools.c.id == school_id)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else (School(*tuple(row)[:-1]), row.seen_at)


async def keep_school(tx: Tx, found: School, at: datetime) -> None:
    """Write what RdvPermis says of a school; the end of its licence is its administrator's to say."""
    upsert = insert(schools).values(
        id=found.id,
        licence_number=found.licence_number,
        department=found.department,
        fte=found.fte,
        latitude=found.latitude,
        longitude=found.longitude,
        seen_at=at,
    )
    names = ("licence_number", "department", "fte", "latitude", "longitude", "seen_at")
    await tx.execute(
        upsert.on_conflict_do_update(
            index_elements=[schools.c.id], set_={name: upsert.excluded[name] for name in names}
        )
    )


async def homes(tx: Tx, since: datetime) -> dict[str, str]:
    """Department of each school that was seen since."""
    statement = sa.select(schools.c.id, schools.c.department).where(schools.c.seen_at >= since)
    return {row.id: row.department for row in await tx.execute(statement.order_by(schools.c.id))}


async def seen_places(tx: Tx, school_id: str, since_month: str) -> set[Place]:
    """Thresholds of a school that RdvPermis told something of, from a month on."""
    columns = thresholds.c.department, thresholds.c.month, thresholds.c.category
    statement = sa.select(*columns).where(thresholds.c.school_id == school_id, thresholds.c.month >= since_month)
    return {Place(*row) for row in await tx.execute(statement)}


async def keep_threshold(
    tx: Tx, school_id: str, place: Place, limit: int | None, taken: int | None, fte: Decimal | None, at: datetime
) -> None:
    """Write RdvPermis' figures; what they count beyond our own lines was booked elsewhere."""
    ours = await count(tx, school_id, place)
    upsert = insert(thresholds).values(
        **_key(school_id, place),
        rdvpermis_limit=limit,
        elsewhere=max(0, (taken or 0) - ours),
        fte=fte,
        seen_at=at,
    )
    names = ("rdvpermis_limit", "elsewhere", "fte", "seen_at")
    await tx.execute(
        upsert.on_conflict_do_update(
            index_elements=list(thresholds.primary_key),
            set_={name: upsert.excluded[name] for name in names},
        )
    )


async def note_reached(tx: Tx, school_id: str, place: Place, at: datetime | None) -> None:
    """Remember that RdvPermis shows a school's threshold as reached, or (None) that it no longer does."""
    if at is None:
        where = [thresholds.c[name] == value for name, value in _key(school_id, place).items()]
        statement = sa.update(thresholds).where(*where, thresholds.c.reached_at.is_not(None))
        await tx.execute(statement.values(reached_at=None))
        return
    upsert = insert(thresholds).values(**_key(school_id, place), reached_at=at)
    await tx.execute(
        upsert.on_conflict_do_update(
            index_elements=list(thresholds.primary_key), set_={"reached_at": upsert.excluded.reached_at}
        )
    )


def _key(school_id: str, place: Place) -> dict[str, str]:
    return {
        "school_id": school_id,
        "department": place.department,
        "month": place.month,
        "category": place.category,
    }


_LINE_TEXTS = [
    "id",
    "school_id",
    "department",
    "month",
    "category",
    "slot_id",
    "candidate_id",
    "trainer_id",
    "vehicle_id",
    "centre_id",
    "kind",
]
_LINE_TIMES = ("starts_at", "ends_at", "booked_at", "changed_at")
_LINE_FACTS = (*_LINE_TEXTS[5:], *_LINE_TIMES)
_KEEP_LINES = sa.text(
    f"INSERT INTO line ({', '.join((*_LINE_TEXTS, *_LINE_TIMES))}) SELECT * FROM unnest("  # noqa: S608 - our own names
    + ", ".join([f"CAST(:{name} AS text[])" for name in _LINE_TEXTS])
    + ", "
    + ", ".join([f"CAST(:{name} AS timestamptz[])" for name in _LINE_TIMES])
    + ") ON CONFLICT (id) DO UPDATE SET "
    + ", ".join([f"{name} = excluded.{name}" for name in _LINE_FACTS])
    + " WHERE line.changed_at <= excluded.changed_at"
)


async def keep_lines(tx: Tx, kept: Iterable[KeptLine]) -> None:
    """Count these lines, each once, and keep whom they occupy: a later fact of a line goes before an earlier one."""
    ordered = sorted(kept, key=lambda line: line.id)
    if not ordered:
        return
    values: dict[str, list[Any]] = {name: [] for name in (*_LINE_TEXTS, *_LINE_TIMES)}
    for line in ordered:
        row = _key(line.school_id, line.place) | {
            name: getattr(line, name) for name in ("id", *_LINE_FACTS) if name != "changed_at"
        }
        for name, value in (row | {"changed_at": line.at}).items():
            values[name].append(value)
    await tx.execute(_KEEP_LINES, values)


_UNCOUNT_LINES = sa.text("DELETE FROM line WHERE id = ANY(CAST(:ids AS text[]))")


async def uncount_lines(tx: Tx, line_ids: Collection[str]) -> None:
    """Stop counting these lines."""
    if line_ids:
        await tx.execute(_UNCOUNT_LINES, {"ids": list(line_ids)})


async def count(tx: Tx, school_id: str, place: Place) -> int:
    """How many lines of a school count for one threshold."""
    statement = (
        sa.select(sa.func.count())
        .select_from(lines)
        .where(*(lines.c[name] == value for name, value in _key(school_id, place).items()))
    )
    return (await tx.execute(statement)).scalar_one()


async def coming_lines(tx: Tx, now: datetime) -> list[tuple[str, str]]:
    """School and slot of each live or booked line that is yet to come."""
    statement = sa.select(lines.c.school_id, lines.c.slot_id).where(lines.c.starts_at > now).order_by(lines.c.id)
    return [(row.school_id, row.slot_id) for row in await tx.execute(statement)]


_PLACE = lines.c.department, lines.c.month, lines.c.category
_USAGE = (
    sa.select(*_PLACE, sa.func.count())
    .where(
        lines.c.school_id == sa.bindparam("school_id", type_=sa.Text),
        lines.c.month >= sa.bindparam("since_month", type_=sa.Text),
    )
    .group_by(*_PLACE)
)
_USAGE_NOW = Statement(_USAGE)


async def usage(tx: Tx, school_id: str, since_month: str) -> dict[Place, int]:
    """Lines that count, by threshold, from a month on."""
    rows = await tx.execute(_USAGE, {"school_id": school_id, "since_month": since_month})
    return {Place(row[0], row[1], row[2]): row[3] for row in rows}


async def usage_now(engine: AsyncEngine, school_id: str, since_month: str) -> dict[Place, int]:
    """The same on the path of every search: one round trip."""
    rows = await _USAGE_NOW.run(engine, {"school_id": school_id, "since_month": since_month})
    return {Place(row[0], row[1], row[2]): row[3] for row in rows}


async def first_to_say(tx: Tx, school_id: str, place: Place, percents: Sequence[int]) -> list[int]:
    """Of these shares of a threshold, those that nobody was told of yet; from now on they have been."""
    if not percents:
        return []
    rows = [_key(school_id, place) | {"percent": percent} for percent in percents]
    statement = insert(said).values(rows).on_conflict_do_nothing().returning(said.c.percent)
    return sorted((await tx.execute(statement)).scalars())


async def forget_months(tx: Tx, before: str) -> None:
    """Delete counts of months long past."""
    for table in (lines, thresholds, said):
        await tx.execute(sa.delete(table).where(table.c.month < before))
