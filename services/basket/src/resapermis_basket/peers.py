"""What basket asks of others: mandate and scheduling-rules for facts, egress for RdvPermis."""

import functools
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import grpc
from google.protobuf.message import Message
from prometheus_client import Histogram

from resapermis.mandate.v1 import mandate_pb2, mandate_pb2_grpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc
from resapermis.scheduling.v1 import scheduling_pb2, scheduling_pb2_grpc
from resapermis_basket.domain.answer import Eligibility
from resapermis_basket.domain.line import BASKET, Key, Line
from resapermis_kit.errors import Failure
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.batched_calls import Act, BatchedCalls

ASKED = Histogram(
    "resapermis_basket_peer_seconds",
    "Time an act waited for a peer",
    ["peer", "method", "code"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 1, 2, 5, 10, 20),
)
_asked = functools.cache(ASKED.labels)
_MANDATE = mandate_pb2.DESCRIPTOR.services_by_name["MandateService"]
_SCHEDULING = scheduling_pb2.DESCRIPTOR.services_by_name["SchedulingService"]
_RDVPERMIS = rdv.DESCRIPTOR.services_by_name["RdvPermisService"]

A = TypeVar("A", bound=Act)
MOST_QUESTIONS = 100
PATIENCE_SECONDS = 5.0
"""Seconds, for what nobody waits for."""


@dataclass(frozen=True)
class Limits:
    """Parameters in force that basket enforces itself."""

    group: int = 4
    basket: int = 12
    hold_ttl_seconds: int = 900
    notice_seconds: int = 0


class Peers:
    """One stub each; every wait is measured."""

    def __init__(
        self, mandate: grpc.aio.Channel, scheduling: grpc.aio.Channel, egress: grpc.aio.Channel, egress_seconds: float
    ) -> None:
        """`egress_seconds`: the longest that one act waits for RdvPermis."""
        self._mandate = mandate_pb2_grpc.MandateServiceStub(mandate)
        self._mandate_calls = BatchedCalls(mandate, _MANDATE)
        self._scheduling_calls = BatchedCalls(scheduling, _SCHEDULING)
        self._check_mandates = self._mandate_calls.method("CheckMandates")
        self._evaluate = self._scheduling_calls.method("Evaluate")
        self._hold_slots = BatchedCalls(egress, _RDVPERMIS, patience_seconds=0).method("HoldSlots")
        self._scheduling = scheduling_pb2_grpc.SchedulingServiceStub(scheduling)
        self.egress = rdvpermis_pb2_grpc.RdvPermisServiceStub(egress)
        self.egress_seconds = egress_seconds
        self.limits = Limits()
        """As scheduling-rules last answered; domain.md's until it has."""

    async def mandates(self, questions: Sequence[tuple[str, str]]) -> list[mandate_pb2.MandateAnswer]:
        """Mandate facts for (candidate, category) pairs, in their order. Category "": the candidate's active mandate."""
        if not questions:
            return []
        answer = await _timed("mandate", "CheckMandates", peers.ask(self._check_mandates, _of_candidates(questions)))
        return list(answer.answers)

    def all_mandates(
        self, asked: Mapping[A, Sequence[tuple[str, str]]]
    ) -> AsyncIterator[dict[A, mandate_pb2.CheckMandatesResponse | Exception]]:
        """`mandates` for many acts in one message, each in its own name: the answers of one moment, as they come."""
        requests = {one: _of_candidates(questions) if questions else None for one, questions in asked.items()}
        nothing = mandate_pb2.CheckMandatesResponse()
        return _ask_all("mandate", "CheckMandates", self._mandate_calls, requests, nothing)

    async def known_candidates(self, school_id: str, theirs: Sequence[tuple[str, str]]) -> dict[str, UUID]:
        """Our ids of (RdvPermis' candidate id, category), among the school's own; unknown ones are left out."""
        found: dict[str, UUID] = {}
        for start in range(0, len(theirs), MOST_QUESTIONS):
            request = mandate_pb2.CheckMandatesRequest(
                questions=[
                    mandate_pb2.MandateQuestion(rdvpermis_candidate_id=candidate, category=category)
                    for candidate, category in theirs[start : start + MOST_QUESTIONS]
                ],
                school_id=school_id,
            )
            call = peers.ask(self._mandate.CheckMandates, request, timeout=PATIENCE_SECONDS, principal="")
            answer = await _timed("mandate", "CheckMandates", call)
            for (candidate, _), known in zip(theirs[start:], answer.answers, strict=False):
                if known.candidate_id:
                    found[candidate] = UUID(known.candidate_id)
        return found

    async def evaluate(
        self,
        lines: Iterable[scheduling_pb2.EvaluateLine],
        purpose: str,
        counted: dict[Key, int],
        allowance: rdv.GetReplacementsResponse | None = None,
    ) -> scheduling_pb2.EvaluateResponse:
        """Verdicts of all rules on these lines for the caller's school; `counted`: its counters."""
        request = evaluation(lines, purpose, counted, allowance)
        answer: scheduling_pb2.EvaluateResponse = await _timed(
            "scheduling-rules", "Evaluate", peers.ask(self._evaluate, request)
        )
        self._note_limits(answer)
        return answer

    async def all_evaluations(
        self, asked: Mapping[A, scheduling_pb2.EvaluateRequest | None]
    ) -> AsyncIterator[dict[A, scheduling_pb2.EvaluateResponse | Exception]]:
        """`evaluate` for many holds in one message, each in its own name: the answers of one moment, as they come.

        Verdicts against a hold alone: nothing is done with the rest. Empty for whom nothing is asked.
        """
        for request in asked.values():
            if request is not None:
                request.against_only = True
        nothing = scheduling_pb2.EvaluateResponse()
        async for some in _ask_all("scheduling-rules", "Evaluate", self._scheduling_calls, asked, nothing):
            for answer in some.values():
                if isinstance(answer, scheduling_pb2.EvaluateResponse):
                    self._note_limits(answer)
            yield some

    def _note_limits(self, answer: scheduling_pb2.EvaluateResponse) -> None:
        if answer.HasField("limits"):
            limits = answer.limits
            self.limits = Limits(limits.group, limits.basket, limits.hold_ttl_seconds, limits.notice_seconds)

    async def explain(
        self, lines: Iterable[scheduling_pb2.EvaluateLine], purpose: str, counted: dict[Key, int]
    ) -> scheduling_pb2.ExplainResponse:
        """What would have to change for these lines to be allowed, and when they open by themselves."""
        request = scheduling_pb2.ExplainRequest(question=evaluation(lines, purpose, counted))
        answer: scheduling_pb2.ExplainResponse = await _timed(
            "scheduling-rules", "Explain", peers.ask(self._scheduling.Explain, request)
        )
        return answer

    async def rejudge(
        self, snapshots: Sequence[scheduling_pb2.EvaluationSnapshot], changed: scheduling_pb2.Parameter | None = None
    ) -> list[scheduling_pb2.RejudgedSnapshot]:
        """What the rules say of kept snapshots, by what was in force at their moments, or with one value changed."""
        request = scheduling_pb2.RejudgeRequest(snapshots=snapshots, changed=changed)
        call = peers.ask(self._scheduling.Rejudge, request, timeout=self.egress_seconds, principal="")
        answer = await _timed("scheduling-rules", "Rejudge", call)
        return list(answer.snapshots)

    async def rdvpermis(self, method: str, request: Message, *, itself: bool = False) -> Any:
        """Ask RdvPermis once, through egress; `itself`: as basket, on behalf of the school the request names."""
        call = peers.call(
            self._hold_slots if method == "HoldSlots" else getattr(self.egress, method),
            request,
            timeout=self.egress_seconds,
            principal="" if itself else None,
        )
        return await _timed("egress", method, call)


def line_question(
    slot_id: str,
    candidate_id: UUID | None = None,
    mandate: mandate_pb2.MandateAnswer | None = None,
    *,
    busy: bool = False,
    trainer_id: str = "",
    vehicle_id: str = "",
    eligibility: Eligibility | None = None,
    line: Line | None = None,
    changeable: bool | None = None,
) -> scheduling_pb2.EvaluateLine:
    """What the rules are asked about one slot for one candidate.

    `busy`: the candidate is on another line of ours; of one without a mandate here it is not stated, for they may be
    another school's. `line`: ours, which takes trainer, vehicle and slot into account already. `changeable`: RdvPermis' own
    answer. `eligibility`: RdvPermis' own answer about the candidate.
    """
    question = scheduling_pb2.EvaluateLine(
        slot_id=slot_id,
        trainer_id=trainer_id,
        vehicle_id=vehicle_id,
        changeable=changeable,
        line_id=str(line.id) if line is not None else "",
    )
    if candidate_id is not None:
        question.candidate_id = str(candidate_id)
    if mandate is not None:
        question.mandate_active = mandate.active
        question.mandate_category = mandate.category
        question.mandate_gearbox = mandate.gearbox
        question.candidate_busy = mandate.active and busy
    if eligibility is not None:
        question.rdvpermis_eligible = eligibility.eligible
        question.rdvpermis_code = eligibility.code
        question.rdvpermis_seen_at.FromDatetime(eligibility.seen_at)
    return question


def evaluation(
    lines: Iterable[scheduling_pb2.EvaluateLine],
    purpose: str,
    counted: dict[Key, int],
    allowance: rdv.GetReplacementsResponse | None = None,
) -> scheduling_pb2.EvaluateRequest:
    """What rules are asked; `allowance`: of replacements, for those who ask about one."""
    return scheduling_pb2.EvaluateRequest(
        lines=lines,
        purpose=purpose,
        lines_in_basket=counted.get(BASKET, 0),
        usage=usage(counted),
        replacements_left=allowance.left if allowance is not None else None,
        replacements_per_month=allowance.per_month if allowance is not None else None,
    )


def usage(counted: dict[Key, int]) -> list[scheduling_pb2.Usage]:
    """Counters as usage; the basket's own is not one of them."""
    return [
        scheduling_pb2.Usage(department=key[0], month=key[1], category=key[2], taken=taken)
        for key, taken in sorted(counted.items())
        if key != BASKET
    ]


def _of_candidates(questions: Sequence[tuple[str, str]]) -> mandate_pb2.CheckMandatesRequest:
    return mandate_pb2.CheckMandatesRequest(
        questions=[
            mandate_pb2.MandateQuestion(candidate_id=candidate, category=category) for candidate, category in questions
        ]
    )


def on_behalf(school_id: str) -> rdv.OnBehalf:
    """Whose token, for what basket asks unasked."""
    return rdv.OnBehalf(school_id=school_id)


async def _timed(peer: str, method: str, call: Any) -> Any:
    started, code = time.monotonic(), "OK"
    try:
        return await call
    except Failure as failure:
        code = failure.name
        raise
    finally:
        _asked(peer, method, code).observe(time.monotonic() - started)


async def _ask_all(
    peer: str, method: str, calls: BatchedCalls, asked: Mapping[A, Message | None], nothing: Message
) -> AsyncIterator[dict[A, Any]]:
    """Ask for all, in one message; `nothing`, with the first answers, is the answer to whom nothing is asked."""
    started = time.monotonic()
    requests = {one: request for one, request in asked.items() if request is not None}
    rest = {one: nothing for one in asked if one not in requests}
    async for some in calls.ask_all(method, requests):
        for answer in some.values():
            code = answer.name if isinstance(answer, Failure) else "INTERNAL" if isinstance(answer, Exception) else "OK"
            _asked(peer, method, code).observe(time.monotonic() - started)
        yield some | rest
        rest = {}
    if rest:
        yield rest
