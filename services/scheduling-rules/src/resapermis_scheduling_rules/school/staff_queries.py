"""What is asked about trainers, vehicles, hours and FTE."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_kit.database.transaction import Tx
from resapermis_scheduling_rules.school.fte import Fte, Hours, Kind, MonthWindow
from resapermis_scheduling_rules.school.staff import WARN_DAYS, EndingAuthorisation, Term, Vehicle
from resapermis_scheduling_rules.school.tables import ftes, hours, published_endings, schools, trainers, vehicles

ENDED_LATELY = timedelta(days=90)
"""What ended longer ago is nobody's news."""
_DECLARES = sa.or_(
    sa.exists().where(hours.c.school_id == schools.c.id), sa.exists().where(ftes.c.school_id == schools.c.id)
)


async def lock(tx: Tx, school_id: str) -> str | None:
    """Let one change of a school's trainers or hours at a time compute its FTE; return its department, None if unknown."""
    statement = sa.select(schools.c.department).where(schools.c.id == school_id).with_for_update()
    return (await tx.execute(statement)).scalar()


async def set_licence(tx: Tx, school_id: str, until: datetime | None) -> None:
    """Keep the end of a school's licence."""
    await tx.execute(sa.update(schools).where(schools.c.id == school_id).values(licensed_until=until))


async def terms(tx: Tx, school_id: str, trainer_id: str | None = None) -> list[Term]:
    """Terms of one trainer or of all, oldest first by trainer."""
    statement = sa.select(trainers).where(trainers.c.school_id == school_id)
    if trainer_id is not None:
        statement = statement.where(trainers.c.id == trainer_id)
    return [_term(row) for row in await tx.execute(statement.order_by(trainers.c.id, trainers.c.active_from))]


def _term(row: sa.Row[tuple[object, ...]]) -> Term:
    return Term(row.id, row.department, tuple(row.categories), row.active_from, row.active_until, row.authorised_until)


async def keep_terms(tx: Tx, school_id: str, trainer_id: str, kept: Sequence[Term], by: str, at: datetime) -> None:
    """Write a trainer's terms in place of the earlier ones; that two overlap is the database's to refuse."""
    before = {term.active_from: term for term in await terms(tx, school_id, trainer_id)}
    mine = (trainers.c.school_id == school_id, trainers.c.id == trainer_id)
    changed = [term for term in kept if before.get(term.active_from) != term]
    gone = set(before) - {term.active_from for term in kept}
    replaced = gone | {term.active_from for term in changed}
    await tx.execute(sa.delete(trainers).where(*mine, trainers.c.active_from.in_(replaced)))
    if changed:
        rows = [
            {
                "school_id": school_id,
                "id": trainer_id,
                "department": term.department,
                "categories": list(term.categories),
                "active_from": term.active_from,
                "active_until": term.active_until,
                "authorised_until": term.authorised_until,
                "set_by": by,
                "set_at": at,
            }
            for term in changed
        ]
        await tx.execute(insert(trainers).values(rows))


async def vehicles_of(tx: Tx, school_id: str) -> list[Vehicle]:
    """A school's vehicles, in order of their labels."""
    statement = sa.select(vehicles).where(vehicles.c.school_id == school_id).order_by(vehicles.c.label, vehicles.c.id)
    return [
        Vehicle(row.id, row.label, tuple(row.categories), row.gearbox, row.retired)
        for row in await tx.execute(statement)
    ]


async def add_vehicle(tx: Tx, school_id: str, vehicle: Vehicle, at: datetime) -> None:
    """Write a new vehicle of a school; its id is new."""
    await tx.execute(insert(vehicles).values(school_id=school_id, id=vehicle.id, **_vehicle(vehicle), set_at=at))


async def change_vehicle(tx: Tx, school_id: str, vehicle: Vehicle, at: datetime) -> bool:
    """Change a vehicle of the school; False when it has none by this id."""
    mine = (vehicles.c.school_id == school_id, vehicles.c.id == vehicle.id)
    result = await tx.execute(sa.update(vehicles).where(*mine).values(**_vehicle(vehicle), set_at=at))
    return result.rowcount == 1


def _vehicle(vehicle: Vehicle) -> dict[str, object]:
    return {
        "label": vehicle.label,
        "categories": list(vehicle.categories),
        "gearbox": vehicle.gearbox,
        "retired": vehicle.retired,
    }


async def declare(tx: Tx, school_id: str, declared: Sequence[Hours], at: datetime) -> None:
    """Insert or replace hours, by trainer, month, category and kind."""
    rows = [
        {
            "school_id": school_id,
            "trainer_id": one.trainer_id,
            "month": one.month,
            "category": one.category,
            "kind": one.kind,
            "hundredths": one.hundredths,
            "declared_at": at,
        }
        for one in declared
    ]
    upsert = insert(hours).values(rows)
    names = ("hundredths", "declared_at")
    await tx.execute(
        upsert.on_conflict_do_update(
            index_elements=list(hours.primary_key), set_={name: upsert.excluded[name] for name in names}
        )
    )


async def hours_since(tx: Tx, school_id: str, first_month: str) -> list[Hours]:
    """A school's declared hours from `first_month` ("2026-11") on, in hundredths of an hour, in the order of their key."""
    statement = sa.select(hours).where(hours.c.school_id == school_id, hours.c.month >= first_month)
    return [
        Hours(row.trainer_id, row.month, row.category, Kind(row.kind), row.hundredths)
        for row in await tx.execute(statement.order_by(*hours.primary_key))
    ]


async def forget_hours(tx: Tx, before_month: str) -> None:
    """Delete hours that no FTE counts any more."""
    await tx.execute(sa.delete(hours).where(hours.c.month < before_month))


async def ftes_of(tx: Tx, school_id: str) -> list[tuple[Fte, datetime]]:
    """A school's FTE by department and category, and when each was computed."""
    statement = sa.select(ftes).where(ftes.c.school_id == school_id).order_by(*ftes.primary_key)
    return [(_fte(row), row.computed_at) for row in await tx.execute(statement)]


def _fte(row: sa.Row[tuple[object, ...]]) -> Fte:
    return Fte(row.department, row.category, row.hundredths, MonthWindow(row.first_month, row.last_month))


async def keep_ftes(tx: Tx, school_id: str, computed: Sequence[Fte], at: datetime) -> None:
    """Write a school's FTE in place of the earlier one."""
    await tx.execute(sa.update(schools).where(schools.c.id == school_id).values(fte_computed_at=at))
    await tx.execute(sa.delete(ftes).where(ftes.c.school_id == school_id))
    if computed:
        rows = [
            {
                "school_id": school_id,
                "department": one.department,
                "category": one.category,
                "hundredths": one.hundredths,
                "first_month": one.months.first,
                "last_month": one.months.last,
                "computed_at": at,
            }
            for one in computed
        ]
        await tx.execute(insert(ftes).values(rows))


async def departments_with_hours(tx: Tx) -> list[str]:
    """Home departments of the schools that have declared any hours."""
    statement = sa.select(schools.c.department).distinct().where(_DECLARES)
    return sorted((await tx.execute(statement)).scalars())


async def not_computed_since(tx: Tx, department: str, night: datetime, limit: int) -> list[str]:
    """Schools of a department that declare hours and whose FTE is older than a night."""
    before = sa.or_(schools.c.fte_computed_at.is_(None), schools.c.fte_computed_at < night)
    statement = sa.select(schools.c.id).where(schools.c.department == department, _DECLARES, before)
    return list((await tx.execute(statement.order_by(schools.c.id).limit(limit))).scalars())


async def terms_crossed(tx: Tx, now: datetime, limit: int) -> list[str]:
    """Schools of which a trainer has begun or left, as was planned, since their FTE was computed."""
    since = schools.c.fte_computed_at
    began = sa.and_(trainers.c.active_from > since, trainers.c.active_from <= now)
    left = sa.and_(trainers.c.active_until > since, trainers.c.active_until <= now)
    crossed = sa.exists().where(trainers.c.school_id == schools.c.id, sa.or_(began, left))
    statement = sa.select(schools.c.id).where(since.is_not(None), crossed).order_by(schools.c.id).limit(limit)
    return list((await tx.execute(statement)).scalars())


async def endings(tx: Tx, now: datetime) -> list[EndingAuthorisation]:
    """Licences and authorisations that end within 30 days or ended lately, and were not published as ended yet.

    A trainer whose term ends first has left by then, or has a next one with its own authorisation.
    """
    window = (now - ENDED_LATELY, now + timedelta(days=max(WARN_DAYS)))
    licence = sa.select(schools.c.id, sa.literal(""), schools.c.licensed_until).where(
        schools.c.licensed_until.between(*window), ~_published(schools.c.id, sa.literal(""), schools.c.licensed_until)
    )
    active = sa.and_(
        trainers.c.active_from <= now, sa.or_(trainers.c.active_until.is_(None), trainers.c.active_until > now)
    )
    trainer = sa.select(trainers.c.school_id, trainers.c.id, trainers.c.authorised_until).where(
        trainers.c.authorised_until.between(*window),
        active,
        sa.or_(trainers.c.active_until.is_(None), trainers.c.active_until > trainers.c.authorised_until),
        ~_published(trainers.c.school_id, trainers.c.id, trainers.c.authorised_until),
    )
    return [EndingAuthorisation(*row) for row in await tx.execute(sa.union_all(licence, trainer))]


def _published(
    school_id: sa.ColumnElement[str], trainer_id: sa.ColumnElement[str], ends_at: sa.ColumnElement[datetime]
) -> sa.Exists:
    return sa.exists().where(
        published_endings.c.school_id == school_id,
        published_endings.c.trainer_id == trainer_id,
        published_endings.c.ends_at == ends_at,
        published_endings.c.days == 0,
    )


async def first_to_warn(tx: Tx, ending: EndingAuthorisation, days: Sequence[int]) -> list[int]:
    """Of these warnings, those not published before; from now on they are noted as published."""
    rows = [
        {
            "school_id": ending.school_id,
            "trainer_id": ending.trainer_id,
            "ends_at": ending.ends_at,
            "days": one,
        }
        for one in days
    ]
    statement = insert(published_endings).values(rows).on_conflict_do_nothing().returning(published_endings.c.days)
    return sorted((await tx.execute(statement)).scalars())


async def forget_endings(tx: Tx, before: datetime) -> None:
    """Delete notes of warnings of ends long past."""
    await tx.execute(sa.delete(published_endings).where(published_endings.c.ends_at < before))
