"""RdvPermisService: what other services may ask of RdvPermis, each RPC one call of theirs unless it says otherwise."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any
from uuid import UUID

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceServicer
from resapermis_auth_gateway.egress.breaker import State
from resapermis_auth_gateway.egress.rdvpermis import Action, Answer, RdvPermis
from resapermis_auth_gateway.egress.token_store import TokenOwner
from resapermis_auth_gateway.egress.wire import answers, calls
from resapermis_kit.clock import Clock
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import caller

MOST_SLOTS = 36
"""A basket of RdvPermis takes no more."""
Context = Any


def token_owner(on_behalf: pb.OnBehalf | None = None) -> TokenOwner:
    """The person behind the call, or the school that a service names for its own work."""
    person = caller().person
    if person is not None:
        return TokenOwner(_session(person.session_id), caller().school().school_id)
    if on_behalf is None or not on_behalf.school_id:
        raise malformed("on_behalf.school_id", "needed where no person asks")
    return TokenOwner(None, on_behalf.school_id)


def _session(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Failure(
            Code.CODE_UNAUTHENTICATED, "the principal's session is none of ours", denied="no_session"
        ) from None


class RdvPermisServicer(RdvPermisServiceServicer):
    """rdvpermis.v1 over RdvPermis' REST API; keeps nothing. A refusal of RdvPermis is a Failure with its code."""

    def __init__(self, rdvpermis: RdvPermis, now: Clock) -> None:
        """Answer through `rdvpermis`."""
        self._rdvpermis, self._now = rdvpermis, now

    async def GetSchool(self, request: pb.GetSchoolRequest, context: Context) -> pb.GetSchoolResponse:
        """GET /moi with the caller's token: id, name, department, coordinates and declared trainers of their school."""
        return await self._rdvpermis.ask(
            calls.get_school(), token_owner(request.on_behalf), lambda answer: answers.read_school(answer.payload)
        )

    async def SearchCentres(self, request: pb.SearchCentresRequest, context: Context) -> pb.SearchCentresResponse:
        """POST /centres/recherche: exam centres of one department and licence group, closed ones included."""
        return await self._rdvpermis.ask(
            calls.search_centres(request),
            token_owner(request.on_behalf),
            lambda answer: answers.read_centres(answer.payload),
        )

    async def SearchPlanning(self, request: pb.SearchPlanningRequest, context: Context) -> pb.SearchPlanningResponse:
        """One centre, one day; `seen_at` is when the answer came."""
        where = calls.zone(request.time_zone)
        return await self._rdvpermis.ask(
            calls.search_planning(request),
            token_owner(request.on_behalf),
            lambda answer: answers.read_planning(answer.payload, where, self._now()),
        )

    async def GetThreshold(self, request: pb.GetThresholdRequest, context: Context) -> pb.GetThresholdResponse:
        """RdvPermis' figures of a month and licence group for the school's department; absent where it gives none."""
        return await self._rdvpermis.ask(
            calls.get_threshold(request),
            token_owner(request.on_behalf),
            lambda answer: answers.read_threshold(answer.payload),
        )

    async def CreateMandate(self, request: pb.CreateMandateRequest, context: Context) -> pb.CreateMandateResponse:
        """POST /mandats: request a mandate; MALFORMED without last name or NEPH. The candidate accepts at RdvPermis."""
        if not request.last_name.strip():
            raise malformed("last_name", "needed")
        if not request.neph.strip():
            raise malformed("neph", "needed")
        return await self._rdvpermis.ask(
            calls.create_mandate(request),
            token_owner(),
            lambda answer: answers.read_mandate(answer.payload, request.neph),
        )

    async def SearchMandates(self, request: pb.SearchMandatesRequest, context: Context) -> pb.SearchMandatesResponse:
        """One page of the school's mandates, 0 the first; `has_more` says whether another follows."""
        return await self._rdvpermis.ask(
            calls.search_mandates(request),
            token_owner(request.on_behalf),
            lambda answer: answers.read_mandates(answer.payload, request),
        )

    async def CheckEligibility(
        self,
        request: pb.CheckEligibilityRequest,
        context: Context,
    ) -> pb.CheckEligibilityResponse:
        """May this candidate, or each under mandate, take this slot? RdvPermis' word is final."""

        def read(answer: Answer) -> pb.CheckEligibilityResponse:
            if request.neph:
                return answers.read_eligibility(answer.payload, request.neph)
            return answers.read_eligibilities(answer.payload)

        return await self._rdvpermis.ask(calls.check_eligibility(request), token_owner(request.on_behalf), read)

    async def ListStandings(self, request: pb.ListStandingsRequest, context: Context) -> pb.ListStandingsResponse:
        """One page of penalties and results; no NEPH leaves here."""
        return await self._rdvpermis.ask(
            calls.list_standings(request),
            token_owner(request.on_behalf),
            lambda answer: answers.read_standings(answer.payload, max(request.page, 0), self._now()),
        )

    async def ListEmployees(self, request: pb.ListEmployeesRequest, context: Context) -> pb.ListEmployeesResponse:
        """Who works at the school, for showing to the school."""
        return await self._rdvpermis.ask(
            calls.list_employees(),
            token_owner(request.on_behalf),
            lambda answer: answers.read_employees(answer.payload),
        )

    async def ListFavourites(self, request: pb.ListFavouritesRequest, context: Context) -> pb.ListFavouritesResponse:
        """The school's favourite centres, all licence groups, with RdvPermis' priorities (0 first)."""
        return await self._rdvpermis.ask(
            calls.list_favourites(),
            token_owner(request.on_behalf),
            lambda answer: answers.read_favourites(answer.payload),
        )

    async def SetFavourites(self, request: pb.SetFavouritesRequest, context: Context) -> pb.SetFavouritesResponse:
        """Choose all favourite centres of a group; the answer is what was asked."""
        await self._rdvpermis.ask(calls.set_favourites(request), token_owner(), _nothing)
        response = pb.SetFavouritesResponse()
        for one in request.favourites:
            response.favourites.add(category=request.category, centre_id=one.centre_id, priority=one.priority)
        return response

    async def HoldSlots(self, request: pb.HoldSlotsRequest, context: Context) -> pb.HoldSlotsResponse:
        """A whole hold: open a basket, add the slots, name the candidates; what is not known is marked so, line by line."""
        slot_ids = [calls.checked_id(slot.slot_id, "slots.slot_id") for slot in request.slots]
        if not 1 <= len(slot_ids) <= MOST_SLOTS or len(set(slot_ids)) != len(slot_ids):
            raise malformed("slots", "1 to 36 different slots")
        named = {slot.slot_id: slot.rdvpermis_candidate_id for slot in request.slots if slot.rdvpermis_candidate_id}
        for candidate_id in named.values():
            calls.checked_id(candidate_id, "slots.rdvpermis_candidate_id")
        opened = calls.checked_id(request.basket_id, "basket_id") if request.basket_id else ""
        async with self._rdvpermis.action(token_owner(), calls=(1 if opened else 2) + len(named)) as action:
            held = await _hold(action, opened, slot_ids)
            basket_id, results = held.basket_id, held.results
            await _side_by_side([_explain(action, basket_id, result) for result in results if _unexplained(result)])
            await _side_by_side(
                [
                    _name(action, basket_id, result, named[result.slot_id])
                    for result in results
                    if result.outcome == pb.HoldResult.OUTCOME_HELD and result.slot_id in named
                ]
            )
        return held

    async def OpenBasket(self, request: pb.OpenBasketRequest, context: Context) -> pb.OpenBasketResponse:
        """POST /paniers: an empty basket, opened ahead of an opening so that the hold is one call less."""
        return pb.OpenBasketResponse(
            basket=await self._rdvpermis.ask(
                calls.open_basket(), token_owner(), lambda answer: answers.read_basket(answer.payload)
            )
        )

    async def DropBasket(self, request: pb.DropBasketRequest, context: Context) -> pb.DropBasketResponse:
        """Delete a basket at RdvPermis with all it holds; one that RdvPermis does not know is a Failure."""
        await self._rdvpermis.ask(calls.drop_basket(request.basket_id), token_owner(request.on_behalf), _nothing)
        return pb.DropBasketResponse()

    async def GetBasket(self, request: pb.GetBasketRequest, context: Context) -> pb.GetBasketResponse:
        """One basket; absent when RdvPermis does not know it (any more)."""
        call = calls.get_basket(request.basket_id)
        try:
            basket = await self._rdvpermis.ask(
                call, token_owner(request.on_behalf), lambda answer: answers.read_basket(answer.payload)
            )
        except Failure as failure:
            if failure.rdvpermis_code == "PANIER_INCONNU":
                return pb.GetBasketResponse()
            raise
        return pb.GetBasketResponse(basket=basket)

    async def ListBaskets(self, request: pb.ListBasketsRequest, context: Context) -> pb.ListBasketsResponse:
        """GET /paniers: every open basket of the school with its lines, whoever opened it."""
        return await self._rdvpermis.ask(
            calls.list_baskets(), token_owner(request.on_behalf), lambda answer: answers.read_baskets(answer.payload)
        )

    async def ReleaseSlot(self, request: pb.ReleaseSlotRequest, context: Context) -> pb.ReleaseSlotResponse:
        """Take one slot out of a basket at RdvPermis, which frees it for every school."""
        call = calls.release_slot(request.basket_id, request.slot_id)
        await self._rdvpermis.ask(call, token_owner(request.on_behalf), _nothing)
        return pb.ReleaseSlotResponse()

    async def NameCandidate(self, request: pb.NameCandidateRequest, context: Context) -> pb.NameCandidateResponse:
        """Name the candidate of a held slot by RdvPermis' candidate id; an empty id takes the name off."""
        call = calls.name_candidate(request.basket_id, request.slot_id, request.rdvpermis_candidate_id)
        await self._rdvpermis.ask(call, token_owner(), _nothing)
        return pb.NameCandidateResponse()

    async def ValidateBasket(self, request: pb.ValidateBasketRequest, context: Context) -> pb.ValidateBasketResponse:
        """Book a basket, line by line (200 or 207)."""
        return await self._rdvpermis.ask(
            calls.validate_basket(request.basket_id),
            token_owner(),
            lambda answer: answers.read_validation(answer.payload),
        )

    async def ListExams(self, request: pb.ListExamsRequest, context: Context) -> pb.ListExamsResponse:
        """Exams to come of a licence group, one call a page; RDVPERMIS_UNEXPECTED when the pages do not end."""
        who, where = token_owner(request.on_behalf), calls.zone(request.time_zone)
        response = pb.ListExamsResponse()
        for page in range(calls.MOST_PAGES):
            number = page

            def read(answer: Answer, number: int = number) -> tuple[list[pb.RdvExam], bool]:
                return answers.read_exams(answer.payload, where, number)

            exams, more = await self._rdvpermis.ask(calls.list_exams(request, page), who, read)
            response.exams.extend(exams)
            if not more:
                return response
        raise Failure(Code.CODE_RDVPERMIS_UNEXPECTED, "RdvPermis' list of exams does not end")

    async def CancelExam(self, request: pb.CancelExamRequest, context: Context) -> pb.CancelExamResponse:
        """DELETE /examens/{id}: cancel a booked exam; what RdvPermis refuses (too late, locked) comes as a Failure."""
        await self._rdvpermis.ask(calls.cancel_exam(request.exam_id), token_owner(request.on_behalf), _nothing)
        return pb.CancelExamResponse()

    async def ReplaceCandidate(
        self,
        request: pb.ReplaceCandidateRequest,
        context: Context,
    ) -> pb.ReplaceCandidateResponse:
        """Put another candidate (RdvPermis' id) on a booked exam; uses one of the month's replacements."""
        call = calls.replace_candidate(request.exam_id, request.rdvpermis_candidate_id)
        await self._rdvpermis.ask(call, token_owner(), _nothing)
        return pb.ReplaceCandidateResponse()

    async def ListSwappable(self, request: pb.ListSwappableRequest, context: Context) -> pb.ListSwappableResponse:
        """Exams of a day that RdvPermis lets this one swap candidates with."""
        where = calls.zone(request.time_zone)
        return await self._rdvpermis.ask(
            calls.list_swappable(request), token_owner(), lambda answer: answers.read_swappable(answer.payload, where)
        )

    async def SwapExams(self, request: pb.SwapExamsRequest, context: Context) -> pb.SwapExamsResponse:
        """POST /examens/permutation: exchange the candidates of two booked exams."""
        await self._rdvpermis.ask(calls.swap_exams(request.exam_id, request.other_exam_id), token_owner(), _nothing)
        return pb.SwapExamsResponse()

    async def DeclareTrainers(self, request: pb.DeclareTrainersRequest, context: Context) -> pb.DeclareTrainersResponse:
        """Declare the school's full-time trainers (`fte`), from which RdvPermis computes its thresholds."""
        await self._rdvpermis.ask(calls.declare_trainers(request.fte), token_owner(), _nothing)
        return pb.DeclareTrainersResponse()

    async def GetReplacements(
        self,
        request: pb.GetReplacementsRequest,
        context: Context,
    ) -> pb.GetReplacementsResponse:
        """How many replacements RdvPermis allows in the month asked about, and how many are left."""
        return await self._rdvpermis.ask(
            calls.get_replacements(request),
            token_owner(request.on_behalf),
            lambda answer: answers.read_replacements(answer.payload),
        )

    async def GetBudget(self, request: pb.GetBudgetRequest, context: Context) -> pb.GetBudgetResponse:
        """What is left to the caller; RdvPermis is not asked."""
        who, client = token_owner(request.on_behalf), self._rdvpermis
        budget, now = client.budget, client.clock()
        mine = await client.token_store.employees(who)
        left = {one: budget.left(one, who.school_id, now, urgent=who.urgent) for one in mine}
        best = max(left, key=lambda one: left[one], default="")
        held = await client.token_store.of_school(who.school_id)
        response = pb.GetBudgetResponse(
            calls_left=left.get(best, 0),
            calls_per_minute=budget.limits.employee,
            reachable=client.breaker.state(now) is not State.OPEN,
            connected=bool(held),
            granted=any(token.kind == "grant" for token in held),
        )
        until = budget.wait_until(best, who.school_id, now, urgent=who.urgent) if best else now
        if until > now:
            response.wait_until.FromDatetime(client.moment(until))
        return response


async def _side_by_side(coroutines: Sequence[Coroutine[Any, Any, None]]) -> None:
    """All of them at once; most holds have one, which needs no task of its own."""
    if len(coroutines) == 1:
        await coroutines[0]
    elif coroutines:
        await asyncio.gather(*coroutines)


def _unknown(slot_ids: Sequence[str]) -> list[pb.HoldResult]:
    return [pb.HoldResult(slot_id=slot_id, outcome=pb.HoldResult.OUTCOME_UNKNOWN) for slot_id in slot_ids]


def _nothing(answer: Answer) -> None:
    """A 204: whatever a body holds, the change was made."""
    del answer


_NO_BASKET = {"PANIER_INCONNU", "ACTION_INTERDITE"}
"""The basket opened beforehand ended, or is another school's: nothing entered it, and a new one may be opened."""


async def _hold(action: Action, opened: str, slot_ids: Sequence[str]) -> pb.HoldSlotsResponse:
    """Put the slots into the basket opened beforehand, so that this call is the first; else into a new one."""
    if opened:
        held = await _add(action, opened, slot_ids)
        if not all(result.rdvpermis_code in _NO_BASKET for result in held.results):
            return held
    try:
        basket = await action.ask(calls.open_basket(), lambda answer: answers.read_basket(answer.payload))
    except Failure as failure:
        if failure.code != Code.CODE_UNKNOWN_OUTCOME:
            raise  # surely no basket: nothing happened
        return pb.HoldSlotsResponse(results=_unknown(slot_ids))
    held = await _add(action, basket.id, slot_ids)
    if not held.HasField("expires_at"):
        held.expires_at.CopyFrom(basket.expires_at)
    return held


async def _add(action: Action, basket_id: str, slot_ids: Sequence[str]) -> pb.HoldSlotsResponse:
    """Add all slots in one call; a refusal of the whole is each line's, a lost answer leaves each unknown.

    `expires_at` is absent where the answer does not give it: who opened the basket knows.
    """
    expires_at = None
    try:
        results, expires_at = await action.ask(
            calls.add_slots(basket_id, slot_ids),
            lambda answer: answers.read_added(answer.payload, answer.status, slot_ids),
        )
    except Failure as failure:
        if failure.code == Code.CODE_UNKNOWN_OUTCOME:
            results = _unknown(slot_ids)
        elif failure.rdvpermis_code:
            results = [answers.refused_line(slot_id, failure.rdvpermis_code) for slot_id in slot_ids]
        else:
            raise  # surely not added: an empty basket is left, which ends by itself
    return pb.HoldSlotsResponse(basket_id=basket_id, expires_at=expires_at, results=results)


def _unexplained(result: pb.HoldResult) -> bool:
    return result.outcome == pb.HoldResult.OUTCOME_REFUSED and not result.rdvpermis_code


async def _explain(action: Action, basket_id: str, result: pb.HoldResult) -> None:
    """Ask once more for a slot that RdvPermis refused among several without a reason: asked alone, it gives the reason, or the slot."""
    try:
        await action.ask(calls.add_slot(basket_id, result.slot_id), lambda answer: answers.read_basket(answer.payload))
    except Failure as failure:
        if failure.code == Code.CODE_UNKNOWN_OUTCOME:
            result.CopyFrom(pb.HoldResult(slot_id=result.slot_id, outcome=pb.HoldResult.OUTCOME_UNKNOWN))
        elif failure.rdvpermis_code:
            result.CopyFrom(answers.refused_line(result.slot_id, failure.rdvpermis_code))
    else:
        result.CopyFrom(pb.HoldResult(slot_id=result.slot_id, outcome=pb.HoldResult.OUTCOME_HELD))


async def _name(action: Action, basket_id: str, result: pb.HoldResult, candidate_id: str) -> None:
    """Name a held line, and write on it what became of that."""
    try:
        await action.ask(calls.name_candidate(basket_id, result.slot_id, candidate_id), _nothing)
    except Failure as failure:
        if failure.rdvpermis_code:
            result.naming_code, result.naming_refusal = failure.rdvpermis_code, failure.code
        else:
            result.naming_unknown = True
