"""What the rules say of a hold before RdvPermis is asked: every reason at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.mandate.v1.mandate_pb2 import MandateAnswer
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.answer import Answer, AnswerOutcome, held
from resapermis_basket.domain.line import BASKET, LARGEST_GROUP, Key, Line, Refusal, Slot, State, key_of, unseen_slot
from resapermis_basket.hold.queries import HoldQuestion, HoldSituation
from resapermis_basket.judgement import refusals, verdicts
from resapermis_basket.peers import evaluation, line_question
from resapermis_basket.wire import LONGEST_ID, caller_key
from resapermis_kit.database.idempotency import Command
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.fields import parse_optional_id

MOST_EVALUATED = 36
"""More lines than RdvPermis' own basket takes are refused without asking the rules."""


@dataclass(frozen=True)
class WantedLine:
    """One item of HoldSlots, parsed: slot, and candidate, trainer and vehicle where they are named."""

    slot_id: str
    candidate_id: UUID | None
    trainer_id: str = ""
    vehicle_id: str = ""


def parse_hold(request: pb.HoldSlotsRequest | pb.CheckHoldRequest) -> list[WantedLine]:
    """Read the command; MALFORMED names each field that cannot be read."""
    seen: set[str] = set()
    wanted = []
    for index, line in enumerate(request.lines):
        if not 1 <= len(line.slot_id) <= LONGEST_ID:
            raise malformed(f"lines[{index}].slot_id", f"1 to {LONGEST_ID} characters")
        if line.slot_id in seen:
            raise malformed(f"lines[{index}].slot_id", "the same slot twice")
        seen.add(line.slot_id)
        candidate = parse_optional_id(line.candidate_id, f"lines[{index}].candidate_id")
        for name in ("trainer_id", "vehicle_id"):
            if len(getattr(line, name)) > LONGEST_ID:
                raise malformed(f"lines[{index}].{name}", f"at most {LONGEST_ID} characters")
        wanted.append(WantedLine(line.slot_id, candidate, line.trainer_id, line.vehicle_id))
    return wanted


MandateQuestions = Mapping[str, tuple[str, str]]
"""By slot: candidate and category as mandate is asked about them; category "": that of the candidate's active mandate."""
Mandates = Mapping[str, MandateAnswer]
"""Mandate's answers, by slot."""


@dataclass(frozen=True)
class Hold:
    """A hold as its caller asks it."""

    who: Principal
    command: Command[pb.HoldSlotsRequest, pb.HoldSlotsResponse]
    wanted: Sequence[WantedLine]
    question: HoldQuestion


def hold_question(who: Principal, wanted: Sequence[WantedLine], request_id: str) -> HoldQuestion:
    """What to look up in our own database before anybody else is asked."""
    slots = frozenset(line.slot_id for line in wanted)
    candidates = frozenset(line.candidate_id for line in wanted if line.candidate_id)
    return HoldQuestion(who.school_id, caller_key(who), request_id, slots, candidates)


def mandate_questions(wanted: Sequence[WantedLine]) -> MandateQuestions:
    """What to ask mandate before the slots' categories are known."""
    return {line.slot_id: (str(line.candidate_id), "") for line in wanted if line.candidate_id}


def slot_of(message: scheduling_pb2.Slot, month: str) -> Slot:
    """scheduling.v1.Slot → Slot, with the month that it counts for and the message itself as snapshot."""
    return Slot(
        message.id,
        message.centre.department,
        message.category,
        month,
        message.starts_at.ToDatetime(UTC),
        message.ends_at.ToDatetime(UTC),
        message.time_zone,
        message.centre.name,
        message.SerializeToString(deterministic=True),
        message.centre.id,
        message.kind,
    )


def as_taken(slot: Slot) -> Slot:
    """What any school may see of a slot that another line has: nothing that was answered for that line's school."""
    message = scheduling_pb2.Slot.FromString(slot.snapshot)
    message.status = scheduling_pb2.SLOT_STATUS_TAKEN
    message.ClearField("distance_km")
    message.ClearField("travel_minutes")
    return replace(slot, snapshot=message.SerializeToString(deterministic=True))


@dataclass(frozen=True)
class JudgedHold:
    """Lines ready to be written, with the limits that the database enforces on them."""

    lines: list[Line]
    caps: dict[Key, int]
    rules: dict[str, list[str]]
    """Rule ids that refused, by slot id."""
    snapshots: dict[UUID, bytes]
    """What the rules looked at, by line, to be kept with it."""


def evaluation_of(hold: Hold, situation: HoldSituation, mandates: Mandates) -> scheduling_pb2.EvaluateRequest | None:
    """What the rules are asked about a hold; None: it has too many lines to be asked about."""
    if len(hold.wanted) > MOST_EVALUATED:
        return None
    return evaluation(_questions(hold.wanted, situation, mandates), "hold", situation.counted)


def judge_hold(
    dependencies: Dependencies,
    hold: Hold,
    situation: HoldSituation,
    mandates: Mandates,
    evaluated: scheduling_pb2.EvaluateResponse,
    group_id: UUID,
) -> JudgedHold:
    """What the rules' answer means: refuse here the action as a whole, leave refused lines to the answer."""
    against = verdicts.against(evaluated.action_verdicts)
    asked, limit = len(hold.wanted), largest_action(dependencies)
    if not 1 <= asked <= limit and all(verdict.rule != "R-GROUP" for verdict in against):
        against.append(verdicts.group_limit(asked, limit))
    if against:
        for refused in evaluated.lines:
            against += [verdicts.about(one, slot=refused.slot_id) for one in verdicts.against(refused.verdicts)]
        failure = refusals.of_rules(against)
        raise Failure(Code.CODE_RULE_REFUSED, failure.detail, verdicts=against, retry_at=failure.retry_at)
    now = situation.time.now
    judged = JudgedHold([], {BASKET: dependencies.peers.limits.basket}, {}, {})
    for position, (line, verdict) in enumerate(zip(hold.wanted, evaluated.lines, strict=True)):
        slot = _slot_of(verdict)
        refusal = _refusal(line, verdict, situation)
        if refusal is not None and not verdict.allowed:
            judged.rules[line.slot_id] = [one.rule for one in verdicts.against(verdict.verdicts)]
        judged.caps[key_of(slot)] = verdict.quota_limit
        mandate = mandates.get(line.slot_id)
        theirs = mandate.rdvpermis_candidate_id if mandate is not None else ""
        new = _new_line(dependencies, hold.who, line, position, slot, now, group_id, theirs)
        judged.snapshots[new.id] = verdict.snapshot.SerializeToString(deterministic=True)
        judged.lines.append(new if refusal is None else held(new, Answer(AnswerOutcome.REFUSED, refusal), now))
    return judged


def largest_action(dependencies: Dependencies) -> int:
    """Lines that one action may have."""
    return min(dependencies.peers.limits.group, LARGEST_GROUP)


async def explain_hold(
    dependencies: Dependencies, wanted: Sequence[WantedLine], situation: HoldSituation, mandates: list[MandateAnswer]
) -> scheduling_pb2.ExplainResponse:
    """What would have to change for these lines to be allowed; asked as a hold asks, with no effect."""
    peers, counted = dependencies.peers, situation.counted
    answers = dict(zip(mandate_questions(wanted), mandates, strict=True))
    explained = await peers.explain(_questions(wanted, situation, answers), "hold", counted)
    other = of_another_category(wanted, explained.verdicts, answers)
    if other:
        answers |= dict(zip(other, await peers.mandates(list(other.values())), strict=True))
        explained = await peers.explain(_questions(wanted, situation, answers), "hold", counted)
    return explained


def lines_of_taken_slots(
    dependencies: Dependencies, hold: Hold, taken: Sequence[Slot], now: datetime, group_id: UUID
) -> list[Line]:
    """The refused lines of an action whose slots are all taken; `taken`: what they are, in the lines' order."""
    refused = Answer(AnswerOutcome.REFUSED, refusals.slot_taken())
    return [
        held(_new_line(dependencies, hold.who, line, position, as_taken(slot), now, group_id), refused, now)
        for position, (line, slot) in enumerate(zip(hold.wanted, taken, strict=True))
    ]


def _new_line(
    dependencies: Dependencies,
    who: Principal,
    line: WantedLine,
    position: int,
    slot: Slot,
    now: datetime,
    group_id: UUID,
    rdvpermis_candidate_id: str = "",
) -> Line:
    return Line(
        id=dependencies.new_id(),
        group_id=group_id,
        position=position,
        school_id=who.school_id,
        account_id=who.account_id,
        slot=slot,
        state=State.ASKING,
        since=now,
        candidate_id=line.candidate_id,
        rdvpermis_candidate_id=rdvpermis_candidate_id,
        expires_at=now + timedelta(seconds=dependencies.peers.limits.hold_ttl_seconds),
        next_poll_at=dependencies.poll_after_call(now),
        trainer_id=line.trainer_id,
        vehicle_id=line.vehicle_id,
    )


def _questions(
    wanted: Sequence[WantedLine], situation: HoldSituation, answers: Mandates
) -> list[scheduling_pb2.EvaluateLine]:
    questions = []
    for line in wanted:
        mandate = answers.get(line.slot_id)
        if line.candidate_id is None or mandate is None:
            questions.append(line_question(line.slot_id, trainer_id=line.trainer_id, vehicle_id=line.vehicle_id))
            continue
        questions.append(
            line_question(
                line.slot_id,
                line.candidate_id,
                mandate,
                busy=(line.candidate_id, mandate.category) in situation.conflicts.candidates,
                trainer_id=line.trainer_id,
                vehicle_id=line.vehicle_id,
                eligibility=situation.eligibilities.get((mandate.category, mandate.rdvpermis_candidate_id)),
            )
        )
    return questions


def of_another_category(
    wanted: Sequence[WantedLine], evaluated: scheduling_pb2.EvaluateResponse, answers: Mandates
) -> MandateQuestions:
    """Questions to ask again: mandate answered about a category that the slot turned out not to be of."""
    categories = {line.slot_id: line.slot.category for line in evaluated.lines if line.HasField("slot")}
    return {
        line.slot_id: (str(line.candidate_id), categories[line.slot_id])
        for line in wanted
        if line.candidate_id
        and line.slot_id in categories
        and answers[line.slot_id].category not in {"", categories[line.slot_id]}
    }


def _refusal(line: WantedLine, verdict: scheduling_pb2.LineVerdict, situation: HoldSituation) -> Refusal | None:
    if not verdict.allowed or not verdict.HasField("slot"):
        return refusals.stored(refusals.of_rules(verdict.verdicts))
    if line.slot_id in situation.conflicts.slots:
        return refusals.slot_taken()
    return None


def _slot_of(verdict: scheduling_pb2.LineVerdict) -> Slot:
    if verdict.HasField("slot"):
        return slot_of(verdict.slot, verdict.month)
    return unseen_slot(verdict.slot_id, scheduling_pb2.Slot(id=verdict.slot_id).SerializeToString())
