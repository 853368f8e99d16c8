"""scheduling.v1: thin; what it says is decided in rules/, what it knows is gathered in facts.py and looks.py."""

import asyncio
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1.scheduling_pb2_grpc import SchedulingServiceServicer
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.rpc.batcher import Batcher
from resapermis_scheduling_rules import wire
from resapermis_scheduling_rules.domain.days import local_day, month_of, next_month
from resapermis_scheduling_rules.domain.quota import Place
from resapermis_scheduling_rules.evaluation import queries as actions
from resapermis_scheduling_rules.evaluation import wire as case_wire
from resapermis_scheduling_rules.evaluation.evaluator import Evaluator
from resapermis_scheduling_rules.facts import Facts
from resapermis_scheduling_rules.mirror import centres as exam_centres
from resapermis_scheduling_rules.mirror.centres import Atlases
from resapermis_scheduling_rules.mirror.poller import Looker, asker
from resapermis_scheduling_rules.parameters import queries as parameter_queries
from resapermis_scheduling_rules.school import queries as schools
from resapermis_scheduling_rules.search.answering import Searching
from resapermis_scheduling_rules.search.freshness import Freshness
from resapermis_scheduling_rules.watching.answering import Watching

THRESHOLD_SECONDS = 1.0
"""How long a page of thresholds waits for RdvPermis' own figures."""


class SchedulingServicer(SchedulingServiceServicer):
    """Slots as last seen, and the rules' answers."""

    def __init__(
        self, engine: AsyncEngine, facts: Facts, looker: Looker, now: Clock, *, first_look_seconds: float
    ) -> None:
        """`first_look_seconds`: how long a search waits when nothing of its window was ever seen."""
        self._facts, self._now = facts, now
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")  # one question, one round trip
        freshness = Freshness(engine, facts, looker, now, first_look_seconds=first_look_seconds)
        self._evaluator = Evaluator(Batcher(partial(actions.known, engine)), facts, now)
        self._searching = Searching(engine, facts, Atlases(engine, now), freshness, now)
        self._watching = Watching(engine, facts, now)

    async def SearchSlots(self, request: pb.SearchSlotsRequest, context: Any) -> pb.SearchSlotsResponse:
        """Answer from the mirror, and look again at what is stale."""
        del context
        return await self._searching.slots(request)

    async def ListCentres(self, request: pb.ListCentresRequest, context: Any) -> pb.ListCentresResponse:
        """Open centres of a department for a category, nearest first."""
        del context
        return await self._searching.centres(request)

    async def ListFavouriteCentres(
        self, request: pb.ListFavouriteCentresRequest, context: Any
    ) -> pb.ListFavouriteCentresResponse:
        """Favourite centres, as RdvPermis keeps them."""
        del context
        return await self._watching.favourites(look_now=request.look_now)

    async def SetFavouriteCentres(
        self, request: pb.SetFavouriteCentresRequest, context: Any
    ) -> pb.SetFavouriteCentresResponse:
        """Choose favourites at RdvPermis, then here."""
        del context
        return await self._watching.set_favourites(request)

    async def SaveSearch(self, request: pb.SaveSearchRequest, context: Any) -> pb.SaveSearchResponse:
        """Keep a search of the caller's."""
        del context
        return await self._watching.save(request)

    async def ListSavedSearches(
        self, request: pb.ListSavedSearchesRequest, context: Any
    ) -> pb.ListSavedSearchesResponse:
        """The caller's searches."""
        del request, context
        return await self._watching.saved()

    async def DeleteSavedSearch(
        self, request: pb.DeleteSavedSearchRequest, context: Any
    ) -> pb.DeleteSavedSearchResponse:
        """Forget one of them."""
        del context
        return await self._watching.delete(request)

    async def Evaluate(self, request: pb.EvaluateRequest, context: Any) -> pb.EvaluateResponse:
        """Judge lines and action by all rules."""
        del context
        return await self._evaluator.evaluate(request, asker())

    async def Explain(self, request: pb.ExplainRequest, context: Any) -> pb.ExplainResponse:
        """The same facts: what must change, and when time alone opens it."""
        del context
        return await self._evaluator.explain(request.question, asker())

    async def Rejudge(self, request: pb.RejudgeRequest, context: Any) -> pb.RejudgeResponse:
        """Judge kept cases again; nobody's facts but theirs."""
        del context
        return await self._evaluator.rejudge(request)

    async def ListParameters(self, request: pb.ListParametersRequest, context: Any) -> pb.ListParametersResponse:
        """Parameters in force, to come and waiting; what an older value was is the journal's to tell."""
        del request, context
        now = self._now()
        async with transaction(self._reader) as tx:
            rows = await parameter_queries.all_parameters(tx)
        return pb.ListParametersResponse(parameters=wire.parameters(rows, now))

    async def ListThresholds(self, request: pb.ListThresholdsRequest, context: Any) -> pb.ListThresholdsResponse:
        """This month's thresholds and the next two's: of the school's department, where its trainers teach, where it took something."""
        del context
        who, now = asker(), self._now()
        standing = await self._facts.standing(who)
        home = standing.school.department
        months = [month_of(local_day(now, home))]
        months += [next_month(months[0]), next_month(next_month(months[0]))]
        async with transaction(self._reader) as tx:
            counted = await schools.usage(tx, who.school_id, months[0])
            categories = await exam_centres.categories_of(tx, home)
        usage, held = case_wire.usage_of(request.usage) or counted, case_wire.held_of(request.usage)
        places = {Place(home, month, category) for month in months for category in categories}
        places |= {Place(department, month, category) for month in months for department, category in standing.ftes}
        places |= {place for place in usage if place.month >= months[0]}
        asked = [
            self._facts.refresh_threshold(standing, place.month, place.category, who)
            for place in places
            if place.department == home
        ]
        wanted = sorted({(place.month, place.category) for place in places if place.department == home})
        asked += [self._facts.refresh_replacements(*one, who) for one in wanted]
        waiting = [task for task in asked if task is not None]
        if waiting:
            await asyncio.wait(waiting, timeout=THRESHOLD_SECONDS)
            standing = await self._facts.standing(who)
        rules = await self._facts.rulebook()
        replacements = {one: self._facts.replacements(*one, who) for one in wanted}
        response = pb.ListThresholdsResponse()
        for place in sorted(places, key=lambda one: (one.month, one.department != home, one.department, one.category)):
            parameters = rules.at(now, place.department, place.category)
            quota = standing.quota(place, usage.get(place, 0), parameters)
            threshold = wire.threshold(place, quota, parameters, now, held.get(place, 0))
            allowance = replacements.get((place.month, place.category)) if place.department == home else None
            if allowance is not None:
                threshold.replacements_left, threshold.replacements_per_month = allowance.left, allowance.per_month
            response.thresholds.append(threshold)
        return response
