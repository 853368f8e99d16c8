"""Small servicers of basket's peers, and a basket process around them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.basket.v1 import basket_pb2_grpc
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.booking.v1 import booking_pb2, booking_pb2_grpc
from resapermis.mandate.v1 import mandate_pb2, mandate_pb2_grpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc
from resapermis.scheduling.v1 import scheduling_pb2, scheduling_pb2_grpc
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket.acts import Parts
from resapermis_basket.booking_servicer import BookingServicer
from resapermis_basket.peers import Peers
from resapermis_basket.servicer import BasketServicer
from resapermis_basket.settings import Settings
from resapermis_basket.workers import Unasked
from resapermis_kit import outbox as kit_outbox
from resapermis_kit.auth import caller
from resapermis_kit.clock import new_id
from resapermis_kit.db import transaction
from resapermis_kit.errors import Code, Failure, from_rpc_error
from resapermis_kit.outbox import Outbox
from resapermis_kit.testing import Running

MONTH = "2026-12"
START = datetime(2036, 12, 9, 9, tzinfo=UTC)


CODES = {
    "CRENEAU_DEJA_RESERVE": Code.CODE_SLOT_TAKEN,
    "CRENEAU_NON_DISPONIBLE": Code.CODE_RDVPERMIS_SLOT_GONE,
    "CANDIDAT_SOUS_PENALITE": Code.CODE_RDVPERMIS_CANDIDATE_PENALTY,
    "CANDIDAT_DEJA_INSCRIT": Code.CODE_RDVPERMIS_CANDIDATE_ALREADY,
    "MOT_NOUVEAU": Code.CODE_RDVPERMIS_UNEXPECTED,
    "": Code.CODE_UNSPECIFIED,
}
"""What egress makes of their words."""


def candidate(number: int) -> str:
    """An id of ours."""
    return f"01980000-0000-7000-8000-{number:012d}"


@dataclass
class World:
    """What the peers know; tests change it."""

    category: str = "B"
    quota_limit: int = 100
    limits: dict[str, int] = field(
        default_factory=lambda: {"group": 4, "basket": 12, "hold_ttl_seconds": 900, "notice_seconds": 0}
    )
    starts: dict[str, datetime] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)
    rules_against: dict[str, Verdict] = field(default_factory=dict)
    """A verdict that refuses, by slot id."""
    no_mandate: set[str] = field(default_factory=set)
    mandate_category: dict[str, str] = field(default_factory=dict)
    barred: set[str] = field(default_factory=set)
    bad_trainers: set[str] = field(default_factory=set)
    consequence: dict[str, str] = field(default_factory=dict)
    """What R-PENALTY says of a cancellation."""
    strangers: set[str] = field(default_factory=set)
    """RdvPermis' ids of candidates that mandate does not know."""
    drifted: dict[str, list[str]] = field(default_factory=dict)
    """Rules that judge a kept case otherwise now, by slot id."""
    would_refuse: set[str] = field(default_factory=set)
    """Slots refused by a changed parameter."""
    rejudged: list[scheduling_pb2.RejudgeRequest] = field(default_factory=list)
    explained: list[scheduling_pb2.EvaluateRequest] = field(default_factory=list)
    evaluated: list[scheduling_pb2.EvaluateRequest] = field(default_factory=list)

    def slot(self, slot_id: str) -> scheduling_pb2.Slot:
        slot = scheduling_pb2.Slot(
            id=slot_id,
            centre=scheduling_pb2.Centre(id="centre-1", name="Rungis", department="94"),
            time_zone="Europe/Paris",
            category=self.category,
            kind="CIRCULATION",
        )
        starts = self.starts.get(slot_id, START)
        slot.starts_at.FromDatetime(starts)
        slot.ends_at.FromDatetime(starts + timedelta(minutes=32))
        return slot


class Mandates(mandate_pb2_grpc.MandateServiceServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    async def CheckMandates(
        self, request: mandate_pb2.CheckMandatesRequest, context: Any
    ) -> mandate_pb2.CheckMandatesResponse:
        answers = []
        for question in request.questions:
            if question.rdvpermis_candidate_id:
                assert caller().person is None
                answers.append(self.found(question, request.school_id))
                continue
            of = self.world.mandate_category.get(question.candidate_id, self.world.category)
            active = question.candidate_id not in self.world.no_mandate and question.category in {"", of}
            answers.append(
                mandate_pb2.MandateAnswer(
                    candidate_id=question.candidate_id,
                    category=question.category or of,
                    active=active,
                    rdvpermis_candidate_id=f"rdv-{question.candidate_id[-3:]}" if active else "",
                    gearbox="manual",
                )
            )
        return mandate_pb2.CheckMandatesResponse(answers=answers)

    def found(self, question: mandate_pb2.MandateQuestion, school_id: str) -> mandate_pb2.MandateAnswer:
        """Who "rdv-007" is, where mandate knows."""
        theirs = question.rdvpermis_candidate_id
        known = school_id and theirs not in self.world.strangers
        return mandate_pb2.MandateAnswer(
            candidate_id=candidate(int(theirs[-3:])) if known else "",
            category=question.category,
            active=bool(known),
            rdvpermis_candidate_id=theirs,
        )


class Rules(scheduling_pb2_grpc.SchedulingServiceServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    async def Evaluate(self, request: scheduling_pb2.EvaluateRequest, context: Any) -> scheduling_pb2.EvaluateResponse:
        world = self.world
        world.evaluated.append(request)
        response = scheduling_pb2.EvaluateResponse(limits=scheduling_pb2.Limits(**world.limits))
        asked = len(request.lines)
        response.action_verdicts.add(
            rule="R-GROUP", allowed=1 <= asked <= 4, facts={"asked": str(asked), "limit": "4"}, source="charter 3.2"
        )
        full = request.purpose == "hold" and request.lines_in_basket + asked > world.limits["basket"]
        response.action_verdicts.add(
            rule="R-BASKET", allowed=not full, facts={"asked": str(asked)}, source="charter 3.2"
        )
        for line in request.lines:
            verdicts = []
            if line.slot_id in world.rules_against:
                verdicts.append(world.rules_against[line.slot_id])
            named = bool(line.candidate_id)
            verdicts.append(Verdict(rule="R-MANDATE", allowed=not named or line.mandate_active, remedy="ask_mandate"))
            verdicts.append(Verdict(rule="R-ONE-ACTIVE", allowed=not line.candidate_busy))
            if request.purpose == "replace":
                left = request.replacements_left
                verdicts.append(Verdict(rule="R-REPLACE", allowed=left > 0, facts={"left": str(left)}))
            if line.HasField("rdvpermis_eligible"):
                facts = {"code": line.rdvpermis_code}
                verdicts.append(Verdict(rule="R-RDVPERMIS", allowed=line.rdvpermis_eligible, facts=facts))
            if line.candidate_id in world.barred:
                verdicts.append(Verdict(rule="R-PENALTY", allowed=False, remedy="wait"))
            if line.trainer_id in world.bad_trainers:
                facts = {"whose": "trainer"}
                verdicts.append(Verdict(rule="R-LICENSED", allowed=False, facts=facts, remedy="choose_another_trainer"))
            if request.purpose == "cancel":
                verdicts.append(Verdict(rule="R-PENALTY", allowed=True, facts=world.consequence))
            unseen = line.slot_id in world.unseen
            if unseen:
                verdicts.append(Verdict(rule="R-PUBLISHED", allowed=False))
            verdict = response.lines.add(
                slot_id=line.slot_id,
                allowed=all(one.allowed for one in verdicts),
                verdicts=verdicts,
                quota_limit=world.quota_limit,
                month=MONTH,
                case=scheduling_pb2.Case(purpose=request.purpose, slot=world.slot(line.slot_id), line=line),
            )
            if not unseen:
                verdict.slot.CopyFrom(world.slot(line.slot_id))
        return response

    async def Rejudge(self, request: scheduling_pb2.RejudgeRequest, context: Any) -> scheduling_pb2.RejudgeResponse:
        assert caller().person is None
        response = scheduling_pb2.RejudgeResponse()
        for case in request.cases:
            rules = self.world.drifted.get(case.slot.id, [])
            if request.HasField("changed") and case.slot.id in self.world.would_refuse:
                rules = [*rules, "R-NOTICE"]
            against = [Verdict(rule=rule, allowed=False) for rule in rules]
            response.cases.add(allowed=not against, against=against)
        self.world.rejudged.append(request)
        return response

    async def Explain(self, request: scheduling_pb2.ExplainRequest, context: Any) -> scheduling_pb2.ExplainResponse:
        verdicts = await self.Evaluate(request.question, context)
        self.world.explained.append(self.world.evaluated.pop())
        response = scheduling_pb2.ExplainResponse(verdicts=verdicts)
        for line in verdicts.lines:
            needs = [
                scheduling_pb2.Need(rule=one.rule, remedy=one.remedy, facts=one.facts)
                for one in line.verdicts
                if not one.allowed
            ]
            response.lines.add(slot_id=line.slot_id, allowed=line.allowed, needs=needs)
        return response


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
        self.fixed: set[str] = set()
        """Exams that may not be changed."""
        self.lasts = timedelta(minutes=20)
        self.replacements_left = 5
        self.gate: asyncio.Event | None = None
        self._numbers = itertools.count(1)

    async def _begin(self, method: str, request: Any) -> str:
        self.calls.append(method)
        if self.gate is not None:
            await self.gate.wait()
        if method in self.before:
            raise self.before[method]
        person = caller().person
        return person.school_id if person is not None else request.on_behalf.school_id

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
        await self._begin("GetBudget", request)
        return rdv.GetBudgetResponse(
            calls_left=100, calls_per_minute=210, reachable=self.reachable, connected=self.connected
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
        return rdv.GetReplacementsResponse(per_month=5, left=self.replacements_left)


@dataclass
class Basket:
    """A basket process and the world around it."""

    engine: AsyncEngine
    parts: Parts
    world: World
    rdvpermis: RdvPermis
    running: Running
    unasked: Unasked
    channel: grpc.aio.Channel
    peer_channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)
    peer_servers: dict[str, Running] = field(default_factory=dict)
    keys: Any = field(default_factory=lambda: itertools.count(1))

    async def call(self, stub: Any, method: str, request: Any, school: str = "school-1", **who: Any) -> Any:
        token = self.running.principal(school_id=school, account_id=who.pop("account", f"account-{school}"), **who)
        try:
            return await getattr(stub(self.channel), method)(
                request, metadata=(("x-resapermis-principal", token),), timeout=15
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None

    async def ask(self, method: str, request: Any, school: str = "school-1", **who: Any) -> Any:
        return await self.call(basket_pb2_grpc.BasketServiceStub, method, request, school, **who)

    async def book(self, method: str, request: Any, school: str = "school-1", **who: Any) -> Any:
        return await self.call(booking_pb2_grpc.BookingServiceStub, method, request, school, **who)

    def key(self) -> str:
        return f"key-{next(self.keys)}"

    async def hold(
        self, *slots: str | tuple[str, int], school: str = "school-1", key: str = "", together: bool = False
    ) -> pb.Group:
        """Hold slots; ("slot", 3) names candidate 3."""
        request = pb.HoldSlotsRequest(request_id=key or self.key(), together=together)
        for slot in slots:
            if isinstance(slot, str):
                request.lines.add(slot_id=slot)
            else:
                request.lines.add(slot_id=slot[0], candidate_id=candidate(slot[1]))
        return (await self.ask("HoldSlots", request, school)).group

    async def validate(self, group_id: str, key: str = "", school: str = "school-1") -> pb.Group:
        request = pb.ValidateGroupRequest(request_id=key or self.key(), group_id=group_id)
        return (await self.ask("ValidateGroup", request, school)).group

    async def bookings(self, school: str = "school-1") -> list[pb.Line]:
        """The first page of coming bookings."""
        return list((await self.book("ListBookings", booking_pb2.ListBookingsRequest(), school)).bookings)

    async def rows(self, statement: str, **parameters: Any) -> list[Any]:
        async with transaction(self.engine) as tx:
            return list(await tx.execute(sa.text(statement), parameters))

    async def states(self) -> dict[str, str]:
        """Newest state by slot."""
        return {
            row.slot_id: row.state
            for row in await self.rows("SELECT slot_id, state FROM basket_line ORDER BY since, version")
        }

    async def counters(self) -> dict[tuple[str, str], int]:
        """Taken by (school, month); month "" is the basket."""
        found = await self.rows("SELECT school_id, month, taken FROM quota")
        return {(row.school_id, row.month): row.taken for row in found}

    async def said(self, kind: type) -> list[Any]:
        """Facts or records in the outbox, oldest first."""
        async with transaction(self.engine) as tx:
            name = kind.DESCRIPTOR.full_name
            box = kit_outbox.outbox
            rows = await tx.execute(sa.select(box.c.payload).where(box.c.type == name).order_by(box.c.id))
            return [kind.FromString(row.payload) for row in rows]

    async def check(self) -> None:
        """Counters equal rows; nothing is oversold."""
        rows = await self.rows(
            "SELECT school_id, month, count(*) FILTER (WHERE state IN ('asking','held','confirming')) AS basket, "
            "count(*) FILTER (WHERE state IN ('asking','held','confirming','booked','done')) AS taken "
            "FROM basket_line GROUP BY school_id, month"
        )
        counters = await self.counters()
        for row in rows:
            in_basket = sum(other.basket for other in rows if other.school_id == row.school_id)
            assert counters.get((row.school_id, ""), 0) == in_basket
            assert counters.get((row.school_id, row.month), 0) == row.taken
        sold = await self.rows("SELECT slot_id FROM basket_line WHERE ended_at IS NULL GROUP BY 1 HAVING count(*) > 1")
        assert not sold


@pytest.fixture
async def basket(serve: Any, make_engine: Any, settings_for: Callable[..., Settings]) -> AsyncIterator[Basket]:
    """Basket on a fresh database, its peers answering as tests say."""
    world = World()
    state = RdvPermis(world)
    mandate = await serve(
        "mandate",
        (
            mandate_pb2_grpc.add_MandateServiceServicer_to_server,
            Mandates(world),
            "resapermis.mandate.v1.MandateService",
        ),
    )
    rules = await serve(
        "scheduling-rules",
        (
            scheduling_pb2_grpc.add_SchedulingServiceServicer_to_server,
            Rules(world),
            "resapermis.scheduling.v1.SchedulingService",
        ),
    )
    egress = await serve(
        "egress",
        (rdvpermis_pb2_grpc.add_RdvPermisServiceServicer_to_server, state, "resapermis.rdvpermis.v1.RdvPermisService"),
    )
    channels = [
        mandate.channel("mandate", "basket"),
        rules.channel("scheduling-rules", "basket"),
        egress.channel("egress", "basket"),
    ]
    engine = await make_engine("resapermis_basket")
    settings = settings_for(Settings, "basket", grace_seconds=0.05, give_back_seconds=0.05, egress_seconds=5.0)
    parts = Parts(engine, Outbox("basket"), Peers(*channels, settings.egress_seconds), settings, new_id)
    running = await serve(
        "basket",
        (
            basket_pb2_grpc.add_BasketServiceServicer_to_server,
            BasketServicer(parts),
            "resapermis.basket.v1.BasketService",
        ),
        (
            booking_pb2_grpc.add_BookingServiceServicer_to_server,
            BookingServicer(parts),
            "resapermis.booking.v1.BookingService",
        ),
    )
    channels.append(running.channel("basket"))
    names = ("mandate", "scheduling-rules", "egress")
    yield Basket(
        engine,
        parts,
        world,
        state,
        running,
        Unasked(parts),
        channels[-1],
        dict(zip(names, channels, strict=False)),
        {"mandate": mandate, "scheduling-rules": rules},
    )
    for channel in channels:
        await channel.close()


__all__ = ["Basket", "LineChanged", "Record", "basket", "candidate"]
