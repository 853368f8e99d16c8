"""A validation: rules again, intention (committed), call, answer (committed). Nothing is ever booked unnamed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.scheduling.v1.scheduling_pb2 import EvaluateLine
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket import events, refusals, store, view
from resapermis_basket.acts import (
    Parts,
    Time,
    apply,
    caller_key,
    group_view,
    look_after_call,
    look_soon,
    parse_id,
    refuse,
    surely_not_done,
)
from resapermis_basket.domain import (
    UNKNOWN,
    Answer,
    Change,
    Key,
    Line,
    Outcome,
    State,
    Words,
    move,
    validated,
)
from resapermis_basket.judging import say
from resapermis_kit.database import idempotency
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal

R_NAMED_SOURCE = "RdvPermis charter 3.2: every booking is nominative"


@dataclass(frozen=True)
class Situation:
    """The group as our database has it."""

    time: Time
    asked_before: bool
    group: store.Group
    lines: list[Line]
    counted: dict[Key, int]
    words: Words


class Validating:
    """Has RdvPermis book what a group holds."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self._parts = parts

    async def validate(self, who: Principal, request: pb.ValidateGroupRequest) -> pb.ValidateGroupResponse:
        """Book the group's held lines; each is booked or rejected, or stays confirming until it is known."""
        situation = await self._situation(who, request)
        now = situation.time.now
        if situation.asked_before:
            return await self._earlier(who, request, situation)
        try:
            held = ready(situation)
            cases = await self._judge(held, situation)
        except Failure as failure:
            if failure.verdicts or failure.violations:
                await refuse(self._parts, who, "basket.validate", "group", request.group_id, failure, now)
            raise
        after = [
            replace(move(line, State.CONFIRMING, now), next_look_at=look_after_call(self._parts, now)) for line in held
        ]
        changes = [Change(before, line) for before, line in zip(held, after, strict=True)]
        async with transaction(self._parts.engine) as tx:
            answer = await idempotency.earlier_answer(tx, caller_key(who), request, now)
            if answer is not None:
                return pb.ValidateGroupResponse.FromString(answer)
            messages = events.said(changes, events.person(who), who.account_id)
            confirming = await apply(tx, self._parts, changes, messages, now)
            await store.keep_judgements(tx, "validate", cases)
        ask = self._ask(who, request, situation, confirming)
        return await asyncio.shield(asyncio.ensure_future(ask))

    async def _situation(self, who: Principal, request: pb.ValidateGroupRequest) -> Situation:
        group_id = parse_id(request.group_id, "group_id")
        async with transaction(self._parts.engine) as tx:
            time = Time(await store.now(tx))
            group = await store.group(tx, who.school_id, group_id)
            if group is None:
                raise Failure(Code.CODE_NOT_FOUND, "no such group")
            return Situation(
                time,
                await store.was_asked(tx, caller_key(who), request.request_id),
                group,
                await store.of_groups(tx, [group_id]),
                await store.counted(tx, who.school_id),
                await store.words_on(tx, who.school_id),
            )

    async def _earlier(
        self, who: Principal, request: pb.ValidateGroupRequest, situation: Situation
    ) -> pb.ValidateGroupResponse:
        """Answer a twin: what the first got, or what the reconciler found since; IN_PROGRESS until one is known."""
        try:
            async with transaction(self._parts.engine) as tx:
                answer = await idempotency.earlier_answer(tx, caller_key(who), request, situation.time.now)
        except Failure as failure:
            if failure.code != Code.CODE_IN_PROGRESS:
                raise
            async with transaction(self._parts.engine) as tx:
                lines = await store.of_groups(tx, [situation.group.id])
            if any(line.state is State.CONFIRMING for line in lines):
                raise
            group = situation.group
            return pb.ValidateGroupResponse(group=view.group(group.id, group.created_at, lines))
        if answer is None:  # pruned between the two looks
            raise Failure(Code.CODE_STALE, "this request id was forgotten just now; ask again")
        return pb.ValidateGroupResponse.FromString(answer)

    async def _judge(self, held: Sequence[Line], situation: Situation) -> dict[UUID, bytes]:
        """Have every rule answer again with today's mandates; refuse the group, naming each line that stands against.

        Return what the rules looked at, by line.
        """
        mandates = await self._parts.peers.mandates([(str(line.candidate_id), line.slot.category) for line in held])
        asked = [
            EvaluateLine(
                slot_id=line.slot.id,
                candidate_id=str(line.candidate_id),
                mandate_active=mandate.active,
                mandate_category=mandate.category,
                mandate_gearbox=mandate.gearbox,
                trainer_id=line.trainer_id,
                vehicle_id=line.vehicle_id,
                line_id=str(line.id),
            )
            for line, mandate in zip(held, mandates, strict=True)
        ]
        for question, line in zip(asked, held, strict=True):
            word = situation.words.get((line.slot.category, line.rdvpermis_candidate_id))
            if word is not None and word.seen_at < line.since:  # a later one speaks of this very hold
                say(question, word)
        said = await self._parts.peers.evaluate(asked, "validate", situation.counted)
        against = [verdict for verdict in said.action_verdicts if not verdict.allowed]
        violations = []
        for line, verdict in zip(held, said.lines, strict=True):
            mine = [_of_line(one, line) for one in verdict.verdicts if not one.allowed]
            against += mine
            violations += [(str(line.id), one.rule) for one in mine]
        if against:
            failure = refusals.of_rules(against)
            raise Failure(
                failure.code, failure.detail, verdicts=against, violations=violations, retry_at=failure.retry_at
            )
        return {
            line.id: verdict.snapshot.SerializeToString(deterministic=True)
            for line, verdict in zip(held, said.lines, strict=True)
        }

    async def _ask(
        self, who: Principal, request: pb.ValidateGroupRequest, situation: Situation, confirming: Sequence[Line]
    ) -> pb.ValidateGroupResponse:
        """Call RdvPermis and write down its answer. Where none came, lines stay confirming: the reconciler reads."""
        answers: dict[str, Answer] = {}
        refusal: Failure | None = None
        try:
            said = await self._parts.peers.rdvpermis(
                "ValidateBasket", rdv.ValidateBasketRequest(basket_id=confirming[0].basket_id)
            )
            answers = {result.slot_id: answer_of(result) for result in said.results}
        except Failure as failure:
            refusal = failure if surely_not_done(failure) else None
        now = situation.time.now
        after = [self._answered(line, answers, refusal, situation) for line in confirming]
        changes = [Change(before, line) for before, line in zip(confirming, after, strict=True)]
        moved = [change for change in changes if change.after.state is not change.before_state]
        group = situation.group
        shown = {line.id: line for line in situation.lines} | {line.id: line for line in after}
        response = pb.ValidateGroupResponse(group=view.group(group.id, group.created_at, list(shown.values())))
        messages = events.said(moved, events.person(who), who.account_id)
        try:
            async with transaction(self._parts.engine) as tx:
                await apply(tx, self._parts, changes, messages, now)
                if refusal is not None:
                    await store.forget_request(tx, caller_key(who), request.request_id)
                elif len(moved) == len(changes):
                    await idempotency.settle(tx, caller_key(who), request, response)
        except Failure as failure:
            if failure.code != Code.CODE_STALE:
                raise
            async with transaction(self._parts.engine) as tx:  # the reconciler was faster: what it found stands
                return pb.ValidateGroupResponse(group=await group_view(tx, group))
        if refusal is not None:
            raise refusal
        return response

    def _answered(self, line: Line, answers: dict[str, Answer], refusal: Failure | None, situation: Situation) -> Line:
        now = situation.time.now
        if refusal is not None:
            kept = move(line, State.HELD, now, refusals.keep(refusal))
            gone = refusal.code == Code.CODE_RDVPERMIS_BASKET_GONE
            return replace(kept, next_look_at=now) if gone else kept
        after = validated(line, answers.get(line.slot.id, UNKNOWN), now)
        return replace(after, next_look_at=look_soon(self._parts, now)) if after.state is State.CONFIRMING else after


def ready(situation: Situation) -> list[Line]:
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
            verdicts=[named_rule(line) for line in unnamed],
            violations=[(str(line.id), "names no candidate") for line in unnamed],
        )
    return held


def named_rule(line: Line) -> Verdict:
    """R-NAMED: every line names its candidate before validation.

    Source: RdvPermis charter 3.2. The constraint basket_line_nominative_check says it too.
    """
    return Verdict(
        rule="R-NAMED",
        allowed=line.candidate_id is not None,
        facts={"line": str(line.id), "slot": line.slot.id},
        source=R_NAMED_SOURCE,
        remedy="name_candidate",
    )


def answer_of(result: rdv.ValidateResult) -> Answer:
    """RdvPermis' answer about one slot of a validation."""
    if result.booked:
        return Answer(Outcome.DONE, exam_id=result.exam_id)
    return Answer(Outcome.REFUSED, refusals.keep(refusals.of_rdvpermis(result.code, result.rdvpermis_code)))


def _of_line(verdict: Verdict, line: Line) -> Verdict:
    about = Verdict()
    about.CopyFrom(verdict)
    about.facts["line"], about.facts["slot"] = str(line.id), line.slot.id
    return about
