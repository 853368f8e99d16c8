"""What basket answers about holds: only hands over."""

from typing import Any

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.basket.v1 import basket_pb2_grpc
from resapermis_basket.booking.line_resources import set_line_resources
from resapermis_basket.booking.validation import validate_group
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.hold.basket import basket_of, usage_of
from resapermis_basket.hold.check import check_hold
from resapermis_basket.hold.command import HoldCommand
from resapermis_basket.hold.held_line import name_candidate, release_line
from resapermis_basket.opening.preparation import prepare_opening
from resapermis_basket.visits import Visits
from resapermis_kit.rpc.auth import caller


class BasketServicer(basket_pb2_grpc.BasketServiceServicer):
    """Holding, naming, releasing and validating slots for the caller's school."""

    def __init__(self, dependencies: Dependencies, holds: HoldCommand) -> None:
        """`holds`: one in a process."""
        self._dependencies = dependencies
        self._visits = Visits()
        self._holds = holds

    async def HoldSlots(self, request: pb.HoldSlotsRequest, context: Any) -> pb.HoldSlotsResponse:
        """Ask RdvPermis for what our rules and our own schools leave free; keep what it grants."""
        return await self._holds.hold(caller().school(), request)

    async def CheckHold(self, request: pb.CheckHoldRequest, context: Any) -> pb.CheckHoldResponse:
        """What HoldSlots would answer to the same items, with every reason against; holds and records nothing."""
        return await check_hold(self._dependencies, caller().school(), request)

    async def GetBasket(self, request: pb.GetBasketRequest, context: Any) -> pb.GetBasketResponse:
        """The school's groups that have a line in its basket, newest first."""
        return await basket_of(self._dependencies, self._visits, caller().school())

    async def GetUsage(self, request: pb.GetUsageRequest, context: Any) -> pb.GetUsageResponse:
        """What the school has taken, by department, month and category group."""
        return await usage_of(self._dependencies, caller().school())

    async def PrepareOpening(self, request: pb.PrepareOpeningRequest, context: Any) -> pb.PrepareOpeningResponse:
        """Settle before an opening what can be."""
        return await prepare_opening(self._dependencies, caller().school(), request)

    async def NameCandidate(self, request: pb.NameCandidateRequest, context: Any) -> pb.NameCandidateResponse:
        """Name, rename or unname the candidate of a held line."""
        return await name_candidate(self._dependencies, caller().school(), request)

    async def SetLineResources(self, request: pb.SetLineResourcesRequest, context: Any) -> pb.SetLineResourcesResponse:
        """Choose a line's trainer and vehicle."""
        return await set_line_resources(self._dependencies, caller().school(), request)

    async def ReleaseLine(self, request: pb.ReleaseLineRequest, context: Any) -> pb.ReleaseLineResponse:
        """Give a held line back at RdvPermis, once by the request id."""
        return await release_line(self._dependencies, caller().school(), request)

    async def ValidateGroup(self, request: pb.ValidateGroupRequest, context: Any) -> pb.ValidateGroupResponse:
        """Book what a group holds, line by line."""
        return await validate_group(self._dependencies, caller().school(), request)
