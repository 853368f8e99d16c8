"""What people search: slots and centres, as scheduling.v1 answers them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.clock import Clock
from resapermis_kit.errors import Failure, malformed
from resapermis_scheduling_rules import wire
from resapermis_scheduling_rules.domain.days import local_day, month_of
from resapermis_scheduling_rules.domain.distance import nearest_first
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import Place
from resapermis_scheduling_rules.domain.slots import Centre, Point
from resapermis_scheduling_rules.facts import Facts
from resapermis_scheduling_rules.mirror.centres import Atlas, Atlases
from resapermis_scheduling_rules.mirror.poller import SEEN, Asker, asker, reason
from resapermis_scheduling_rules.school import queries as schools
from resapermis_scheduling_rules.search import wire as search_wire
from resapermis_scheduling_rules.search.departments import MOST_ASKED, near
from resapermis_scheduling_rules.search.finding import CentreUnknown, Finder, Found
from resapermis_scheduling_rules.search.freshness import Freshness, Window
from resapermis_scheduling_rules.search.page import PageJudge, PageWriter
from resapermis_scheduling_rules.search.wanted import Wanted, is_meant

MOST_STREAMS = 200
"""Centres that one search merges: the nearest."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a search reads, and where it looks."""

    streams: Mapping[str, str]
    by_centre: bool
    looked_at: Sequence[Centre]
    """Open centres, nearest first."""
    trouble: str = SEEN
    """Why it is not known whether these are all centres."""


class Searching:
    """Answers searches from the mirror."""

    def __init__(self, engine: AsyncEngine, facts: Facts, atlases: Atlases, freshness: Freshness, now: Clock) -> None:
        """`engine` answers questions of one statement without a transaction around them."""
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._facts, self._atlases, self._freshness, self._now = facts, atlases, freshness, now

    async def slots(self, request: pb.SearchSlotsRequest) -> pb.SearchSlotsResponse:
        """Answer from the mirror, and look again at what is stale."""
        who, now = asker(), self._now()
        wanted = search_wire.wanted_of(request, now)
        school = (await self._facts.standing(who)).school if wanted.within_km is not None else None
        if school is not None and school.point is None:
            raise malformed("within_km", "where the school is, is not known: name a department")
        scope = await self._scope(wanted, None if school is None else school.point, who)
        window = await self._window(wanted, scope, who, look_now=request.look_now)
        standing = await self._facts.standing(who)
        department = wanted.department or standing.school.department
        month = month_of(local_day(wanted.since, department))
        if department == standing.school.department:
            self._facts.refresh_threshold(standing, month, wanted.category, who)
        rules = await self._facts.rulebook()

        def parameters_in(place: str) -> Parameters:
            return rules.at(now, place, wanted.category)

        usage = await schools.usage_now(self._reader, who.school_id, month)
        judge = PageJudge(
            standing.school,
            now,
            parameters_in,
            lambda place: standing.quota(place, usage.get(place, 0), parameters_in(place.department)),
        )
        found = await self._find(wanted, scope, judge, standing.school.point)
        response = pb.SearchSlotsResponse(incomplete=window.incomplete, incomplete_reason=window.reason)
        if window.oldest_seen_at is not None:
            response.oldest_seen_at.CopyFrom(wire.timestamp(window.oldest_seen_at))
        if found.next is not None:
            response.next_cursor = search_wire.cursor(found.next)
        writer = PageWriter(standing.school.point)
        for judged in found.slots:
            writer.write(response, judged)
        place = Place(department, month, wanted.category)
        response.threshold.CopyFrom(wire.threshold(place, judge.quota_of(place), parameters_in(department), now))
        return response

    async def centres(self, request: pb.ListCentresRequest) -> pb.ListCentresResponse:
        """Open centres of a department for a category, nearest to the school first (R-34)."""
        who = asker()
        department, category = wire.word(request.department, "department"), wire.word(request.category, "category")
        offer = await self._facts.offer(department, category, who)
        school = (await self._facts.standing(who)).school
        parameters = await self._facts.parameters_at(department, category)
        writer = PageWriter(school.point)
        nearest = nearest_first(offer.centres, school.point)
        return pb.ListCentresResponse(centres=[writer.centre(one, parameters) for one in nearest])

    async def _window(self, wanted: Wanted, scope: Scope, who: Asker, *, look_now: bool) -> Window:
        if scope.trouble and not scope.looked_at:
            return Window(incomplete=True, reason=scope.trouble)
        window = await self._freshness.of(wanted, scope.looked_at, who, look_now=look_now)
        if scope.trouble:
            return Window(window.oldest_seen_at, incomplete=True, reason=window.reason or scope.trouble)
        return window

    async def _scope(self, wanted: Wanted, school: Point | None, who: Asker) -> Scope:
        if wanted.department:
            departments: Sequence[str] = [wanted.department]
        else:
            assert school is not None and wanted.within_km is not None  # noqa: PT018, S101 - `slots` refused the rest
            departments = near(school, wanted.within_km)[:MOST_ASKED]
        offers = await self._facts.offers(departments, wanted.category, who)
        trouble = SEEN
        offered: list[Centre] = []
        for offer in offers:
            if isinstance(offer, Failure):
                trouble = trouble or reason(offer)
            elif isinstance(offer, BaseException):
                raise offer
            else:
                offered += offer.centres
        atlas = await self._atlas([centre.id for centre in offered])
        looked_at = [one for one in offered if is_meant(wanted, one, school)]
        if not wanted.centre_ids and wanted.within_km is None:
            return Scope({wanted.department: wanted.department}, False, looked_at, trouble)
        known = [one for one in atlas.centres.values() if is_meant(wanted, one, school)]
        streams = {one.id: one.department for one in nearest_first(known, school)[:MOST_STREAMS]}
        return Scope(streams, True, nearest_first(looked_at, school), trouble)

    async def _atlas(self, needed: Sequence[str]) -> Atlas:
        atlas = await self._atlases.get()
        return atlas if all(one in atlas.centres for one in needed) else await self._atlases.renew()

    async def _find(self, wanted: Wanted, scope: Scope, judge: PageJudge, school: Point | None) -> Found:
        for atlas in (await self._atlases.get(), None):
            centres = (atlas or await self._atlases.renew()).centres
            try:
                return await Finder(wanted, scope.streams, scope.by_centre, centres, judge, school).page(self._reader)
            except CentreUnknown:
                if atlas is None:
                    raise
        raise AssertionError  # the second round returns or raises
