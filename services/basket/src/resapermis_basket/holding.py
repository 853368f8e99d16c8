"""A hold: facts, intention (committed), call, answer (committed)."""

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

from google.protobuf.message import Message
from prometheus_client import Counter

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.mandate.v1.mandate_pb2 import MandateAnswer
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket import events, refusals, store, view
from resapermis_basket.acts import (
    Parts,
    Time,
    apply,
    caller_key,
    group_view,
    look_soon,
    surely_not_done,
)
from resapermis_basket.domain import (
    LARGEST_GROUP,
    NO_REFUSAL,
    UNKNOWN,
    Answer,
    Change,
    Line,
    Outcome,
    Slot,
    State,
    deltas,
    give_back_together,
    held,
    in_doubt,
)
from resapermis_basket.intending import Intended, Intending
from resapermis_basket.judging import Judging, Situation, Wanted, parse_hold, question
from resapermis_basket.rounds import Rounds
from resapermis_basket.turns import Turns
from resapermis_kit.database import idempotency
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.batcher import Batcher

SLOT_TAKEN = refusals.slot_taken()
HOLDS = Counter("resapermis_hold_lines_total", "Lines asked for, by what became of them at once", ["outcome"])
_lines_that = functools.cache(HOLDS.labels)
MOST_REFUSED = 50
"""In one statement."""


class Holding:
    """Asks RdvPermis for what our rules and our own schools leave free."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self._parts = parts
        self._judging, self._intending = Judging(parts), Intending(parts)
        # What comes in the same moment is one statement: at an opening, of many schools.
        engine = parts.engine
        self._standing: Batcher[store.Question, store.Standing] = Batcher(lambda lot: store.standings(engine, lot))
        self._answering: Batcher[store.Answered, bool] = Batcher(lambda lot: store.answer(engine, lot))
        self._refusing: Batcher[store.Late, store.Told] = Batcher(
            lambda lot: store.refuse(engine, lot), most=MOST_REFUSED
        )
        self._turns, self._rounds = Turns(monotonic), Rounds()
        self._time: Time | None = None
        """The newest that the database said."""

    async def hold(self, who: Principal, request: pb.HoldSlotsRequest) -> pb.HoldSlotsResponse:
        """Hold one to four slots; what was obtained is kept, line by line."""
        wanted = parse_hold(request)
        slot_ids = [line.slot_id for line in wanted]
        while True:
            taken = self._seen_taken(slot_ids)
            if taken:
                answer = await self._late(who, request, wanted, taken)
                if answer is not None:
                    return answer
                self._turns.forget(slot_ids)
            async with self._parts.door.place() as place:
                async with self._turns.of(slot_ids):
                    if self._seen_taken(slot_ids):
                        continue  # somebody was faster while we waited
                    async with self._rounds.turn():
                        group, time, intended = await self._intend(who, request, wanted)
                if intended.answer is None:
                    # The caller may go away; what RdvPermis answers is written down all the same.
                    place.asking()
                    asking = self._ask(who, request, group, intended, time)
                    return await asyncio.shield(asyncio.ensure_future(asking))
            _lines_that("refused_by_us").inc(len(intended.answer.group.lines))
            return intended.answer

    def _seen_taken(self, slot_ids: Sequence[str]) -> list[Slot]:
        """The slots, if all were seen taken lately: worth a look into the database before anything else is asked."""
        slots = [slot for slot_id in slot_ids if (slot := self._turns.taken(slot_id)) is not None]
        whole = 1 <= len(slot_ids) <= min(self._parts.peers.limits.group, LARGEST_GROUP)
        return slots if whole and len(slots) == len(slot_ids) else []

    async def _late(
        self, who: Principal, request: pb.HoldSlotsRequest, wanted: Sequence[Wanted], taken: Sequence[Slot]
    ) -> pb.HoldSlotsResponse | None:
        """Refuse slots that are taken, by what our own database says; None: not all of them are."""
        if self._time is None:
            return None
        now = self._time.now
        group = self._group(who, request, now)
        lines = self._judging.late(who, wanted, taken, now, group.id)
        answer = pb.HoldSlotsResponse(group=view.group(group.id, group.created_at, lines))
        claim = idempotency.claim(caller_key(who), request, now, answer)
        changes = [Change(None, line) for line in lines]
        said = self._parts.outbox.values(now, events.said(changes, events.person(who), who.account_id))
        told = await self._refusing.submit(store.Late(claim, group, lines, said))
        self._parts.outbox.wake_up.notify()
        if told is store.Told.TWIN:
            async with self._parts.door.place():
                return await self.earlier(who, request, now)
        if told is store.Told.FREE:
            return None
        _lines_that("refused_by_us").inc(len(lines))
        return answer

    async def _intend(
        self, who: Principal, request: pb.HoldSlotsRequest, wanted: Sequence[Wanted]
    ) -> tuple[store.Group, Time, Intended]:
        """What is known, what the rules say of it, and the intention, committed."""
        situation, mandates = await self._facts(who, request, wanted)
        time = self._time = situation.time
        group = self._group(who, request, time.now)
        if situation.asked_before:
            return group, time, Intended(answer=await self.earlier(who, request, time.now))
        judged = await self._judging.judge(who, wanted, situation, mandates, group.id)
        intended = await self._intending.write(who, request, group, judged, time.now)
        for line in intended.lines:
            if line.live or line.refusal == SLOT_TAKEN:
                self._turns.took(line.slot)
        return group, time, intended

    async def earlier(self, who: Principal, request: pb.HoldSlotsRequest, now: datetime) -> pb.HoldSlotsResponse:
        """Answer a twin: what the first got, or what the reconciler found since; IN_PROGRESS until one is known."""
        try:
            async with transaction(self._parts.engine) as tx:
                answer = await idempotency.earlier_answer(tx, caller_key(who), request, now)
        except Failure as failure:
            if failure.code != Code.CODE_IN_PROGRESS:
                raise
            async with transaction(self._parts.engine) as tx:
                group = await store.group_of_request(tx, caller_key(who), request.request_id)
                lines = await store.of_groups(tx, [group.id]) if group is not None else []
            if group is None or any(line.state is State.ASKING for line in lines):
                raise
            return pb.HoldSlotsResponse(group=view.group(group.id, group.created_at, lines))
        if answer is None:  # pruned between the two looks
            raise Failure(Code.CODE_STALE, "this request id was forgotten just now; ask again")
        return pb.HoldSlotsResponse.FromString(answer)

    async def _facts(
        self, who: Principal, request: pb.HoldSlotsRequest, wanted: Sequence[Wanted]
    ) -> tuple[Situation, list[MandateAnswer]]:
        """Our own facts and mandate's, side by side. A twin is answered although mandate may be away."""
        asked = asyncio.ensure_future(self._mandates(wanted))
        try:
            situation = await self._situation(who, request, wanted)
            return situation, [] if situation.asked_before else await asked
        finally:
            if not asked.done():
                asked.cancel()
            elif not asked.cancelled():
                asked.exception()  # heard, whether or not it mattered

    async def _mandates(self, wanted: Sequence[Wanted]) -> list[MandateAnswer]:
        return await self._parts.peers.mandates([(str(line.candidate_id), "") for line in wanted if line.candidate_id])

    async def _situation(self, who: Principal, request: pb.HoldSlotsRequest, wanted: Sequence[Wanted]) -> Situation:
        found = await self._standing.submit(question(who, wanted, idempotency.request_id_of(request)))
        return Situation(Time(found.now), found.asked_before, found.counted, found.conflicts, found.words)

    def _group(self, who: Principal, request: pb.HoldSlotsRequest, now: datetime) -> store.Group:
        return store.Group(
            id=self._parts.new_id(),
            school_id=who.school_id,
            account_id=who.account_id,
            session_id=who.session_id,
            together=request.all_or_nothing,
            request_caller=caller_key(who),
            request_id=request.request_id,
            created_at=now,
        )

    async def _ask(
        self, who: Principal, request: pb.HoldSlotsRequest, group: store.Group, intended: Intended, time: Time
    ) -> pb.HoldSlotsResponse:
        """Call RdvPermis and write down its answer. Where none came, lines stay asking: the reconciler reads."""
        lines = intended.lines
        asking = [line for line in lines if line.state is State.ASKING]
        answers = await self._answers(asking, intended.basket_id)
        now = time.now
        after = [held(line, answers.get(line.slot.id, UNKNOWN), now) for line in asking]
        if group.together:
            after = give_back_together(after, refusals.together_failed(), now)
        after = [replace(line, next_look_at=look_soon(self._parts, now)) if in_doubt(line) else line for line in after]
        changes = [Change(before, line) for before, line in zip(asking, after, strict=True)]
        for line in after:
            _lines_that(line.state).inc()
        shown = {line.id: line for line in lines} | {line.id: line for line in after}
        response = pb.HoldSlotsResponse(group=view.group(group.id, group.created_at, list(shown.values())))
        moved = [change for change in changes if change.after.state is not State.ASKING]
        messages = events.said(moved, events.person(who), who.account_id)
        known = None if any(in_doubt(line) for line in after) else response
        if not await self._written(who, request, group, changes, messages, known, now):
            async with transaction(self._parts.engine) as tx:  # the reconciler was faster: what it found stands
                return pb.HoldSlotsResponse(group=await group_view(tx, group))
        return response

    async def _written(
        self,
        who: Principal,
        request: pb.HoldSlotsRequest,
        group: store.Group,
        changes: Sequence[Change],
        messages: Sequence[Message],
        known: pb.HoldSlotsResponse | None,
        now: datetime,
    ) -> bool:
        """Write what RdvPermis' answer changed, and the answer to twins if it is known; False: a line has moved."""
        if not deltas(changes):
            said = self._parts.outbox.values(now, messages)
            claim = idempotency.claim(caller_key(who), request, now, known)
            answered = store.Answered(claim, group, [change.after for change in changes], said)
            written = await self._answering.submit(answered)
            self._parts.outbox.wake_up.notify()
            return written
        try:
            async with transaction(self._parts.engine) as tx:  # counters move: in the school's turn
                await apply(tx, self._parts, changes, messages, now)
                if known is not None:
                    await idempotency.settle(tx, caller_key(who), request, known)
        except Failure as failure:
            if failure.code != Code.CODE_STALE:
                raise
            return False
        return True

    async def _answers(self, asking: Sequence[Line], basket_id: str) -> dict[str, Answer]:
        request = rdv.HoldSlotsRequest(
            slots=[
                rdv.HoldSlot(slot_id=line.slot.id, rdvpermis_candidate_id=line.rdvpermis_candidate_id)
                for line in asking
            ],
            basket_id=basket_id,
        )
        try:
            said = await self._parts.peers.rdvpermis("HoldSlots", request)
        except Failure as failure:
            if not surely_not_done(failure):
                return {}
            return {line.slot.id: Answer(Outcome.REFUSED, refusals.keep(failure)) for line in asking}
        return {result.slot_id: answer_of(result, said) for result in said.results}


def answer_of(result: rdv.HoldResult, said: rdv.HoldSlotsResponse) -> Answer:
    """RdvPermis' answer about one slot of a hold."""
    if result.outcome == rdv.HoldResult.OUTCOME_REFUSED:
        refusal = refusals.keep(refusals.of_rdvpermis(result.code, result.rdvpermis_code))
        return Answer(Outcome.REFUSED, refusal)
    if result.outcome != rdv.HoldResult.OUTCOME_HELD:
        return Answer(Outcome.UNKNOWN, basket_id=said.basket_id)
    refusal = NO_REFUSAL
    if result.naming_code:
        refusal = refusals.keep(refusals.of_rdvpermis(result.naming_refusal, result.naming_code))
    return Answer(
        Outcome.DONE,
        refusal,
        named=None if result.naming_unknown else not result.naming_code,
        basket_id=said.basket_id,
        expires_at=said.expires_at.ToDatetime(UTC) if said.HasField("expires_at") else None,
    )
