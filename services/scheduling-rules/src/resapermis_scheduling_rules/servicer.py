"""scheduling.v1: hands each question to the room that answers it."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1.scheduling_pb2_grpc import SchedulingServiceServicer
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_scheduling_rules.evaluation.evaluator import Evaluator
from resapermis_scheduling_rules.evaluation.thresholds import Thresholds
from resapermis_scheduling_rules.parameters import wire
from resapermis_scheduling_rules.parameters.queries import all_parameters
from resapermis_scheduling_rules.peers import asker
from resapermis_scheduling_rules.search.search import SlotSearch
from resapermis_scheduling_rules.watchlist.favourites import Favourites
from resapermis_scheduling_rules.watchlist.saved_searches import SavedSearches


class SchedulingServicer(SchedulingServiceServicer):
    """Slots as last seen, and the rules' answers."""

    def __init__(
        self,
        engine: AsyncEngine,
        slot_search: SlotSearch,
        evaluator: Evaluator,
        thresholds: Thresholds,
        favourites: Favourites,
        saved_searches: SavedSearches,
        now: Clock,
    ) -> None:
        """Each room answers for itself."""
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")  # one question, one round trip
        self._slot_search, self._evaluator, self._thresholds = slot_search, evaluator, thresholds
        self._favourites, self._saved_searches, self._now = favourites, saved_searches, now

    async def SearchSlots(self, request: pb.SearchSlotsRequest, context: Any) -> pb.SearchSlotsResponse:
        """Answer from the mirror, and poll again what is stale."""
        del context
        return await self._slot_search.slots(request)

    async def ListCentres(self, request: pb.ListCentresRequest, context: Any) -> pb.ListCentresResponse:
        """Open centres of a department for a category, nearest first."""
        del context
        return await self._slot_search.centres(request)

    async def ListFavouriteCentres(
        self, request: pb.ListFavouriteCentresRequest, context: Any
    ) -> pb.ListFavouriteCentresResponse:
        """The school's favourite centres, as RdvPermis keeps them and as of when."""
        del context
        return await self._favourites.get(poll_now=request.poll_now)

    async def SetFavouriteCentres(
        self, request: pb.SetFavouriteCentresRequest, context: Any
    ) -> pb.SetFavouriteCentresResponse:
        """Set a category's favourites at RdvPermis, then here; refused there, nothing changes here."""
        del context
        return await self._favourites.choose(request)

    async def SaveSearch(self, request: pb.SaveSearchRequest, context: Any) -> pb.SaveSearchResponse:
        """Keep a search of the caller's, once by its request id; at most twenty an account."""
        del context
        return await self._saved_searches.save(request)

    async def ListSavedSearches(
        self, request: pb.ListSavedSearchesRequest, context: Any
    ) -> pb.ListSavedSearchesResponse:
        """The caller's searches at their school, newest first."""
        del request, context
        return await self._saved_searches.mine()

    async def DeleteSavedSearch(
        self, request: pb.DeleteSavedSearchRequest, context: Any
    ) -> pb.DeleteSavedSearchResponse:
        """Delete one of the caller's searches. NOT_FOUND: none of theirs has this id."""
        del context
        return await self._saved_searches.delete(request)

    async def Evaluate(self, request: pb.EvaluateRequest, context: Any) -> pb.EvaluateResponse:
        """Judge lines and action by all rules."""
        del context
        return await self._evaluator.evaluate(request, asker())

    async def Explain(self, request: pb.ExplainRequest, context: Any) -> pb.ExplainResponse:
        """The same facts: what must change, and when time alone opens it."""
        del context
        return await self._evaluator.explain(request.question, asker())

    async def Rejudge(self, request: pb.RejudgeRequest, context: Any) -> pb.RejudgeResponse:
        """Judge kept snapshots again; nobody's facts but theirs."""
        del context
        return await self._evaluator.rejudge(request)

    async def ListParameters(self, request: pb.ListParametersRequest, context: Any) -> pb.ListParametersResponse:
        """Parameters in force, to come and waiting; older values are in the journal."""
        del request, context
        now = self._now()
        async with transaction(self._reader) as tx:
            rows = await all_parameters(tx)
        return pb.ListParametersResponse(parameters=wire.parameters(rows, now))

    async def ListThresholds(self, request: pb.ListThresholdsRequest, context: Any) -> pb.ListThresholdsResponse:
        """This month's thresholds and the next two's: of the school's department, where its trainers teach, where it took something."""
        del context
        return await self._thresholds.get(request)
