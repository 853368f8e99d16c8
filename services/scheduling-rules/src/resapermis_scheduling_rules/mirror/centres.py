"""Exam centres: which there are, and which are open for a category; asked of RdvPermis once a day, remembered for a minute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.clock import Clock
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_scheduling_rules.domain.slots import Centre
from resapermis_scheduling_rules.mirror.tables import centre_looks, centres, offers

_CENTRES_OF = Statement("""
SELECT asked.department,
  (SELECT seen_at FROM centre_look WHERE department = asked.department AND category = CAST(:category AS text)) AS seen_at,
  ARRAY(
    SELECT ROW(centre.id, centre.name, centre.department, centre.latitude, centre.longitude)
    FROM centre JOIN centre_offer AS offer ON offer.centre_id = centre.id
    WHERE offer.department = asked.department AND offer.category = CAST(:category AS text)
    ORDER BY centre.name, centre.id
  ) AS centres
FROM unnest(CAST(:departments AS text[])) AS asked(department)
""")


async def centres_of(
    engine: AsyncEngine, departments: Sequence[str], category: str
) -> dict[str, tuple[list[Centre], datetime | None]]:
    """Open centres of each department that offer a category, and when that was last asked."""
    rows = await _CENTRES_OF.run(engine, {"departments": list(departments), "category": category})
    return {row.department: ([Centre(*record) for record in row.centres], row.seen_at) for row in rows}


async def record_centres(tx: Tx, department: str, category: str, found: Sequence[Centre], at: datetime) -> None:
    """Replace what is known of a department's centres for a category."""
    if found:
        rows = [
            {"id": c.id, "name": c.name, "department": c.department, "latitude": c.latitude, "longitude": c.longitude}
            for c in sorted(found, key=lambda centre: centre.id)
        ]
        upsert = insert(centres).values(rows)
        names = ("name", "department", "latitude", "longitude")
        await tx.execute(
            upsert.on_conflict_do_update(
                index_elements=[centres.c.id], set_={name: upsert.excluded[name] for name in names}
            )
        )
    here = sa.and_(offers.c.department == department, offers.c.category == category)
    await tx.execute(sa.delete(offers).where(here, offers.c.centre_id.not_in([centre.id for centre in found])))
    if found:
        offered = [{"department": department, "category": category, "centre_id": centre.id} for centre in found]
        await tx.execute(insert(offers).values(offered).on_conflict_do_nothing())
    upsert = insert(centre_looks).values(department=department, category=category, seen_at=at)
    await tx.execute(
        upsert.on_conflict_do_update(
            index_elements=[centre_looks.c.department, centre_looks.c.category],
            set_={"seen_at": upsert.excluded.seen_at},
        )
    )


async def categories_of(tx: Tx, department: str) -> list[str]:
    """Categories that a department's centres are known to offer."""
    statement = sa.select(offers.c.category).where(offers.c.department == department).distinct()
    return sorted((await tx.execute(statement)).scalars())


async def all_offers(tx: Tx) -> dict[tuple[str, str], list[Centre]]:
    """Known open centres, by (department, category)."""
    statement = (
        sa.select(*centres.c, offers.c.category)
        .join(offers, offers.c.centre_id == centres.c.id)
        .order_by(offers.c.department, offers.c.category, centres.c.id)
    )
    found: dict[tuple[str, str], list[Centre]] = {}
    for row in await tx.execute(statement):
        centre = Centre(row.id, row.name, row.department, row.latitude, row.longitude)
        found.setdefault((row.department, row.category), []).append(centre)
    return found


async def all_centres(tx: Tx) -> list[tuple[Centre, frozenset[str]]]:
    """Every centre ever seen, with the categories that it is known to offer while open."""
    asked = (
        sa.select(centres, sa.func.array_agg(offers.c.category))
        .select_from(centres.outerjoin(offers, offers.c.centre_id == centres.c.id))
        .group_by(centres.c.id)
    )
    return [(Centre(*row[:5]), frozenset(row[5]) - {None}) for row in await tx.execute(asked)]


KEPT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Atlas:
    """Centres by id, and those open for a category."""

    centres: Mapping[str, Centre]
    offering: Mapping[str, Sequence[Centre]]


class Atlases:
    """Remembers the atlas for a minute; places move rarely, and what is missing is read at once."""

    def __init__(self, engine: AsyncEngine, now: Clock) -> None:
        """Read with `engine`."""
        self._engine, self._now = engine, now
        self._known: Atlas | None = None
        self._read_at = now()

    async def get(self) -> Atlas:
        """What is remembered, or read it."""
        now = self._now()
        if self._known is not None and now - KEPT < self._read_at <= now:
            return self._known
        return await self.renew()

    async def renew(self) -> Atlas:
        """Read it again."""
        now = self._now()
        async with transaction(self._engine) as tx:
            rows = await all_centres(tx)
        offering: dict[str, list[Centre]] = {}
        for centre, categories in rows:
            for category in categories:
                offering.setdefault(category, []).append(centre)
        self._known, self._read_at = Atlas({centre.id: centre for centre, _ in rows}, offering), now
        return self._known
