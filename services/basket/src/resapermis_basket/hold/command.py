"""A hold: what is known, what the rules say, the intention (committed), the call to RdvPermis, its answer (committed)."""

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

from google.protobuf.message import Message
from prometheus_client import Counter

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.mandate.v1.mandate_pb2 import MandateAnswer
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket import events
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.answer import UNKNOWN, Answer, AnswerOutcome, give_back_all_or_nothing, held
from resapermis_basket.domain.line import LARGEST_GROUP, NO_REFUSAL, Change, Group, Line, Slot, State, deltas, in_doubt
from resapermis_basket.hold.intention import HoldRequest, Intentions, WrittenHold
from resapermis_basket.hold.judgement import WantedLine, hold_question, judge_hold, lines_of_taken_slots, parse_hold
from resapermis_basket.hold.queries import HoldAnswer, HoldQuestion, HoldSituation, read_situations, write_answers
from resapermis_basket.hold.queue import Admission, HoldBatches, SlotRequests
from resapermis_basket.hold.taken_slots import TakenSlotsHold, TakenSlotsOutcome, refuse_taken_slots
from resapermis_basket.judgement import refusals
from resapermis_basket.line.queries import ActTime, find_groups, lines_of_groups, write_changes
from resapermis_basket.wire import caller_key, group_message
from resapermis_kit.database.idempotency import Command, answer_twin, finish
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.batcher import Batcher
from resapermis_kit.rpc.peers import may_have_acted

SLOT_TAKEN = refusals.slot_taken()
HOLDS = Counter("resapermis_hold_lines_total", "Lines asked for, by what became of them at once", ["outcome"])
_lines_that = functools.cache(HOLDS.labels)
MOST_REFUSED = 50
"""Late holds in one statement."""


class HoldCommand:
    """Asks RdvPermis for what our rules and our own schools leave free."""

    def __init__(self, dependencies: Dependencies, admission: Admission) -> None:
        """One in a process: it knows who asks for which slot now."""
        self._dependencies, self._admission = dependencies, admission
        self._intentions = Intentions(dependencies)
        # What comes in the same moment is one statement: at an opening, of many schools.
        engine = dependencies.engine
        self._situations: Batcher[HoldQuestion, HoldSituation] = Batcher(lambda batch: read_situations(engine, batch))
        self._answers: Batcher[HoldAnswer, bool] = Batcher(lambda batch: write_answers(engine, batch))
        self._refusals: Batcher[TakenSlotsHold, TakenSlotsOutcome] = Batcher(
            lambda batch: refuse_taken_slots(engine, batch), most=MOST_REFUSED
        )
        self._requests, self._batches = SlotRequests(monotonic), HoldBatches()
        self._time: ActTime | None = None
        """The newest that the database answered."""

    async def hold(self, who: Principal, request: pb.HoldSlotsRequest) -> pb.HoldSlotsResponse:
        """Hold one to four slots; what was obtained is kept, line by line."""
        wanted = parse_hold(request)
        command = Command(caller_key(who), request, pb.HoldSlotsResponse, _as_found)
        slot_ids = [line.slot_id for line in wanted]
        while True:
            taken = self._seen_taken(slot_ids)
            if taken:
                answer = await self._late(who, command, wanted, taken)
                if answer is not None:
                    return answer
                self._requests.forget(slot_ids)
            async with self._admission.admit() as permit:
                async with self._requests.coalesced(slot_ids):
                    if self._seen_taken(slot_ids):
                        continue  # somebody was faster while we waited
                    async with self._batches.join():
                        group, time, intended = await self._intend(who, command, wanted)
                if intended.answer is None:
                    # The caller may go away; what RdvPermis answers is written down all the same.
                    permit.calls_rdvpermis()
                    asking = self._ask(who, command, group, intended, time)
                    return await asyncio.shield(asyncio.ensure_future(asking))
            _lines_that("refused_by_us").inc(len(intended.answer.group.lines))
            return intended.answer

    def _seen_taken(self, slot_ids: Sequence[str]) -> list[Slot]:
        """The slots, if all were seen taken lately: worth a question to the database before anything else is asked."""
        slots = [slot for slot_id in slot_ids if (slot := self._requests.seen_taken(slot_id)) is not None]
        whole = 1 <= len(slot_ids) <= min(self._dependencies.peers.limits.group, LARGEST_GROUP)
        return slots if whole and len(slots) == len(slot_ids) else []

    async def _late(
        self, who: Principal, command: HoldRequest, wanted: Sequence[WantedLine], taken: Sequence[Slot]
    ) -> pb.HoldSlotsResponse | None:
        """Refuse slots that are taken, by what our own database says; None: not all of them are."""
        if self._time is None:
            return None
        now = self._time.now
        group = self._group(who, command, now)
        lines = lines_of_taken_slots(self._dependencies, who, wanted, taken, now, group.id)
        answer = pb.HoldSlotsResponse(group=group_message(group, lines))
        claim = command.claim(now, answer)
        changes = [Change(None, line) for line in lines]
        messages = self._dependencies.outbox.values(now, events.of_changes(changes, events.person(who), who.account_id))
        outcome = await self._refusals.submit(TakenSlotsHold(claim, group, lines, messages))
        self._dependencies.outbox.wake_up.notify()
        if outcome is TakenSlotsOutcome.TWIN:
            async with self._admission.admit():
                return await self._twin(command, now)
        if outcome is TakenSlotsOutcome.FREE:
            return None
        _lines_that("refused_by_us").inc(len(lines))
        return answer

    async def _intend(
        self, who: Principal, command: HoldRequest, wanted: Sequence[WantedLine]
    ) -> tuple[Group, ActTime, WrittenHold]:
        """What is known, what the rules say of it, and the intention, committed."""
        situation, mandates = await self._facts(who, command, wanted)
        time = self._time = situation.time
        group = self._group(who, command, time.now)
        if situation.asked_before:
            answered = await self._twin(command, time.now)
            if answered is not None:
                return group, time, WrittenHold(answer=answered)
            mandates = await self._mandates(wanted)  # forgotten between the two statements: it is begun anew
        judged = await judge_hold(self._dependencies, who, wanted, situation, mandates, group.id)
        intended = await self._intentions.write(who, command, group, judged, time.now)
        for line in intended.lines:
            if line.live or line.refusal == SLOT_TAKEN:
                self._requests.note_taken(line.slot)
        return group, time, intended

    async def _twin(self, command: HoldRequest, now: datetime) -> pb.HoldSlotsResponse | None:
        async with transaction(self._dependencies.engine) as tx:
            return await answer_twin(tx, command, now)

    async def _facts(
        self, who: Principal, command: HoldRequest, wanted: Sequence[WantedLine]
    ) -> tuple[HoldSituation, list[MandateAnswer]]:
        """Our own facts and mandate's, side by side. A twin is answered although mandate may be away."""
        asked = asyncio.ensure_future(self._mandates(wanted))
        try:
            question = hold_question(who, wanted, command.request_id)
            situation = await self._situations.submit(question)
            return situation, [] if situation.asked_before else await asked
        finally:
            if not asked.done():
                asked.cancel()
            elif not asked.cancelled():
                asked.exception()  # looked at, whether or not it mattered

    async def _mandates(self, wanted: Sequence[WantedLine]) -> list[MandateAnswer]:
        return await self._dependencies.peers.mandates(
            [(str(line.candidate_id), "") for line in wanted if line.candidate_id]
        )

    def _group(self, who: Principal, command: HoldRequest, now: datetime) -> Group:
        return Group(
            id=self._dependencies.new_id(),
            school_id=who.school_id,
            account_id=who.account_id,
            session_id=who.session_id,
            all_or_nothing=command.request.all_or_nothing,
            request_caller=command.caller,
            request_id=command.request_id,
            created_at=now,
        )

    async def _ask(
        self, who: Principal, command: HoldRequest, group: Group, intended: WrittenHold, time: ActTime
    ) -> pb.HoldSlotsResponse:
        """Call RdvPermis and write down its answer. Where none came, lines stay asking: the reconciler reads."""
        lines = intended.lines
        asking = [line for line in lines if line.state is State.ASKING]
        answers = await self._call(asking, intended.basket_id)
        now = time.now
        after = [held(line, answers.get(line.slot.id, UNKNOWN), now) for line in asking]
        if group.all_or_nothing:
            after = give_back_all_or_nothing(after, refusals.all_or_nothing_failed(), now)
        after = [
            replace(line, next_poll_at=self._dependencies.poll_soon(now)) if in_doubt(line) else line for line in after
        ]
        changes = [Change(before, line) for before, line in zip(asking, after, strict=True)]
        for line in after:
            _lines_that(line.state).inc()
        shown = {line.id: line for line in lines} | {line.id: line for line in after}
        response = pb.HoldSlotsResponse(group=group_message(group, list(shown.values())))
        moved = [change for change in changes if change.after.state is not State.ASKING]
        messages = events.of_changes(moved, events.person(who), who.account_id)
        known = None if any(in_doubt(line) for line in after) else response
        if not await self._written(command, group, changes, messages, known, now):
            async with transaction(self._dependencies.engine) as tx:  # the reconciler was faster: what it found stands
                return pb.HoldSlotsResponse(group=group_message(group, await lines_of_groups(tx, [group.id])))
        return response

    async def _written(
        self,
        command: HoldRequest,
        group: Group,
        changes: Sequence[Change],
        messages: Sequence[Message],
        known: pb.HoldSlotsResponse | None,
        now: datetime,
    ) -> bool:
        """Write what RdvPermis' answer changed, and the answer to twins if it is known; False: a line has moved."""
        if not deltas(changes):
            values = self._dependencies.outbox.values(now, messages)
            answered = HoldAnswer(command.claim(now, known), group, [change.after for change in changes], values)
            written = await self._answers.submit(answered)
            self._dependencies.outbox.wake_up.notify()
            return written
        try:
            async with transaction(self._dependencies.engine) as tx:  # counters move: the school is locked
                await write_changes(tx, self._dependencies.outbox, changes, messages, now)
                if known is not None:
                    await finish(tx, command, known)
        except Failure as failure:
            if failure.code != Code.CODE_STALE:
                raise
            return False
        return True

    async def _call(self, asking: Sequence[Line], basket_id: str) -> dict[str, Answer]:
        request = rdv.HoldSlotsRequest(
            slots=[
                rdv.HoldSlot(slot_id=line.slot.id, rdvpermis_candidate_id=line.rdvpermis_candidate_id)
                for line in asking
            ],
            basket_id=basket_id,
        )
        try:
            response = await self._dependencies.peers.rdvpermis("HoldSlots", request)
        except Failure as failure:
            if may_have_acted(failure):
                return {}
            return {line.slot.id: Answer(AnswerOutcome.REFUSED, refusals.stored(failure)) for line in asking}
        return {result.slot_id: answer_of(result, response) for result in response.results}


async def _as_found(tx: Tx, group_id: UUID) -> pb.HoldSlotsResponse | None:
    """The group as RdvPermis answered, or as the reconciler found it; None while one of its lines is in doubt."""
    lines = await lines_of_groups(tx, [group_id])
    if any(line.state is State.ASKING for line in lines):
        return None
    group = (await find_groups(tx, [group_id]))[group_id]
    return pb.HoldSlotsResponse(group=group_message(group, lines))


def answer_of(result: rdv.HoldResult, response: rdv.HoldSlotsResponse) -> Answer:
    """RdvPermis' answer about one slot of a hold."""
    if result.outcome == rdv.HoldResult.OUTCOME_REFUSED:
        refusal = refusals.stored(refusals.of_rdvpermis(result.code, result.rdvpermis_code))
        return Answer(AnswerOutcome.REFUSED, refusal)
    if result.outcome != rdv.HoldResult.OUTCOME_HELD:
        return Answer(AnswerOutcome.UNKNOWN, basket_id=response.basket_id)
    refusal = NO_REFUSAL
    if result.naming_code:
        refusal = refusals.stored(refusals.of_rdvpermis(result.naming_refusal, result.naming_code))
    return Answer(
        AnswerOutcome.DONE,
        refusal,
        named=None if result.naming_unknown else not result.naming_code,
        basket_id=response.basket_id,
        expires_at=response.expires_at.ToDatetime(UTC) if response.HasField("expires_at") else None,
    )
