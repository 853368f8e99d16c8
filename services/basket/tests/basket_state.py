"""The State behind egress, small: baskets and exams of all schools; answers that get lost on demand."""

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from basket_world import World

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import caller

CODES = {
    "CRENEAU_DEJA_RESERVE": Code.CODE_SLOT_TAKEN,
    "CRENEAU_NON_DISPONIBLE": Code.CODE_RDVPERMIS_SLOT_GONE,
    "CANDIDAT_SOUS_PENALITE": Code.CODE_RDVPERMIS_CANDIDATE_PENALTY,
    "CANDIDAT_DEJA_INSCRIT": Code.CODE_RDVPERMIS_CANDIDATE_ALREADY,
    "MOT_NOUVEAU": Code.CODE_RDVPERMIS_UNEXPECTED,
    "": Code.CODE_UNSPECIFIED,
}
"""What egress makes of their words."""


@dataclass
class TheirBasket:
    school_id: str
    expires_at: datetime
    candidates: dict[str, str] = field(default_factory=dict)


class RdvPermis(rdvpermis_pb2_grpc.RdvPermisServiceServicer):
    """The State behind egress: baskets and exams of all schools; answers that get lost on demand."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.baskets: dict[str, TheirBasket] = {}
        self.exams: dict[str, rdv.RdvExam] = {}
        self.owner: dict[str, str] = {}
        self.school_of: dict[str, str] = {}
        """Whose an exam is."""
        self.refuse: dict[str, str] = {}
        """A word of theirs by slot or candidate id."""
        self.calls: list[str] = []
        self.before: dict[str, Failure] = {}
        """Fail before acting, by method."""
        self.after: dict[str, Failure] = {}
        """Act, then lose the answer, by method."""
        self.silent: set[str] = set()
        """Slots whose result is left out of answers (207 with lines missing)."""
        self.naming_unknown: set[str] = set()
        self.standings: dict[str, list[rdv.RdvStanding]] = {}
        self.skipped: set[str] = set()
        """Exams missing from a long list, though they are there."""
        self.ineligible: dict[str, str] = {}
        self.connected = self.reachable = True
        self.granted = False
        """Whether a grant for background work stands."""
        self.unconnected: set[str] = set()
        """Schools of which nobody is signed in, nor gave a grant."""
        self.fixed: set[str] = set()
        """Exams that may not be changed."""
        self.lasts = timedelta(minutes=20)
        self.replacements_left = 5
        self.replacements_by_month: dict[str, int] = {}
        """Where a month ("2036-12") has its own."""
        self.gate: asyncio.Event | None = None
        self.gates: dict[str, asyncio.Event] = {}
        """The same for one method ("HoldSlots"), or for one school's calls of it ("HoldSlots school-1")."""
        self._numbers = itertools.count(1)

    async def _begin(self, method: str, request: Any) -> str:
        self.calls.append(method)
        person = caller().person
        school: str = person.school_id if person is not None else request.on_behalf.school_id
        for gate in (self.gate, self.gates.get(method), self.gates.get(f"{method} {school}")):
            if gate is not None:
                await gate.wait()
        if method in self.before:
            raise self.before[method]
        if person is None and method != "GetBudget" and school in self.unconnected:
            raise Failure(Code.CODE_RECONNECT_NEEDED, "nobody of the school is connected")
        return school

    def _end(self, method: str) -> None:
        if method in self.after:
            raise self.after[method]

    async def HoldSlots(self, request: rdv.HoldSlotsRequest, context: Any) -> rdv.HoldSlotsResponse:
        school = await self._begin("HoldSlots", request)
        basket_id = request.basket_id
        if basket_id not in self.baskets:
            basket_id = self.open_basket(school)
        basket = self.baskets[basket_id]
        response = rdv.HoldSlotsResponse(basket_id=basket_id)
        response.expires_at.FromDatetime(basket.expires_at)
        for slot in request.slots:
            word = self.refuse.get(slot.slot_id, "")
            if not word and slot.slot_id in self.owner:
                word = "CRENEAU_DEJA_RESERVE"
            naming = self.refuse.get(slot.rdvpermis_candidate_id, "")
            if not word:
                self.owner[slot.slot_id] = school
                basket.candidates[slot.slot_id] = "" if naming else slot.rdvpermis_candidate_id
            if slot.slot_id not in self.silent:
                outcome = rdv.HoldResult.OUTCOME_REFUSED if word else rdv.HoldResult.OUTCOME_HELD
                response.results.add(
                    slot_id=slot.slot_id,
                    outcome=outcome,
                    rdvpermis_code=word,
                    code=CODES[word],
                    naming_code="" if word else naming,
                    naming_refusal=CODES["" if word else naming],
                    naming_unknown=slot.slot_id in self.naming_unknown,
                )
        self._end("HoldSlots")
        return response

    def open_basket(self, school: str) -> str:
        basket_id = f"basket-{next(self._numbers)}"
        self.baskets[basket_id] = TheirBasket(school, datetime.now(UTC) + self.lasts)
        return basket_id

    async def OpenBasket(self, request: rdv.OpenBasketRequest, context: Any) -> rdv.OpenBasketResponse:
        school = await self._begin("OpenBasket", request)
        basket_id = self.open_basket(school)
        self._end("OpenBasket")
        return rdv.OpenBasketResponse(basket=self._shown(basket_id))

    async def DropBasket(self, request: rdv.DropBasketRequest, context: Any) -> rdv.DropBasketResponse:
        school = await self._begin("DropBasket", request)
        if request.basket_id not in self.baskets:
            raise Failure(Code.CODE_RDVPERMIS_BASKET_GONE, "no such basket", rdvpermis_code="PANIER_INCONNU")
        assert self.baskets.pop(request.basket_id).school_id == school
        self._end("DropBasket")
        return rdv.DropBasketResponse()

    async def CheckEligibility(
        self, request: rdv.CheckEligibilityRequest, context: Any
    ) -> rdv.CheckEligibilityResponse:
        await self._begin("CheckEligibility", request)
        response = rdv.CheckEligibilityResponse(known=True)
        for number in range(1, 20):
            word = self.ineligible.get(f"rdv-{number:03d}", "")
            response.candidates.add(rdvpermis_candidate_id=f"rdv-{number:03d}", eligible=not word, rdvpermis_code=word)
        return response

    def _shown(self, basket_id: str) -> rdv.RdvBasket:
        basket = self.baskets[basket_id]
        shown = rdv.RdvBasket(id=basket_id)
        shown.expires_at.FromDatetime(basket.expires_at)
        for slot_id, who in basket.candidates.items():
            shown.lines.add(slot_id=slot_id, rdvpermis_candidate_id=who)
        return shown

    async def GetBasket(self, request: rdv.GetBasketRequest, context: Any) -> rdv.GetBasketResponse:
        await self._begin("GetBasket", request)
        if request.basket_id not in self.baskets:
            return rdv.GetBasketResponse()
        return rdv.GetBasketResponse(basket=self._shown(request.basket_id))

    async def ListBaskets(self, request: rdv.ListBasketsRequest, context: Any) -> rdv.ListBasketsResponse:
        school = await self._begin("ListBaskets", request)
        mine = [basket_id for basket_id, basket in self.baskets.items() if basket.school_id == school]
        return rdv.ListBasketsResponse(baskets=[self._shown(basket_id) for basket_id in mine])

    async def ReleaseSlot(self, request: rdv.ReleaseSlotRequest, context: Any) -> rdv.ReleaseSlotResponse:
        await self._begin("ReleaseSlot", request)
        basket = self.baskets.get(request.basket_id)
        if basket is None or request.slot_id not in basket.candidates:
            raise Failure(
                Code.CODE_RDVPERMIS_BASKET_GONE, "not in the basket", rdvpermis_code="CRENEAU_PAS_DANS_LE_PANIER"
            )
        del basket.candidates[request.slot_id]
        self.owner.pop(request.slot_id, None)
        self._end("ReleaseSlot")
        return rdv.ReleaseSlotResponse()

    async def NameCandidate(self, request: rdv.NameCandidateRequest, context: Any) -> rdv.NameCandidateResponse:
        await self._begin("NameCandidate", request)
        word = self.refuse.get(request.rdvpermis_candidate_id)
        if word:
            raise Failure(Code.CODE_RDVPERMIS_CANDIDATE_PENALTY, "refused", rdvpermis_code=word)
        self.baskets[request.basket_id].candidates[request.slot_id] = request.rdvpermis_candidate_id
        self._end("NameCandidate")
        return rdv.NameCandidateResponse()

    async def ValidateBasket(self, request: rdv.ValidateBasketRequest, context: Any) -> rdv.ValidateBasketResponse:
        school = await self._begin("ValidateBasket", request)
        if request.basket_id not in self.baskets:
            raise Failure(Code.CODE_RDVPERMIS_BASKET_GONE, "no such basket", rdvpermis_code="PANIER_INCONNU")
        basket = self.baskets[request.basket_id]
        response = rdv.ValidateBasketResponse()
        for slot_id, who in list(basket.candidates.items()):
            word = self.refuse.get(f"validate:{slot_id}", "")
            exam_id = ""
            if not word:
                exam_id = f"exam-{next(self._numbers)}"
                self.put_exam(exam_id, school, slot_id, who)
                del basket.candidates[slot_id]
            if slot_id not in self.silent:
                response.results.add(
                    slot_id=slot_id, booked=not word, exam_id=exam_id, rdvpermis_code=word, code=CODES[word]
                )
        self._end("ValidateBasket")
        return response

    async def ListExams(self, request: rdv.ListExamsRequest, context: Any) -> rdv.ListExamsResponse:
        school = await self._begin("ListExams", request)
        response = rdv.ListExamsResponse()
        for exam in self.exams.values():
            day = exam.starts_at.ToDatetime(UTC).date().isoformat()
            if (
                self.school_of[exam.id] == school
                and request.date in {"", day}
                and request.category == exam.slot.category
            ) and (request.date or exam.id not in self.skipped):  # pages may shift while they are read
                response.exams.append(exam)
        return response

    def put_exam(self, exam_id: str, school: str, slot_id: str, who: str) -> rdv.RdvExam:
        """An exam is booked there, by whatever way."""
        known = self.world.slot(slot_id)
        slot = rdv.RdvSlot(
            id=slot_id,
            centre_id=known.centre.id,
            centre_name=known.centre.name,
            category=known.category,
            kind=known.kind,
            starts_at=known.starts_at,
            ends_at=known.ends_at,
        )
        exam = rdv.RdvExam(
            id=exam_id,
            slot_id=slot_id,
            rdvpermis_candidate_id=who,
            changeable=exam_id not in self.fixed,
            starts_at=known.starts_at,
            slot=slot,
        )
        self.exams[exam_id], self.school_of[exam_id], self.owner[slot_id] = exam, school, school
        return exam

    async def ListSwappable(self, request: rdv.ListSwappableRequest, context: Any) -> rdv.ListSwappableResponse:
        school = await self._begin("ListSwappable", request)
        others = [
            exam
            for exam in self.exams.values()
            if self.school_of[exam.id] == school
            and exam.starts_at.ToDatetime(UTC).date().isoformat() == request.date
            and exam.changeable
        ]
        return rdv.ListSwappableResponse(exams=others)

    async def SwapExams(self, request: rdv.SwapExamsRequest, context: Any) -> rdv.SwapExamsResponse:
        await self._begin("SwapExams", request)
        word = self.refuse.get(request.exam_id)
        if word:
            raise Failure(Code.CODE_RDVPERMIS_CHANGE_IMPOSSIBLE, "refused", rdvpermis_code=word)
        self.swap_exams(request.exam_id, request.other_exam_id)
        self._end("SwapExams")
        return rdv.SwapExamsResponse()

    def swap_exams(self, one: str, other: str) -> None:
        """The candidates cross."""
        first, second = self.exams[one], self.exams[other]
        crossed = second.rdvpermis_candidate_id, first.rdvpermis_candidate_id
        first.rdvpermis_candidate_id, second.rdvpermis_candidate_id = crossed

    async def ListStandings(self, request: rdv.ListStandingsRequest, context: Any) -> rdv.ListStandingsResponse:
        school = await self._begin("ListStandings", request)
        mine = [one for one in self.standings.get(school, []) if one.category == request.category]
        return rdv.ListStandingsResponse(
            standings=mine[request.page : request.page + 1], has_more=request.page + 1 < len(mine)
        )

    async def GetBudget(self, request: rdv.GetBudgetRequest, context: Any) -> rdv.GetBudgetResponse:
        school = await self._begin("GetBudget", request)
        return rdv.GetBudgetResponse(
            calls_left=100,
            calls_per_minute=210,
            reachable=self.reachable,
            connected=self.connected and school not in self.unconnected,
            granted=self.granted,
        )

    async def GetSchool(self, request: rdv.GetSchoolRequest, context: Any) -> rdv.GetSchoolResponse:
        school = await self._begin("GetSchool", request)
        return rdv.GetSchoolResponse(school_id=school, department="94")

    async def CancelExam(self, request: rdv.CancelExamRequest, context: Any) -> rdv.CancelExamResponse:
        await self._begin("CancelExam", request)
        word = self.refuse.get(request.exam_id)
        if word:
            raise Failure(Code.CODE_RDVPERMIS_EXAM_FIXED, "refused", rdvpermis_code=word)
        self.exams.pop(request.exam_id)
        self._end("CancelExam")
        return rdv.CancelExamResponse()

    async def ReplaceCandidate(
        self, request: rdv.ReplaceCandidateRequest, context: Any
    ) -> rdv.ReplaceCandidateResponse:
        await self._begin("ReplaceCandidate", request)
        self.exams[request.exam_id].rdvpermis_candidate_id = request.rdvpermis_candidate_id
        self.replacements_left -= 1
        self._end("ReplaceCandidate")
        return rdv.ReplaceCandidateResponse()

    async def GetReplacements(self, request: rdv.GetReplacementsRequest, context: Any) -> rdv.GetReplacementsResponse:
        await self._begin("GetReplacements", request)
        left = self.replacements_by_month.get(request.date[:7], self.replacements_left)
        return rdv.GetReplacementsResponse(per_month=5, left=left)
