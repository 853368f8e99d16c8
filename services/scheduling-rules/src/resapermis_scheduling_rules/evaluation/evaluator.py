"""Evaluate, Explain, Rejudge: facts are read in few statements for all lines, every rule answers on each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.clock import Clock
from resapermis_kit.errors import malformed
from resapermis_kit.rpc.batcher import Batcher
from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules import wire
from resapermis_scheduling_rules.domain.availability import LineAvailability, LineResources, of_one_action
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.restrictions import Reason, Restriction
from resapermis_scheduling_rules.domain.slots import Slot
from resapermis_scheduling_rules.domain.snapshot import Action, EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.domain.standing import SchoolStanding
from resapermis_scheduling_rules.evaluation import judge
from resapermis_scheduling_rules.evaluation import queries as actions
from resapermis_scheduling_rules.evaluation import wire as snapshot_wire
from resapermis_scheduling_rules.parameters.queries import Rulebooks
from resapermis_scheduling_rules.peers import Asker
from resapermis_scheduling_rules.rules.slot import unknown
from resapermis_scheduling_rules.school.schools import Schools

MOST_SNAPSHOTS = 1000
"""Kept snapshots judged again in one call."""


@dataclass(frozen=True, slots=True)
class Question:
    """An action with everything known about it; a slot that nobody ever saw has no snapshot."""

    action: Action
    snapshots: Sequence[EvaluationSnapshot | None]


@dataclass(frozen=True)
class Evaluator:
    """Answers from the mirror and the school's own records; asks nobody but for a school never seen."""

    known: Batcher[actions.AskedAction, actions.ActionFacts]
    """Actions that come in the same moment are looked up in one batch, each for its own school."""
    schools: Schools
    rulebooks: Rulebooks
    now: Clock

    async def evaluate(self, request: pb.EvaluateRequest, who: Asker) -> pb.EvaluateResponse:
        """Have all rules answer, for every line and for the action."""
        question = await self._question(request, who)
        return _answer(request, question, [None if one is None else judge.line(one) for one in question.snapshots])

    async def explain(self, request: pb.EvaluateRequest, who: Asker) -> pb.ExplainResponse:
        """Say besides what must change, and when time alone opens it."""
        question = await self._question(request, who)
        judged = [None if one is None else judge.explained(one) for one in question.snapshots]
        verdicts = _answer(request, question, judged)
        response = pb.ExplainResponse(verdicts=verdicts, action_needs=_needs(judge.action(question.action).verdicts))
        for line, one in zip(request.lines, judged, strict=True):
            judged_line = [unknown(line.slot_id)] if one is None else one.verdicts
            response.lines.add(
                slot_id=line.slot_id,
                allowed=one is not None and one.allowed,
                opens_at=None if one is None or one.opens_at is None else wire.timestamp(one.opens_at),
                needs=_needs(judged_line),
            )
        return response

    async def rejudge(self, request: pb.RejudgeRequest) -> pb.RejudgeResponse:
        """Judge kept snapshots by what was in force at their own moments, or with one value changed. Looks at nothing else."""
        if len(request.snapshots) > MOST_SNAPSHOTS:
            raise wire.too_many("snapshots", MOST_SNAPSHOTS)
        rulebook = await self.rulebooks.get()
        if request.HasField("changed"):
            rulebook = rulebook.with_value(snapshot_wire.parameter_of(request.changed))
        response = pb.RejudgeResponse()
        for n, kept in enumerate(request.snapshots):
            try:
                read, action = snapshot_wire.read_snapshot(kept, rulebook)
                judged_line = [*judge.line(read).verdicts, *judge.action(action).verdicts]
            except (ValueError, OverflowError) as error:
                raise malformed(
                    f"snapshots[{n}]", "not a snapshot that Evaluate gave, or a value beyond every clock"
                ) from error
            against = [one for one in judged_line if not one.allowed]
            response.snapshots.add(allowed=not against, against=wire.verdicts(against))
        return response

    async def _question(self, request: pb.EvaluateRequest, who: Asker) -> Question:
        if len(request.lines) > wire.LONGEST_ACTION:
            raise wire.too_many("lines", wire.LONGEST_ACTION)
        purpose, now = snapshot_wire.purpose_of(request.purpose), self.now()
        for n, line in enumerate(request.lines):
            snapshot_wire.check_line(line, n)
        rulebook = await self.rulebooks.get()
        lines = [
            actions.Line(line.slot_id, line.candidate_id, line.trainer_id, line.vehicle_id) for line in request.lines
        ]
        known = await self.known.submit(actions.AskedAction(who.school_id, lines, rulebook.widest(now), now))
        standing = await self.schools.standing_as_read(known.standing, who)
        slots = known.slots
        at = {slot.id: rulebook.at(now, slot.department, slot.category) for slot in slots.values()}
        places = {slot.id: slot.place for slot in slots.values()}
        here = [n for n, line in enumerate(lines) if line.slot_id in slots]
        wants = dict(
            zip(here, of_one_action([_want(request.lines[n], slots[lines[n].slot_id]) for n in here]), strict=True)
        )
        usage = snapshot_wire.usage_of(request.usage)
        asked = Counter(places[want.slot.id] for want in wants.values())
        named = Counter(line.candidate_id for line in lines if line.candidate_id)
        snapshots: list[EvaluationSnapshot | None] = []
        for n, line in enumerate(request.lines):
            want = wants.get(n)
            if want is None:
                snapshots.append(None)
                continue
            slot, parameters, place = want.slot, at[want.slot.id], places[want.slot.id]
            if purpose is Purpose.CANCEL:
                situation = LineAvailability()  # whoever leaves is in nobody's way
            else:
                situation = _seen_from(slot, known.situation(n, want, parameters))
            given = _Given(now, purpose, standing, slot, parameters, usage.get(place, 0), asked[place])
            namesakes = max(0, named[line.candidate_id] - 1)
            found = known.restrictions.get(n, ())
            snapshots.append(_snapshot(given, line, namesakes, found, situation))
        return Question(_action(request, purpose, rulebook.at(now)), snapshots)


@dataclass(frozen=True, slots=True)
class _Given:
    """What is known of a line before its candidate: moment, purpose, school, slot, parameters, counts."""

    now: datetime
    purpose: Purpose
    standing: SchoolStanding
    slot: Slot
    parameters: Parameters
    taken: int
    asked: int


def _snapshot(
    given: _Given, line: pb.EvaluateLine, namesakes: int, found: Sequence[Restriction], situation: LineAvailability
) -> EvaluationSnapshot:
    slot = given.slot
    return EvaluationSnapshot(
        now=given.now,
        purpose=given.purpose,
        school=given.standing.school,
        slot=slot,
        parameters=given.parameters,
        quota=given.standing.quota(slot.place, given.taken, given.parameters),
        asked=given.asked,
        candidate=snapshot_wire.candidate_of(line),
        namesakes=namesakes,
        trainer_id=line.trainer_id,
        vehicle_id=line.vehicle_id,
        situation=situation,
        restrictions=tuple(restriction for restriction in found if restriction.kind in {"", slot.kind}),
        passed_kinds=tuple(sorted({restriction.kind for restriction in found if restriction.reason == Reason.PASSED})),
        changeable=snapshot_wire.changeable_of(line),
    )


def _want(line: pb.EvaluateLine, slot: Slot) -> LineResources:
    return LineResources(slot, line.candidate_id, line.trainer_id, line.vehicle_id, line.line_id)


def _seen_from(slot: Slot, situation: LineAvailability) -> LineAvailability:
    """A trainer who does not work or teach the category at the slot's hour accompanies nobody there."""
    trainer = situation.trainer
    return situation if trainer is None or trainer.accompanies(slot) else replace(situation, trainer=None)


def _action(request: pb.EvaluateRequest, purpose: Purpose, parameters: Parameters) -> Action:
    return Action(
        purpose,
        len(request.lines),
        max(0, request.lines_in_basket),
        parameters,
        request.replacements_left if request.HasField("replacements_left") else None,
        request.replacements_per_month if request.HasField("replacements_per_month") else None,
    )


def _answer(
    request: pb.EvaluateRequest, question: Question, judged: Sequence[judge.Judgement | None]
) -> pb.EvaluateResponse:
    response = pb.EvaluateResponse(limits=wire.limits(question.action.parameters))
    for line, snapshot, judged_line in zip(request.lines, question.snapshots, judged, strict=True):
        if snapshot is None or judged_line is None:
            verdicts = wire.verdicts([unknown(line.slot_id)])
            response.lines.add(slot_id=line.slot_id, allowed=False, verdicts=verdicts)
            continue
        slot = wire.slot(snapshot.slot, snapshot.status, snapshot.parameters)
        response.lines.add(
            slot_id=line.slot_id,
            allowed=judged_line.allowed,
            verdicts=wire.verdicts(_shown(request, judged_line)),
            slot=slot,
            quota_limit=judge.quota_limit(snapshot),
            month=snapshot.slot.month,
            snapshot=snapshot_wire.snapshot(snapshot, question.action, line, slot),
        )
    action = judge.action(question.action)
    response.action_verdicts.extend(wire.verdicts(_shown(request, action)))
    response.allowed = action.allowed and all(line.allowed for line in response.lines)
    return response


def _shown(request: pb.EvaluateRequest, judged: judge.Judgement) -> Sequence[Verdict]:
    """All rules answered; who asks only for what stands against it gets no more than that."""
    return [one for one in judged.verdicts if not one.allowed] if request.against_only else judged.verdicts


def _needs(verdicts: Sequence[Verdict]) -> list[pb.Need]:
    return [
        pb.Need(
            rule=one.rule,
            source=one.source,
            remedy=one.remedy,
            facts=one.facts,
            opens_at=None if one.opens_at is None else wire.timestamp(one.opens_at),
        )
        for one in verdicts
        if not one.allowed
    ]
