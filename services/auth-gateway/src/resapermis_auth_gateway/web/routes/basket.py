"""The basket: hold, name, give back, validate."""

from typing import Any

from fastapi import APIRouter, Response

from resapermis.basket.v1 import basket_pb2
from resapermis_auth_gateway.web.dependencies import Key, Visitor, Who, now_of
from resapermis_auth_gateway.web.wire.base import PathId
from resapermis_auth_gateway.web.wire.basket import (
    BasketView,
    Check,
    CheckView,
    GroupOutcomeView,
    GroupView,
    Hold,
    Item,
    LimitsView,
    LineResources,
    LineView,
    Naming,
    Preparation,
    PreparationView,
    Validation,
)

router = APIRouter(prefix="/basket", tags=["basket"])
PARTLY: dict[int | str, dict[str, Any]] = {
    207: {"model": GroupOutcomeView, "description": "Some lines went otherwise: read each result."}
}


async def _line(who: Visitor, line: basket_pb2.Line) -> LineView:
    return LineView.of(line, await who.names([line.candidate_id], "show_basket"), who.language)


@router.get("")
async def get_basket(who: Who) -> BasketView:
    """The school's groups that have a line in its basket or lost one within the hour, newest first, with the limits in force."""
    answer = await who.ask(who.peers.basket.GetBasket, basket_pb2.GetBasketRequest())
    lines = (line for group in answer.groups for line in group.lines)
    names = await who.names((line.candidate_id for line in lines), "show_basket")
    return BasketView(
        groups=[GroupView.of(group, names, who.language) for group in answer.groups],
        limits=LimitsView(
            group=answer.limits.group,
            basket=answer.limits.basket,
            hold_ttl_seconds=answer.limits.hold_ttl_seconds,
        ),
        server_time=now_of(who),
    )


def _asked(item: Item) -> basket_pb2.HoldLine:
    return basket_pb2.HoldLine(
        slot_id=item.slot_id,
        candidate_id=item.candidate_id or "",
        trainer_id=item.trainer_id or "",
        vehicle_id=item.vehicle_id or "",
    )


@router.post("/check")
async def check(who: Who, body: Check) -> CheckView:
    """Say whether a hold would be allowed now: why not, what to do, when it opens. Holds nothing."""
    question = basket_pb2.CheckHoldRequest(lines=[_asked(item) for item in body.items])
    answer = await who.ask(who.peers.basket.CheckHold, question)
    return CheckView.of(answer.explained, who.language, now_of(who))


@router.post("/preparation")
async def prepare(who: Who, body: Preparation) -> PreparationView:
    """Settle before an opening what can be: token, budget, an open basket, each candidate. Holds nothing."""
    question = basket_pb2.PrepareOpeningRequest(
        category=body.category,
        department=body.department,
        candidate_ids=body.candidate_ids,
        slot_id=body.slot_id or "",
    )
    answer = await who.ask(who.peers.basket.PrepareOpening, question)
    names = await who.names((one.candidate_id for one in answer.candidates), "show_basket")
    return PreparationView.of(answer, names, who.language, now_of(who))


@router.post("/items", status_code=201, responses=PARTLY)
async def hold(who: Who, key: Key, body: Hold, response: Response) -> GroupOutcomeView:
    """Ask RdvPermis for one to four slots; what it grants is kept, line by line (or all given back, if `allOrNothing`).

    No name is read for the answer: who asks has just chosen these candidates. Lines show the end of their ids.
    """
    command = basket_pb2.HoldSlotsRequest(
        request_id=key,
        lines=[_asked(item) for item in body.items],
        all_or_nothing=body.all_or_nothing,
    )
    group = (await who.ask(who.peers.basket.HoldSlots, command)).group
    if any(line.state != basket_pb2.LINE_STATE_HELD for line in group.lines):
        response.status_code = 207
    return GroupOutcomeView.of(group, {}, who.language, now_of(who))


@router.put("/items/{line_id}/candidate")
async def name_candidate(who: Who, key: Key, line_id: PathId, body: Naming) -> LineView:
    """Name, rename or unname the candidate of a held line."""
    command = basket_pb2.NameCandidateRequest(request_id=key, line_id=line_id, candidate_id=body.candidate_id or "")
    return await _line(who, (await who.ask(who.peers.basket.NameCandidate, command)).line)


@router.put("/items/{line_id}/accompaniment")
async def set_line_resources(who: Who, key: Key, line_id: PathId, body: LineResources) -> LineView:
    """Set who accompanies a line's candidate and in what; RdvPermis is not asked."""
    command = basket_pb2.SetLineResourcesRequest(
        request_id=key, line_id=line_id, trainer_id=body.trainer_id or "", vehicle_id=body.vehicle_id or ""
    )
    return await _line(who, (await who.ask(who.peers.basket.SetLineResources, command)).line)


@router.delete("/items/{line_id}")
async def release(who: Who, key: Key, line_id: PathId) -> LineView:
    """Give a held slot back at RdvPermis; the answer is the line, released."""
    command = basket_pb2.ReleaseLineRequest(request_id=key, line_id=line_id)
    return await _line(who, (await who.ask(who.peers.basket.ReleaseLine, command)).line)


@router.post("/validation", responses=PARTLY)
async def validate(who: Who, key: Key, body: Validation, response: Response) -> GroupOutcomeView:
    """Validate a group: each named line is booked or rejected; one whose outcome is unknown stays confirming."""
    command = basket_pb2.ValidateGroupRequest(request_id=key, group_id=body.group_id)
    group = (await who.ask(who.peers.basket.ValidateGroup, command)).group
    if any(line.state != basket_pb2.LINE_STATE_BOOKED for line in group.lines):
        response.status_code = 207
    names = await who.names((line.candidate_id for line in group.lines), "show_basket")
    return GroupOutcomeView.of(group, names, who.language, now_of(who))
