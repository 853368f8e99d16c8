"""Exam centres: which there are, and which are open for a category; asked of RdvPermis once a day, remembered for a minute."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_kit.clock import Clock
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.rpc import peers
from resapermis_scheduling_rules.domain.slots import Centre
from resapermis_scheduling_rules.mirror.tables import centre_polls, centres, offers
from resapermis_scheduling_rules.peers import Asker, SingleFlight, TtlCache

if TYPE_CHECKING:
    from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceAsyncStub

CENTRES_FRESH = timedelta(days=1)
ALL_REMEMBERED = timedelta(minutes=1)
_CENTRES_OF = Statement("""
SELECT asked.department,
  (SELECT seen_at FROM centre_poll WHERE department = asked.department AND category = CAST(:category AS text)) AS seen_at,
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
    upsert = insert(centre_polls).values(department=department, category=category, seen_at=at)
    await tx.execute(
        upsert.on_conflict_do_update(
            index_elements=[centre_polls.c.department, centre_polls.c.category],
            set_={"seen_at": upsert.excluded.seen_at},
        )
    )


async def categories_of(tx: Tx, department: str) -> list[str]:
    """Categories that a department's centres are known to offer."""
    statement = sa.select(offers.c.category).where(offers.c.department == department).distinct()
    return sorted((await tx.execute(statement)).scalars())


async def all_offers(tx: Tx) -> dict[tuple[str, str], list[Centre]]:
    """Open centres by (department, category), as RdvPermis last listed them."""
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


async def all_centres(tx: Tx) -> dict[str, Centre]:
    """Every centre that was ever listed, closed ones too, by id."""
    return {row.id: Centre(*row) for row in await tx.execute(sa.select(centres))}


@dataclass(frozen=True, slots=True)
class CentreOffer:
    """Open centres of a department for a category, and when RdvPermis last listed them."""

    centres: Sequence[Centre] = ()
    seen_at: datetime | None = None


class Centres:
    """One a process. A search names hundreds of slots and few centres."""

    def __init__(
        self,
        engine: AsyncEngine,
        egress: "RdvPermisServiceAsyncStub",
        now: Clock,
        seconds: float,
        single_flight: SingleFlight,
    ) -> None:
        """`seconds` is how late a change elsewhere may be seen here."""
        self._engine, self._egress, self._now, self._single_flight = engine, egress, now, single_flight
        self._offers: TtlCache[CentreOffer] = TtlCache(now, seconds)
        self._all: Mapping[str, Centre] | None = None
        self._all_read_at = now()

    async def all(self, needed: Iterable[str] = ()) -> Mapping[str, Centre]:
        """Every centre by id, remembered for a minute; read again at once where one of `needed` is missing."""
        now = self._now()
        known = self._all
        if (
            known is not None
            and now - ALL_REMEMBERED < self._all_read_at <= now
            and all(one in known for one in needed)
        ):
            return known
        return await self.all_anew()

    async def all_anew(self) -> Mapping[str, Centre]:
        """Read every centre again and remember it for a process' usual time."""
        now = self._now()
        async with transaction(self._engine) as tx:
            self._all, self._all_read_at = await all_centres(tx), now
        return self._all

    async def offer(self, department: str, category: str, asker: Asker) -> CentreOffer:
        """Centres of a department; asked from RdvPermis when never seen, again once a day."""
        key = (department, category)
        offer = await self._offers.get(key, lambda: self._read_offer(department, category))
        if offer.seen_at is None:
            self._offers.forget(key)
            await self._single_flight.once(("centres", *key), lambda: self._ask_centres(department, category, asker))
            offer = await self._offers.get(key, lambda: self._read_offer(department, category))
        elif self._now() - offer.seen_at >= CENTRES_FRESH:
            self._single_flight.in_background(("centres", *key), lambda: self._ask_centres(department, category, asker))
        return offer

    async def offers(
        self, departments: Sequence[str], category: str, asker: Asker
    ) -> list[CentreOffer | BaseException]:
        """Those of several departments, or why one is not known; what is not remembered is read at once."""
        now = self._now()
        unread = [one for one in departments if not self._offers.has((one, category))]
        if unread:
            for one, (centres, seen_at) in (await centres_of(self._engine, unread, category)).items():
                self._offers.keep((one, category), CentreOffer(centres, seen_at), now)
        return await asyncio.gather(*(self.offer(one, category, asker) for one in departments), return_exceptions=True)

    async def _read_offer(self, department: str, category: str) -> CentreOffer:
        return CentreOffer(*(await centres_of(self._engine, [department], category))[department])

    async def _ask_centres(self, department: str, category: str, asker: Asker) -> None:
        at = self._now()
        request = rdv.SearchCentresRequest(on_behalf=asker.on_behalf, department=department, category=category)
        answer = await peers.ask(self._egress.SearchCentres, request, principal=asker.principal)
        found = [_centre(centre, department) for centre in answer.centres if not centre.closed]
        async with transaction(self._engine) as tx:
            await record_centres(tx, department, category, found, at)
        self._offers.forget((department, category))


def _centre(found: rdv.RdvCentre, department: str) -> Centre:
    located = found.HasField("latitude_degrees") and found.HasField("longitude_degrees")
    return Centre(
        found.id,
        found.name,
        department,
        found.latitude_degrees if located else None,
        found.longitude_degrees if located else None,
    )
