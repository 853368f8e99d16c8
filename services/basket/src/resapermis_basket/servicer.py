"""What basket answers about holds."""

from typing import Any

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.basket.v1 import basket_pb2_grpc
from resapermis.scheduling.v1.scheduling_pb2 import Limits
from resapermis_basket import store, view
from resapermis_basket.accompanying import Accompanying
from resapermis_basket.acts import Parts
from resapermis_basket.checking import Checking
from resapermis_basket.holding import Holding
from resapermis_basket.naming import Naming
from resapermis_basket.peers import usage
from resapermis_basket.preparing import Preparing
from resapermis_basket.validating import Validating
from resapermis_basket.visits import Visits
from resapermis_kit.database.transaction import transaction
from resapermis_kit.rpc.auth import caller


class BasketServicer(basket_pb2_grpc.BasketServiceServicer):
    """Holding, naming, releasing and validating slots for the caller's school."""

    def __init__(self, parts: Parts) -> None:
        """Answer with these parts."""
        self._parts = parts
        self._visits = Visits()
        self._accompanying = Accompanying(parts)
        self._checking = Checking(parts)
        self._preparing = Preparing(parts)
        self._holding = Holding(parts)
        self._naming = Naming(parts)
        self._validating = Validating(parts)

    async def HoldSlots(self, request: pb.HoldSlotsRequest, context: Any) -> pb.HoldSlotsResponse:
        """Ask RdvPermis for what our rules and our own schools leave free; keep what it grants."""
        return await self._holding.hold(caller().school(), request)

    async def GetBasket(self, request: pb.GetBasketRequest, context: Any) -> pb.GetBasketResponse:
        """Return the school's groups that have a line in its basket, newest first."""
        school_id = caller().school().school_id
        async with transaction(self._parts.engine) as tx:
            lines = await store.live_groups(tx, school_id)
            if self._visits.first_lately(school_id):
                await store.was_here(tx, school_id)
            by_group = view.by_group(lines)
            groups = await store.groups_by_id(tx, by_group)
        newest_first = sorted(groups.values(), key=lambda group: group.created_at, reverse=True)
        limits = self._parts.peers.limits
        return pb.GetBasketResponse(
            groups=[view.group(group.id, group.created_at, by_group[group.id]) for group in newest_first],
            limits=Limits(
                group=limits.group,
                basket=limits.basket,
                hold_ttl_seconds=limits.hold_ttl_seconds,
                notice_seconds=limits.notice_seconds,
            ),
        )

    async def SetLineResources(self, request: pb.SetLineResourcesRequest, context: Any) -> pb.SetLineResourcesResponse:
        """Say who accompanies a line's candidate, and in what."""
        return await self._accompanying.accompany(caller().school(), request)

    async def CheckHold(self, request: pb.CheckHoldRequest, context: Any) -> pb.CheckHoldResponse:
        """Say what a hold would meet."""
        return await self._checking.check(caller().school(), request)

    async def PrepareOpening(self, request: pb.PrepareOpeningRequest, context: Any) -> pb.PrepareOpeningResponse:
        """Settle before an opening what can be."""
        return await self._preparing.prepare(caller().school(), request)

    async def NameCandidate(self, request: pb.NameCandidateRequest, context: Any) -> pb.NameCandidateResponse:
        """Name, rename or unname the candidate of a held line."""
        return await self._naming.name(caller().school(), request)

    async def ReleaseLine(self, request: pb.ReleaseLineRequest, context: Any) -> pb.ReleaseLineResponse:
        """Give a held line back."""
        return await self._naming.release(caller().school(), request)

    async def ValidateGroup(self, request: pb.ValidateGroupRequest, context: Any) -> pb.ValidateGroupResponse:
        """Book what a group holds, line by line."""
        return await self._validating.validate(caller().school(), request)

    async def GetUsage(self, request: pb.GetUsageRequest, context: Any) -> pb.GetUsageResponse:
        """Say what the school has taken, by department, month and category group."""
        async with transaction(self._parts.engine) as tx:
            return pb.GetUsageResponse(usage=usage(await store.counted(tx, caller().school().school_id)))
