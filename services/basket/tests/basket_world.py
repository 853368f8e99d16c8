"""What basket's peers know, and small servicers of mandate and scheduling-rules that answer by it; tests change it."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from resapermis.mandate.v1 import mandate_pb2, mandate_pb2_grpc
from resapermis.scheduling.v1 import scheduling_pb2, scheduling_pb2_grpc
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_kit.rpc.auth import caller

MONTH = "2026-12"
START = datetime(2036, 12, 9, 9, tzinfo=UTC)


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
    restricted: set[str] = field(default_factory=set)
    bad_trainers: set[str] = field(default_factory=set)
    consequence: dict[str, str] = field(default_factory=dict)
    """What R-PENALTY says of a cancellation."""
    strangers: set[str] = field(default_factory=set)
    """RdvPermis' ids of candidates that mandate does not know."""
    waits: dict[str, asyncio.Event] = field(default_factory=dict)
    """What is waited for by a peer that is asked about this candidate (mandate) or slot (rules)."""
    left_out: set[str] = field(default_factory=set)
    """Candidates whose question mandate leaves without its answer."""
    drifted: dict[str, list[str]] = field(default_factory=dict)
    """Rules that judge a kept snapshot otherwise now, by slot id."""
    would_refuse: set[str] = field(default_factory=set)
    """Slots refused by a changed parameter."""
    rejudged: list[scheduling_pb2.RejudgeRequest] = field(default_factory=list)
    explained: list[scheduling_pb2.EvaluateRequest] = field(default_factory=list)
    evaluated: list[scheduling_pb2.EvaluateRequest] = field(default_factory=list)

    async def wait(self, asked: Iterable[str]) -> None:
        for each in asked:
            if each in self.waits:
                await self.waits[each].wait()

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
            if question.candidate_id in self.world.left_out:
                continue
            await self.world.wait([question.candidate_id])
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
        await world.wait(line.slot_id for line in request.lines)
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
            if line.candidate_id in world.restricted:
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
                snapshot=scheduling_pb2.EvaluationSnapshot(
                    purpose=request.purpose, slot=world.slot(line.slot_id), line=line
                ),
            )
            if not unseen:
                verdict.slot.CopyFrom(world.slot(line.slot_id))
        return response

    async def Rejudge(self, request: scheduling_pb2.RejudgeRequest, context: Any) -> scheduling_pb2.RejudgeResponse:
        assert caller().person is None
        response = scheduling_pb2.RejudgeResponse()
        for snapshot in request.snapshots:
            rules = self.world.drifted.get(snapshot.slot.id, [])
            if request.HasField("changed") and snapshot.slot.id in self.world.would_refuse:
                rules = [*rules, "R-NOTICE"]
            against = [Verdict(rule=rule, allowed=False) for rule in rules]
            response.snapshots.add(allowed=not against, against=against)
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
