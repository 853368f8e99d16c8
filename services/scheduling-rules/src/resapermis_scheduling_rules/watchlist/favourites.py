"""Favourite centres, as RdvPermis keeps them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure, malformed
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import caller
from resapermis_scheduling_rules import wire
from resapermis_scheduling_rules.peers import Asker, SingleFlight, asker
from resapermis_scheduling_rules.watchlist import events as watch_events
from resapermis_scheduling_rules.watchlist import queries
from resapermis_scheduling_rules.watchlist.poll_demand import AT_HOME
from resapermis_scheduling_rules.watchlist.queries import Favourite

if TYPE_CHECKING:
    from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceAsyncStub

MOST_FAVOURITES, LEAST_IMPORTANT = 20, 2
FAVOURITES_FRESH = timedelta(hours=12)
A_ROUND = 3
log = structlog.get_logger()


class Favourites:
    """A school's favourite centres: read when asked for, a few schools at a time otherwise."""

    def __init__(
        self,
        engine: AsyncEngine,
        egress: "RdvPermisServiceAsyncStub",
        outbox: Outbox,
        now: Clock,
        single_flight: SingleFlight,
    ) -> None:
        """Records go through `outbox`."""
        self._engine, self._egress, self._outbox, self._now, self._single_flight = (
            engine,
            egress,
            outbox,
            now,
            single_flight,
        )
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def get(self, *, poll_now: bool) -> pb.ListFavouriteCentresResponse:
        """As RdvPermis keeps them: read when never read, when in doubt, or when a person asks."""
        who = asker()
        found, seen_at = await self._kept(who.school_id)
        if poll_now or seen_at is None:
            await self._single_flight.once(("favourites", who.school_id), lambda: self.read(who))
            found, seen_at = await self._kept(who.school_id)
        response = pb.ListFavouriteCentresResponse(favourites=[_favourite(one) for one in found])
        if seen_at is not None:
            response.seen_at.CopyFrom(wire.timestamp(seen_at))
        return response

    async def read(self, who: Asker) -> None:
        """Ask RdvPermis and keep its answer; a Failure changes nothing but when it was tried."""
        at = self._now()
        request = rdv.ListFavouritesRequest(on_behalf=who.on_behalf)
        try:
            answer = await peers.ask(self._egress.ListFavourites, request, principal=who.principal)
        except Failure:
            async with transaction(self._engine) as tx:
                await queries.tried_favourites(tx, who.school_id, at)
            raise
        found = [Favourite(one.category, one.centre_id, min(max(one.priority, 0), 2)) for one in answer.favourites]
        async with transaction(self._engine) as tx:
            await queries.keep_favourites(tx, who.school_id, found, at)

    async def choose(self, request: pb.SetFavouriteCentresRequest) -> pb.SetFavouriteCentresResponse:
        """RdvPermis first, then ours: what it refuses or does not answer is not kept."""
        person, who = caller().school(), asker()
        category = wire.word(request.category, "category")
        wanted = _chosen(request, category)
        asked = rdv.SetFavouritesRequest(
            category=category,
            favourites=[
                rdv.RdvFavourite(category=category, centre_id=one.centre_id, priority=one.priority) for one in wanted
            ],
        )
        at = self._now()
        try:
            answer = await peers.call(self._egress.SetFavourites, asked, principal=who.principal)
        except Failure as failure:
            if peers.may_have_acted(failure):
                async with transaction(self._engine) as tx:
                    await queries.doubt_favourites(tx, person.school_id, at)
            raise
        kept = [Favourite(category, one.centre_id, one.priority) for one in answer.favourites]
        async with transaction(self._engine) as tx:
            await queries.keep_favourites(tx, person.school_id, kept, at, category)
            record = watch_events.favourites_set(person, category, [one.centre_id for one in kept])
            await self._outbox.add(tx, at, record)
        found, _ = await self._kept(person.school_id)
        return pb.SetFavouriteCentresResponse(favourites=[_favourite(one) for one in found if one.category == category])

    async def round(self) -> None:
        """Read those that were not read for the longest; one that cannot be read is tried again half a day later."""
        now = self._now()
        async with transaction(self._engine) as tx:
            due = await queries.favourites_due(tx, now - FAVOURITES_FRESH, now - AT_HOME, A_ROUND)
        for school_id in due:
            try:
                await self.read(Asker(school_id))
            except Failure as failure:
                log.info("favourites.not_read", code=failure.name)

    async def _kept(self, school_id: str) -> tuple[Sequence[Favourite], datetime | None]:
        async with transaction(self._reader) as tx:
            return await queries.favourites_of(tx, school_id)


def _chosen(request: pb.SetFavouriteCentresRequest, category: str) -> list[Favourite]:
    if len(request.favourites) > MOST_FAVOURITES:
        raise malformed("favourites", f"at most {MOST_FAVOURITES}")
    chosen: list[Favourite] = []
    for n, one in enumerate(request.favourites):
        centre_id = wire.word(one.centre_id, f"favourites[{n}].centre_id")
        if not 0 <= one.priority <= LEAST_IMPORTANT:
            raise malformed(f"favourites[{n}].priority", "0 to 2")
        if any(centre_id == other.centre_id for other in chosen):
            raise malformed(f"favourites[{n}].centre_id", "each centre once")
        chosen.append(Favourite(category, centre_id, one.priority))
    return chosen


def _favourite(one: Favourite) -> pb.FavouriteCentre:
    return pb.FavouriteCentre(
        category=one.category,
        centre_id=one.centre_id,
        priority=one.priority,
        centre_name=one.centre_name,
        department=one.department,
    )
