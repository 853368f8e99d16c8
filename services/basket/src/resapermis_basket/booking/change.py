"""What every change of a coming booking asks before RdvPermis is asked: is it one, and what do the rules say."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Line, State, in_doubt
from resapermis_basket.judgement import refusals, verdicts
from resapermis_basket.line.change import LineSituation
from resapermis_basket.peers import line_question
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal


@dataclass(frozen=True)
class CandidateOnLine:
    """A booked line, and the candidate who is to take its exam."""

    line: Line
    candidate_id: UUID


@dataclass(frozen=True)
class AllowedChange:
    """A change that mandate and every rule allow, with what the rules looked at and RdvPermis' candidate id."""

    rdvpermis_ids: list[str]
    """RdvPermis' ids of the candidates, in the order of the lines."""
    snapshots: dict[UUID, bytes]
    """What the rules looked at, by line."""


async def require_coming(dependencies: Dependencies, who: Principal, situation: LineSituation, action: str) -> None:
    """Refuse what is not a booking, is in doubt, has begun, or names nobody that we know."""
    for line in situation.lines:
        if in_doubt(line) or (line.state is State.BOOKED and not line.exam_id):
            raise Failure(
                Code.CODE_UNKNOWN_OUTCOME, "RdvPermis was asked about this booking; its answer is not known yet"
            )
        if line.state not in {State.BOOKED, State.DONE}:
            raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"the line is {line.state}, not booked")
    found = [verdicts.past(line, situation.time.now) for line in situation.lines]
    await _refuse_unless(dependencies, who, situation, action, found)


async def judge_change(
    dependencies: Dependencies,
    who: Principal,
    situation: LineSituation,
    action: str,
    wanted: Sequence[CandidateOnLine],
    allowance: rdv.GetReplacementsResponse | None = None,
) -> AllowedChange:
    """Have mandate and every rule answer about these candidates; refuse with each verdict that stands against.

    What scheduling-rules has nothing to say of (a slot it never saw) is judged by what basket itself knows.
    """
    mandates, changeable = await asyncio.gather(
        dependencies.peers.mandates([(str(one.candidate_id), one.line.slot.category) for one in wanted]),
        asyncio.gather(*(is_changeable(dependencies, one.line) for one in wanted)),
    )
    ours = {line.candidate_id for line in situation.lines}
    questions, own = [], []
    for one, mandate, may in zip(wanted, mandates, changeable, strict=True):
        line = one.line
        key = (one.candidate_id, line.slot.category)
        busy = one.candidate_id not in ours and key in situation.conflicts.candidates
        question = line_question(
            line.slot.id,
            one.candidate_id,
            mandate,
            busy=busy,
            trainer_id=line.trainer_id,
            vehicle_id=line.vehicle_id,
            line=line,
            changeable=may,
        )
        questions.append(question)
        own.append([verdicts.mandate(active=mandate.active), verdicts.one_active(busy=question.candidate_busy)])
    purpose = action.removeprefix("booking.")
    evaluated = await dependencies.peers.evaluate(questions, purpose, situation.counted, allowance)
    found = [verdict for verdict in evaluated.action_verdicts if verdict.rule not in _OF_A_HOLD]
    for line_verdict, more in zip(evaluated.lines, own, strict=True):
        known = [verdict for verdict in line_verdict.verdicts if verdict.facts.get("status") != "UNKNOWN"]
        found += known + _unanswered(more, known)
    if allowance is not None:
        found += _unanswered([verdicts.replacements(allowance)], found)
    await _refuse_unless(dependencies, who, situation, action, found)
    return AllowedChange(
        [mandate.rdvpermis_candidate_id for mandate in mandates],
        {
            one.line.id: line_verdict.snapshot.SerializeToString(deterministic=True)
            for one, line_verdict in zip(wanted, evaluated.lines, strict=True)
        },
    )


async def is_changeable(dependencies: Dependencies, line: Line) -> bool | None:
    """RdvPermis' own answer to whether the booking may be changed (estModifiable); None when it does not say."""
    slot = line.slot
    request = rdv.ListExamsRequest(category=slot.category, date=slot.local_day.isoformat(), time_zone=slot.time_zone)
    try:
        listed = await dependencies.peers.rdvpermis("ListExams", request)
    except Failure:
        return None  # asked for the change itself, it will say
    return next((exam.changeable for exam in listed.exams if exam.id == line.exam_id), None)


async def _refuse_unless(
    dependencies: Dependencies, who: Principal, situation: LineSituation, action: str, found: Sequence[Verdict]
) -> None:
    if not all(verdict.allowed for verdict in found):
        failure, now = refusals.of_rules(found), situation.time.now
        raise await refusals.record_refusal(dependencies, who, action, "line", str(situation.line.id), failure, now)


_OF_A_HOLD = frozenset({"R-GROUP", "R-BASKET"})
"""Rules about taking more slots, which no change of a booking does."""


def _unanswered(own: Sequence[Verdict], answered: Sequence[Verdict]) -> list[Verdict]:
    rules = {verdict.rule for verdict in answered}
    return [verdict for verdict in own if verdict.rule not in rules]
