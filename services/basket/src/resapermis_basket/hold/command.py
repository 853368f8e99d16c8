"""A hold: what is known, what the rules say, the intention (committed), the call to RdvPermis, its answer (committed)."""

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import Message
from prometheus_client import Counter

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket import events
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.answer import UNKNOWN, Answer, AnswerOutcome, give_back_all_or_nothing, held
from resapermis_basket.domain.line import NO_REFUSAL, Change, Group, Line, Slot, State, deltas, in_doubt
from resapermis_basket.hold.batch import HoldJudge, Judged, Waiting
from resapermis_basket.hold.intention import IntendedHold, group_of, write_carefully
from resapermis_basket.hold.judgement import Hold, hold_question, largest_action, lines_of_taken_slots, parse_hold
from resapermis_basket.hold.queries import HoldAnswer, HoldSituation, write_answers
from resapermis_basket.hold.queue import HoldQueue
from resapermis_basket.hold.taken_slots import TakenSlotsHold, TakenSlotsOutcome, refuse_taken_slots
from resapermis_basket.judgement import refusals
from resapermis_basket.line.queries import find_groups, lines_of_groups, write_changes
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
for _outcome in (State.HELD, State.ASKING, State.REFUSED, State.RELEASED, "refused_by_us"):
    _lines_that(_outcome)  # there from the start, at 0: Prometheus sees no increase in what begins at 1
MOST_REFUSED = 50
"""Late holds in one statement."""


class HoldCommand:
    """Asks RdvPermis for what our rules and our own schools leave free."""

    def __init__(self, dependencies: Dependencies) -> None:
        """One in a process: its queue knows who asks for which slot now."""
        self._dependencies, self._judge = dependencies, HoldJudge(dependencies)
        self.queue: HoldQueue[Hold, Judged] = HoldQueue(self._judge.judge, dependencies.settings.holds_at_once)
        # RdvPermis' answers, and those who are too late, come one by one; what comes in the same moment is one statement.
        engine = dependencies.engine
        self._answers: Batcher[HoldAnswer, bool] = Batcher(lambda batch: write_answers(engine, batch))
        self._refusals: Batcher[TakenSlotsHold, TakenSlotsOutcome] = Batcher(
            lambda batch: refuse_taken_slots(engine, batch), most=MOST_REFUSED
        )

    async def hold(self, who: Principal, request: pb.HoldSlotsRequest) -> pb.HoldSlotsResponse:
        """Hold one to four slots; what was obtained is kept, line by line."""
        wanted = parse_hold(request)
        command = Command(caller_key(who), request, pb.HoldSlotsResponse, _as_found)
        hold = Hold(who, command, wanted, hold_question(who, wanted, command.request_id))
        slot_ids = [line.slot_id for line in wanted]
        if len(slot_ids) > largest_action(self._dependencies):
            slot_ids = []  # the rules refuse it, whoever has them
        while True:
            taken, time = self.queue.seen_taken(slot_ids), self._judge.time
            if taken and time is not None:
                outcome, answer = await self._refuse_taken(hold, taken, time.now)
                if outcome is TakenSlotsOutcome.REFUSED:
                    return answer
                if outcome is TakenSlotsOutcome.FREE:
                    self.queue.forget(slot_ids)
                else:
                    slot_ids = []  # its twin has the answer, whoever has them
            async with self.queue.enter(hold, slot_ids) as waiting:
                found = await self._found(waiting)
                if isinstance(found, IntendedHold) and found.answer is None:
                    # The caller may go away; what RdvPermis answers is written down all the same.
                    return await asyncio.shield(asyncio.ensure_future(self._ask(hold, found)))
            if isinstance(found, pb.HoldSlotsResponse):
                return found
            if found is not None and found.answer is not None:
                _lines_that("refused_by_us").inc(len(found.lines))
                return found.answer

    async def _refuse_taken(
        self, hold: Hold, taken: Sequence[Slot], now: datetime
    ) -> tuple[TakenSlotsOutcome, pb.HoldSlotsResponse]:
        """Refuse slots that are taken, if our own database says so too; the answer counts in that case alone."""
        group = group_of(self._dependencies, hold, now)
        lines = lines_of_taken_slots(self._dependencies, hold, taken, now, group.id)
        answer = pb.HoldSlotsResponse(group=group_message(group, lines))
        changes = [Change(None, line) for line in lines]
        messages = events.of_changes(changes, events.person(hold.who), group.account_id)
        values = self._dependencies.outbox.values(now, messages)
        outcome = await self._refusals.submit(TakenSlotsHold(hold.command.claim(now, answer), group, lines, values))
        self._dependencies.outbox.wake_up.notify()
        if outcome is TakenSlotsOutcome.REFUSED:
            _lines_that("refused_by_us").inc(len(lines))
        return outcome, answer

    async def _found(self, waiting: Waiting) -> IntendedHold | pb.HoldSlotsResponse | None:
        """The intention, committed, or a twin's answer; what concerns this hold alone is done here, beside other batches.

        None: all its slots are taken meanwhile, or its twin is forgotten: it begins anew.
        """
        hold, dependencies = waiting.hold, self._dependencies
        try:
            found = await waiting.judged
        except Failure as failure:
            if failure.verdicts and (time := self._judge.time) is not None:
                what = ("basket.hold", "school", hold.who.school_id)
                raise await refusals.record_refusal(dependencies, hold.who, *what, failure, time.now) from None
            raise
        if isinstance(found, HoldSituation):
            async with transaction(dependencies.engine) as tx:
                return await answer_twin(tx, hold.command, found.time.now)
        if found is not None and found.basket_id is None:
            carefully = await write_carefully(dependencies, hold, found)
            if isinstance(carefully, pb.HoldSlotsResponse):
                return carefully
            found = carefully
        if found is not None:
            lines = [line for line in found.lines if line.live or line.refusal == SLOT_TAKEN]
            self.queue.intended(waiting, [line.slot for line in lines])
        return found

    async def _ask(self, hold: Hold, intended: IntendedHold) -> pb.HoldSlotsResponse:
        """Call RdvPermis and write down its answer. Where none came, lines stay asking: the reconciler reads."""
        group, lines = intended.group, intended.lines
        asking = [line for line in lines if line.state is State.ASKING]
        answers = await self._call(asking, intended.basket_id or "")
        now = intended.time.now
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
        messages = events.of_changes(moved, events.person(hold.who), group.account_id)
        known = None if any(in_doubt(line) for line in after) else response
        if not await self._written(hold, group, changes, messages, known, now):
            async with transaction(self._dependencies.engine) as tx:  # the reconciler was faster: what it found stands
                return pb.HoldSlotsResponse(group=group_message(group, await lines_of_groups(tx, [group.id])))
        return response

    async def _written(
        self,
        hold: Hold,
        group: Group,
        changes: Sequence[Change],
        messages: Sequence[Message],
        known: pb.HoldSlotsResponse | None,
        now: datetime,
    ) -> bool:
        """Write what RdvPermis' answer changed, and the answer to twins if it is known; False: a line has moved."""
        if not deltas(changes):
            values = self._dependencies.outbox.values(now, messages)
            answered = HoldAnswer(hold.command.claim(now, known), group, [change.after for change in changes], values)
            written = await self._answers.submit(answered)
            self._dependencies.outbox.wake_up.notify()
            return written
        try:
            async with transaction(self._dependencies.engine) as tx:  # counters move: the school is locked
                await write_changes(tx, self._dependencies.outbox, changes, messages, now)
                if known is not None:
                    await finish(tx, hold.command, known)
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
