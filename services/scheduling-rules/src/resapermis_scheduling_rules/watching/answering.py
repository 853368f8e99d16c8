"""Favourite centres and saved searches: what people want watched, as scheduling.v1 answers it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.clock import Clock, NewId, new_id
from resapermis_kit.database import idempotency
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import caller
from resapermis_scheduling_rules import wire
from resapermis_scheduling_rules.domain.slots import Point
from resapermis_scheduling_rules.facts import Facts
from resapermis_scheduling_rules.mirror.poller import Asker, asker
from resapermis_scheduling_rules.search import wire as search_wire
from resapermis_scheduling_rules.search.departments import near
from resapermis_scheduling_rules.search.wanted import Wanted
from resapermis_scheduling_rules.watching import events as watch_events
from resapermis_scheduling_rules.watching import queries as store
from resapermis_scheduling_rules.watching.queries import MOST_SEARCHES, Favourite, Saved, Scope

MOST_FAVOURITES, LEAST_IMPORTANT, LONGEST_LABEL = 20, 2, 80
NOT_KEPT: tuple[Literal["from", "to", "cursor", "limit", "look_now"], ...] = (
    "from",
    "to",
    "cursor",
    "limit",
    "look_now",
)
"""A saved search is about what comes: neither its window nor its page is kept."""


class Watching:
    """What the caller and their school want watched."""

    def __init__(self, engine: AsyncEngine, facts: Facts, now: Clock, make_id: NewId = new_id) -> None:
        """RdvPermis is reached, and facts are said, through `facts`."""
        self._engine, self._facts, self._now, self._new_id = engine, facts, now, make_id
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def favourites(self, *, look_now: bool) -> pb.ListFavouriteCentresResponse:
        """As RdvPermis keeps them: read when never read, when in doubt, or when a person asks."""
        who = asker()
        found, seen_at = await self._kept(who.school_id)
        if look_now or seen_at is None:
            await self._facts.once(("favourites", who.school_id), lambda: self.read_favourites(who))
            found, seen_at = await self._kept(who.school_id)
        response = pb.ListFavouriteCentresResponse(favourites=[_favourite(one) for one in found])
        if seen_at is not None:
            response.seen_at.CopyFrom(wire.timestamp(seen_at))
        return response

    async def read_favourites(self, who: Asker) -> None:
        """Ask RdvPermis and keep its answer; a Failure changes nothing but when it was tried."""
        at = self._now()
        request = rdv.ListFavouritesRequest(on_behalf=who.on_behalf)
        try:
            answer = await peers.ask(self._facts.egress.ListFavourites, request, principal=who.principal)
        except Failure:
            async with transaction(self._engine) as tx:
                await store.tried_favourites(tx, who.school_id, at)
            raise
        found = [Favourite(one.category, one.centre_id, min(max(one.priority, 0), 2)) for one in answer.favourites]
        async with transaction(self._engine) as tx:
            await store.keep_favourites(tx, who.school_id, found, at)

    async def set_favourites(self, request: pb.SetFavouriteCentresRequest) -> pb.SetFavouriteCentresResponse:
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
            answer = await peers.call(self._facts.egress.SetFavourites, asked, principal=who.principal)
        except Failure as failure:
            if failure.code in {Code.CODE_UNKNOWN_OUTCOME, Code.CODE_DEADLINE, Code.CODE_UNAVAILABLE}:
                async with transaction(self._engine) as tx:
                    await store.doubt_favourites(tx, person.school_id, at)
            raise
        kept = [Favourite(category, one.centre_id, one.priority) for one in answer.favourites]
        async with transaction(self._engine) as tx:
            await store.keep_favourites(tx, person.school_id, kept, at, category)
            record = watch_events.favourites_set(person, category, [one.centre_id for one in kept])
            await self._facts.outbox.add(tx, at, record)
        found, _ = await self._kept(person.school_id)
        return pb.SetFavouriteCentresResponse(favourites=[_favourite(one) for one in found if one.category == category])

    async def save(self, request: pb.SaveSearchRequest) -> pb.SaveSearchResponse:
        """Keep a search of the caller's; the same request id gives the same search."""
        person, now = caller().school(), self._now()
        label = request.label.strip()
        if not 1 <= len(label) <= LONGEST_LABEL or not label.isprintable():
            raise malformed("label", f"1 to {LONGEST_LABEL} printable characters")
        bare = pb.SearchSlotsRequest()
        bare.CopyFrom(request.search)
        for field in NOT_KEPT:
            bare.ClearField(field)
        wanted = search_wire.wanted_of(bare, now)
        school = (await self._facts.standing(asker())).school
        where = scopes_of(wanted, school.point)
        kept = Saved(
            self._new_id(), person.account_id, person.school_id, label, bare.SerializeToString(), request.alert, now
        )
        async with transaction(self._engine) as tx:
            earlier = await idempotency.earlier_answer(tx, person.account_id, request, now)
            if earlier is not None:
                return pb.SaveSearchResponse.FromString(earlier)
            if not await store.save(tx, kept, where):
                raise malformed("search", f"at most {MOST_SEARCHES} saved searches: delete one first")
            response = pb.SaveSearchResponse(search=_saved(kept))
            await self._facts.outbox.add(tx, now, watch_events.search_kept(person, kept))
            await idempotency.settle(tx, person.account_id, request, response)
        return response

    async def saved(self) -> pb.ListSavedSearchesResponse:
        """The caller's searches, newest first."""
        person = caller().school()
        async with transaction(self._reader) as tx:
            found = await store.saved_by(tx, person.account_id, person.school_id)
        return pb.ListSavedSearchesResponse(searches=[_saved(one) for one in found])

    async def delete(self, request: pb.DeleteSavedSearchRequest) -> pb.DeleteSavedSearchResponse:
        """Forget one. NOT_FOUND: none of the caller's has this id."""
        person = caller().school()
        async with transaction(self._engine) as tx:
            if not await store.forget_search(tx, _search_id(request.id), person.account_id, person.school_id):
                raise Failure(Code.CODE_NOT_FOUND, "no saved search of yours has this id")
            await self._facts.outbox.add(tx, self._now(), watch_events.search_forgotten(person, request.id))
        return pb.DeleteSavedSearchResponse()

    async def _kept(self, school_id: str) -> tuple[Sequence[Favourite], datetime | None]:
        async with transaction(self._reader) as tx:
            return await store.favourites_of(tx, school_id)


def scopes_of(wanted: Wanted, school: Point | None) -> list[Scope]:
    """Where a search can match, so that a slot finds its searches by index."""
    if wanted.within_km is not None and school is None:
        raise malformed("within_km", "where the school is, is not known: name a department")
    if wanted.department:
        return [
            Scope(wanted.category, wanted.department, centre_id, wanted.within_km)
            for centre_id in wanted.centre_ids or ("",)
        ]
    assert school is not None and wanted.within_km is not None  # noqa: PT018, S101 - parsed so
    return [Scope(wanted.category, one, "", wanted.within_km) for one in near(school, wanted.within_km)]


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


def _search_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise malformed("id", "not an id") from None


def _favourite(one: Favourite) -> pb.FavouriteCentre:
    return pb.FavouriteCentre(
        category=one.category,
        centre_id=one.centre_id,
        priority=one.priority,
        centre_name=one.centre_name,
        department=one.department,
    )


def _saved(one: Saved) -> pb.SavedSearch:
    message = pb.SavedSearch(
        id=str(one.id), label=one.label, search=pb.SearchSlotsRequest.FromString(one.search), alert=one.alert
    )
    message.created_at.CopyFrom(wire.timestamp(one.created_at))
    if one.matched_at is not None:
        message.matched_at.CopyFrom(wire.timestamp(one.matched_at))
    return message
