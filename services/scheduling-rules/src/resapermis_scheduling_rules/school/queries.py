"""What is asked about schools, their thresholds, and the parameters in force."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.sql_file import sql_file
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx
from resapermis_scheduling_rules.domain.availability import CountedLine
from resapermis_scheduling_rules.domain.parameters import DatedValue, Parameter, Rulebook
from resapermis_scheduling_rules.domain.quota import ComputedFte, SeenThreshold, ThresholdKey
from resapermis_scheduling_rules.domain.slots import School
from resapermis_scheduling_rules.domain.standing import SchoolStanding
from resapermis_scheduling_rules.school.tables import lines, published_thresholds, schools, thresholds

_SQL = sql_file("resapermis_scheduling_rules.school", "statements.sql")


async def school(tx: Tx, school_id: str) -> tuple[School, datetime] | None:
    """A school and when RdvPermis last described it."""
    columns = (schools.c[name] for name in ("id", "department", "licence_number", "fte", "licensed_until"))
    place = schools.c.latitude, schools.c.longitude
    statement = sa.select(*columns, *place, schools.c.seen_at).where(schools.c.id == school_id)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else (School(*tuple(row)[:-1]), row.seen_at)


async def keep_school(tx: Tx, found: School, at: datetime) -> None:
    """Write what RdvPermis states of a school; the end of its licence its administrator sets."""
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


async def home_departments(tx: Tx, since: datetime) -> dict[str, str]:
    """Department of each school that was seen since."""
    statement = sa.select(schools.c.id, schools.c.department).where(schools.c.seen_at >= since)
    return {row.id: row.department for row in await tx.execute(statement.order_by(schools.c.id))}


async def granted_schools(tx: Tx, since: datetime) -> set[str]:
    """Schools of which a grant for background work stood since."""
    return set((await tx.execute(sa.select(schools.c.id).where(schools.c.granted_at >= since))).scalars())


async def note_granted(tx: Tx, school_id: str, at: datetime) -> None:
    """A grant of the school stands at `at`; written down once an hour."""
    stale = sa.or_(schools.c.granted_at.is_(None), schools.c.granted_at < at - timedelta(hours=1))
    await tx.execute(sa.update(schools).where(schools.c.id == school_id, stale).values(granted_at=at))


async def seen_places(tx: Tx, school_id: str, since_month: str) -> set[ThresholdKey]:
    """Thresholds of a school that RdvPermis stated something of, from a month on."""
    columns = thresholds.c.department, thresholds.c.month, thresholds.c.category
    statement = sa.select(*columns).where(thresholds.c.school_id == school_id, thresholds.c.month >= since_month)
    return {ThresholdKey(*row) for row in await tx.execute(statement)}


async def keep_threshold(
    tx: Tx, school_id: str, place: ThresholdKey, limit: int | None, taken: int | None, fte: Decimal | None, at: datetime
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


async def note_reached(tx: Tx, school_id: str, place: ThresholdKey, at: datetime | None) -> None:
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


def _key(school_id: str, place: ThresholdKey) -> dict[str, str]:
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

_KEEP_LINES, _UNCOUNT_LINES = sa.text(_SQL["keep_lines"]), sa.text(_SQL["uncount_lines"])


async def keep_lines(tx: Tx, kept: Iterable[CountedLine]) -> None:
    """Count these lines, each once, and keep whom they occupy: the last event of a line stands, and they come in order."""
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


async def uncount_lines(tx: Tx, line_ids: Collection[str]) -> None:
    """Delete the counted lines with these ids (basket's): they no longer use their threshold; unknown ids are left aside."""
    if line_ids:
        await tx.execute(_UNCOUNT_LINES, {"ids": list(line_ids)})


async def count(tx: Tx, school_id: str, place: ThresholdKey) -> int:
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


async def usage(tx: Tx, school_id: str, since_month: str) -> dict[ThresholdKey, int]:
    """Lines that count, by threshold, from a month on."""
    rows = await tx.execute(_USAGE, {"school_id": school_id, "since_month": since_month})
    return {ThresholdKey(row[0], row[1], row[2]): row[3] for row in rows}


async def usage_now(engine: AsyncEngine, school_id: str, since_month: str) -> dict[ThresholdKey, int]:
    """The same on the path of every search: one round trip."""
    rows = await _USAGE_NOW.run(engine, {"school_id": school_id, "since_month": since_month})
    return {ThresholdKey(row[0], row[1], row[2]): row[3] for row in rows}


async def first_to_publish(tx: Tx, school_id: str, place: ThresholdKey, percents: Sequence[int]) -> list[int]:
    """Of these shares of a threshold, those that were not published yet; from now on they are noted as published."""
    if not percents:
        return []
    rows = [_key(school_id, place) | {"percent": percent} for percent in percents]
    statement = (
        insert(published_thresholds).values(rows).on_conflict_do_nothing().returning(published_thresholds.c.percent)
    )
    return sorted((await tx.execute(statement)).scalars())


async def forget_months(tx: Tx, before: str) -> None:
    """Delete lines, thresholds and published warnings of months before `before` ("2026-12")."""
    for table in (lines, thresholds, published_thresholds):
        await tx.execute(sa.delete(table).where(table.c.month < before))


REACHED_HOLDS = timedelta(minutes=10)
"""How long RdvPermis' "threshold reached" on a slot is believed without being seen again."""


_STANDINGS, _COUNTED_STANDINGS = Statement(_SQL["standings"]), sa.text(_SQL["counted_standings"])


Key = tuple[str, ThresholdKey]
"""A school's threshold."""


@dataclass(frozen=True, slots=True)
class CountedStandings:
    """What decides whether thresholds are reached: standings, lines that count, every parameter."""

    standings: Mapping[str, SchoolStanding]
    counts: Mapping[Key, int]
    rulebook: Rulebook


def standing(record: Any, now: datetime) -> SchoolStanding:
    """A record of `standings` (statements.sql) → SchoolStanding as of `now`."""
    school, seen_at, thresholds, ftes = record
    return SchoolStanding(
        School(*school),
        {
            ThresholdKey(department, month, category): SeenThreshold(
                limit, elsewhere, fte, reached_at is not None and reached_at > now - REACHED_HOLDS, threshold_seen_at
            )
            for department, month, category, limit, elsewhere, fte, reached_at, threshold_seen_at in thresholds
        },
        seen_at,
        {
            (department, category): ComputedFte(Decimal(hundredths) / 100, computed_at)
            for department, category, hundredths, computed_at in ftes
        },
    )


async def of_school(engine: AsyncEngine, school_id: str, now: datetime) -> SchoolStanding | None:
    """One school's; None where it was never seen."""
    (row,) = await _STANDINGS.run(engine, {"school_ids": [school_id]})
    return next((standing(record, now) for record in row.standings), None)


async def counted(tx: Tx, keys: Collection[Key], now: datetime) -> CountedStandings:
    """What decides whether these thresholds are reached: one statement, on the path of every change of a line."""
    values = {
        "school_ids": sorted({school_id for school_id, _ in keys}),
        "months": sorted({place.month for _, place in keys}),
    }
    row = (await tx.execute(_COUNTED_STANDINGS, values)).one()
    counts = {(school_id, ThresholdKey(*place)): count for school_id, *place, count in row.counts}
    known = [standing(record, now) for record in row.standings]
    return CountedStandings(
        {one.school.id: one for one in known},
        {key: counts.get(key, 0) for key in keys},
        Rulebook([DatedValue(Parameter(*value), valid_from) for *value, valid_from in row.parameters]),
    )
