"""A validation: rules again, intention (committed), call, answer (committed). Nothing is ever booked unnamed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket import events
from resapermis_basket.booking.queries import read_eligibility
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.answer import UNKNOWN, Answer, AnswerOutcome, Eligibilities, validated
from resapermis_basket.domain.line import Change, Group, Key, Line, State, give_back_later, move
from resapermis_basket.judgement import refusals, verdicts
from resapermis_basket.line.counters import read_counters
from resapermis_basket.line.queries import (
    ActTime,
    database_now,
    find_group,
    find_groups,
    keep_judgements,
    lines_of_groups,
    write_changes,
)
from resapermis_basket.peers import line_question
from resapermis_basket.wire import caller_key, group_message
from resapermis_kit.database.idempotency import Command, abandon, answer_twin, begin, finish
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.fields import parse_id
from resapermis_kit.rpc.peers import may_have_acted

Validation = Command[pb.ValidateGroupRequest, pb.ValidateGroupResponse]


@dataclass(frozen=True)
class GroupSituation:
    """The group of a validation with its lines and the database's time, read in one transaction."""

    time: ActTime
    group: Group
    lines: list[Line]
    counted: dict[Key, int]
    eligibilities: Eligibilities


async def validate_group(
    dependencies: Dependencies, who: Principal, request: pb.ValidateGroupRequest
) -> pb.ValidateGroupResponse:
    """Book the group's held lines; each is booked or rejected, or stays confirming until it is known."""
    command = Command(caller_key(who), request, pb.ValidateGroupResponse, _as_found)
    situation, answered = await _read_situation(dependencies, who, command)
    if answered is not None:
        return answered
    now = situation.time.now
    try:
        held = ready(situation)
        snapshots = await _judge(dependencies, held, situation)
    except Failure as failure:
        if failure.verdicts or failure.violations:
            await refusals.record_refusal(dependencies, who, "basket.validate", "group", request.group_id, failure, now)
        raise
    after = [
        replace(move(line, State.CONFIRMING, now), next_poll_at=dependencies.poll_after_call(now)) for line in held
    ]
    changes = [Change(before, line) for before, line in zip(held, after, strict=True)]
    async with transaction(dependencies.engine) as tx:
        answered = await begin(tx, command, now, made=situation.group.id)
        if answered is not None:
            return answered
        messages = events.of_changes(changes, events.person(who), who.account_id)
        confirming = await write_changes(tx, dependencies.outbox, changes, messages, now)
        await keep_judgements(tx, "validate", snapshots)
    ask = _ask(dependencies, who, command, situation, confirming)
    return await asyncio.shield(asyncio.ensure_future(ask))


async def _read_situation(
    dependencies: Dependencies, who: Principal, command: Validation
) -> tuple[GroupSituation, pb.ValidateGroupResponse | None]:
    """What our database has of the group; and the answer, where a twin was here before."""
    group_id = parse_id(command.request.group_id, "group_id")
    async with transaction(dependencies.engine) as tx:
        time = ActTime(await database_now(tx))
        group = await find_group(tx, who.school_id, group_id)
        if group is None:
            raise Failure(Code.CODE_NOT_FOUND, "no such group")
        answered = await answer_twin(tx, command, time.now)
        situation = GroupSituation(
            time,
            group,
            await lines_of_groups(tx, [group_id]),
            await read_counters(tx, who.school_id),
            await read_eligibility(tx, who.school_id),
        )
        return situation, answered


async def _as_found(tx: Tx, group_id: UUID) -> pb.ValidateGroupResponse | None:
    """The group as RdvPermis answered, or as the reconciler found it; None while one of its lines is in doubt."""
    lines = await lines_of_groups(tx, [group_id])
    if any(line.state is State.CONFIRMING for line in lines):
        return None
    group = (await find_groups(tx, [group_id]))[group_id]
    return pb.ValidateGroupResponse(group=group_message(group, lines))


async def _judge(dependencies: Dependencies, held: Sequence[Line], situation: GroupSituation) -> dict[UUID, bytes]:
    """Have every rule answer again with today's mandates; refuse the group, naming each line that stands against.

    Return what the rules looked at, by line.
    """
    mandates = await dependencies.peers.mandates([(str(line.candidate_id), line.slot.category) for line in held])
    questions = []
    for line, mandate in zip(held, mandates, strict=True):
        answered = situation.eligibilities.get((line.slot.category, line.rdvpermis_candidate_id))
        before_hold = answered is not None and answered.seen_at < line.since  # a later one speaks of this very hold
        question = line_question(
            line.slot.id,
            line.candidate_id,
            mandate,
            trainer_id=line.trainer_id,
            vehicle_id=line.vehicle_id,
            eligibility=answered if before_hold else None,
            line=line,
        )
        questions.append(question)
    evaluated = await dependencies.peers.evaluate(questions, "validate", situation.counted)
    against = verdicts.against(evaluated.action_verdicts)
    violations = []
    for line, verdict in zip(held, evaluated.lines, strict=True):
        mine = [verdicts.about(one, line=str(line.id), slot=line.slot.id) for one in verdicts.against(verdict.verdicts)]
        against += mine
        violations += [(str(line.id), one.rule) for one in mine]
    if against:
        failure = refusals.of_rules(against)
        raise Failure(failure.code, failure.detail, verdicts=against, violations=violations, retry_at=failure.retry_at)
    return {
        line.id: verdict.snapshot.SerializeToString(deterministic=True)
        for line, verdict in zip(held, evaluated.lines, strict=True)
    }


async def _ask(
    dependencies: Dependencies,
    who: Principal,
    command: Validation,
    situation: GroupSituation,
    confirming: Sequence[Line],
) -> pb.ValidateGroupResponse:
    """Call RdvPermis and write down its answer. Where none came, lines stay confirming: the reconciler reads."""
    answers: dict[str, Answer] = {}
    refusal: Failure | None = None
    try:
        answer = await dependencies.peers.rdvpermis(
            "ValidateBasket", rdv.ValidateBasketRequest(basket_id=confirming[0].basket_id)
        )
        answers = {result.slot_id: answer_of(result) for result in answer.results}
    except Failure as failure:
        refusal = None if may_have_acted(failure) else failure
    now = situation.time.now
    after = [_answered(dependencies, line, answers, refusal, situation) for line in confirming]
    changes = [Change(before, line) for before, line in zip(confirming, after, strict=True)]
    moved = [change for change in changes if change.after.state is not change.before_state]
    group = situation.group
    shown = {line.id: line for line in situation.lines} | {line.id: line for line in after}
    response = pb.ValidateGroupResponse(group=group_message(group, list(shown.values())))
    messages = events.of_changes(moved, events.person(who), who.account_id)
    try:
        async with transaction(dependencies.engine) as tx:
            await write_changes(tx, dependencies.outbox, changes, messages, now)
            if refusal is not None:
                await abandon(tx, command)
            elif len(moved) == len(changes):
                await finish(tx, command, response)
    except Failure as failure:
        if failure.code != Code.CODE_STALE:
            raise
        async with transaction(dependencies.engine) as tx:  # the reconciler was faster: what it found stands
            return pb.ValidateGroupResponse(group=group_message(group, await lines_of_groups(tx, [group.id])))
    if refusal is not None:
        raise refusal
    return response


def _answered(
    dependencies: Dependencies,
    line: Line,
    answers: dict[str, Answer],
    refusal: Failure | None,
    situation: GroupSituation,
) -> Line:
    now = situation.time.now
    if refusal is not None:
        if refusal.code == Code.CODE_RDVPERMIS_BASKET_GONE:  # given back all the same, should it be there after all
            return give_back_later(move(line, State.EXPIRED, now, refusals.basket_gone()), now)
        return move(line, State.HELD, now, refusals.stored(refusal))
    after = validated(line, answers.get(line.slot.id, UNKNOWN), now)
    return replace(after, next_poll_at=dependencies.poll_soon(now)) if after.state is State.CONFIRMING else after


def ready(situation: GroupSituation) -> list[Line]:
    """Return the group's held lines if the group may be validated now; else refuse, naming lines."""
    lines, now = situation.lines, situation.time.now
    busy = [line for line in lines if line.state in {State.ASKING, State.CONFIRMING} or line.changing]
    if busy:
        raise Failure(
            Code.CODE_UNKNOWN_OUTCOME,
            "RdvPermis was asked about these lines and its answer is not known yet",
            violations=[(str(line.id), "in doubt") for line in busy],
        )
    held = [line for line in lines if line.state is State.HELD]
    late = [line for line in held if line.expires_at is not None and line.expires_at <= now]
    if late or (not held and any(line.state is State.EXPIRED for line in lines)):
        raise Failure(Code.CODE_HOLD_EXPIRED, "the hold was not validated in time")
    if not held:
        raise Failure(Code.CODE_ILLEGAL_TRANSITION, "no line of this group is held")
    unnamed = [line for line in held if line.candidate_id is None]
    if unnamed:
        raise Failure(
            Code.CODE_LINE_UNNAMED,
            "every line names its candidate before validation, or is released",
            verdicts=[verdicts.named(line) for line in unnamed],
            violations=[(str(line.id), "names no candidate") for line in unnamed],
        )
    return held


def answer_of(result: rdv.ValidateResult) -> Answer:
    """RdvPermis' answer about one slot of a validation."""
    if result.booked:
        return Answer(AnswerOutcome.DONE, exam_id=result.exam_id)
    return Answer(AnswerOutcome.REFUSED, refusals.stored(refusals.of_rdvpermis(result.code, result.rdvpermis_code)))
