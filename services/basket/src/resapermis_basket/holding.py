"""A hold: facts, intention (committed), call, answer (committed)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

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
    BASKET,
    NO_REFUSAL,
    UNKNOWN,
    Answer,
    Change,
    Key,
    Line,
    Outcome,
    Refusal,
    State,
    admit,
    deltas,
    fail_together,
    give_back_together,
    held,
    in_doubt,
)
from resapermis_basket.judging import Judged, Judging, Situation, Wanted, parse_hold
from resapermis_kit import once
from resapermis_kit.auth import Principal
from resapermis_kit.db import Tx, transaction
from resapermis_kit.errors import Code, Failure

HOLDS = Counter("resapermis_hold_lines_total", "Lines asked for, by what became of them at once", ["outcome"])


class Holding:
    """Asks RdvPermis for what our rules and our own schools leave free."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self._parts = parts
        self._judging = Judging(parts)

    async def hold(self, who: Principal, request: pb.HoldSlotsRequest) -> pb.HoldSlotsResponse:
        """Hold one to four slots; what was obtained is kept, line by line."""
        wanted = parse_hold(request)
        situation, mandates = await self._facts(who, request, wanted)
        if situation.asked_before:
            return await self.earlier(who, request, situation.time.now)
        judged = await self._judging.judge(who, wanted, situation, mandates)
        group = self._group(who, request, situation.time.now)
        judged = replace(judged, lines=[replace(line, group_id=group.id) for line in judged.lines])
        async with transaction(self._parts.engine) as tx:
            answer = await once.earlier_answer(tx, caller_key(who), request, situation.time.now)
            if answer is not None:
                return pb.HoldSlotsResponse.FromString(answer)
            lines = await self._intend(tx, who, group, judged, situation.time.now)
            response = pb.HoldSlotsResponse(group=view.group(group.id, group.created_at, lines))
            if all(line.state is State.REFUSED for line in lines):
                await once.settle(tx, caller_key(who), request, response)
        if all(line.state is State.REFUSED for line in lines):
            HOLDS.labels("refused_by_us").inc(len(lines))
            return response
        # The caller may go away; what RdvPermis answers is written down all the same.
        return await asyncio.shield(asyncio.ensure_future(self._ask(who, request, group, lines, situation.time)))

    async def earlier(self, who: Principal, request: pb.HoldSlotsRequest, now: datetime) -> pb.HoldSlotsResponse:
        """Answer a twin: what the first got, or what the reconciler found since; IN_PROGRESS until one is known."""
        try:
            async with transaction(self._parts.engine) as tx:
                answer = await once.earlier_answer(tx, caller_key(who), request, now)
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
        named = [(str(line.candidate_id), "") for line in wanted if line.candidate_id]
        situation, mandates = await asyncio.gather(
            self._situation(who, request, wanted), self._parts.peers.mandates(named), return_exceptions=True
        )
        if isinstance(situation, BaseException):
            raise situation
        if isinstance(mandates, BaseException):
            if not situation.asked_before:
                raise mandates
            mandates = []
        return situation, mandates

    async def _situation(self, who: Principal, request: pb.HoldSlotsRequest, wanted: Sequence[Wanted]) -> Situation:
        candidates = [line.candidate_id for line in wanted if line.candidate_id]
        async with transaction(self._parts.engine) as tx:
            now = Time(await store.now(tx))
            return Situation(
                now,
                await store.was_asked(tx, caller_key(who), request.request_id),
                await store.counted(tx, who.school_id),
                await store.conflicts(tx, [line.slot_id for line in wanted], candidates),
            )

    def _group(self, who: Principal, request: pb.HoldSlotsRequest, now: datetime) -> store.Group:
        return store.Group(
            id=self._parts.new_id(),
            school_id=who.school_id,
            account_id=who.account_id,
            session_id=who.session_id,
            together=request.together,
            request_caller=caller_key(who),
            request_id=request.request_id,
            created_at=now,
        )

    async def _intend(self, tx: Tx, who: Principal, group: store.Group, judged: Judged, now: datetime) -> list[Line]:
        """Write down what RdvPermis is about to be asked. Counters and indexes refuse what others were faster with."""
        lines = fail_together(judged.lines, refusals.together_failed(), now) if group.together else judged.lines
        asking = [line for line in lines if line.state is State.ASKING]
        asked = deltas(Change(None, line) for line in asking)
        granted = {}
        if asked:
            granted = await store.count(tx, who.school_id, {k: (n, judged.caps[k]) for k, n in asked.items()})
        admitted, late = admit(asking, granted)
        await store.add_group(tx, group)
        added = await store.add(tx, admitted) if admitted else set()
        await store.keep_judgements(tx, "hold", {line_id: judged.cases[line_id] for line_id in added})
        clashing = [line for line in admitted if line.id not in added]
        why = {line.id: _too_late(granted, asked) for line in late} | await _clashes(tx, clashing)
        lines = [held(line, Answer(Outcome.REFUSED, why[line.id]), now) if line.id in why else line for line in lines]
        if group.together:
            lines = fail_together(lines, refusals.together_failed(), now)
        await store.save(tx, [line for line in lines if line.id in added and line.state is State.REFUSED])
        await store.add(tx, [line for line in lines if line.id not in added])
        kept = deltas(Change(None, line) for line in lines)
        await store.move_counts(tx, who.school_id, {k: kept.get(k, 0) - n for k, n in granted.items()})
        changes = [Change(None, line) for line in lines]
        await self._parts.outbox.add(tx, now, *events.said(changes, events.person(who), who.account_id, judged.rules))
        return lines

    async def _ask(
        self, who: Principal, request: pb.HoldSlotsRequest, group: store.Group, lines: list[Line], time: Time
    ) -> pb.HoldSlotsResponse:
        """Call RdvPermis and write down its answer. Where none came, lines stay asking: the reconciler reads."""
        asking = [line for line in lines if line.state is State.ASKING]
        answers = await self._answers(asking)
        now = time.now
        after = [held(line, answers.get(line.slot.id, UNKNOWN), now) for line in asking]
        if group.together:
            after = give_back_together(after, refusals.together_failed(), now)
        after = [replace(line, next_look_at=look_soon(self._parts, now)) if in_doubt(line) else line for line in after]
        changes = [Change(before, line) for before, line in zip(asking, after, strict=True)]
        for line in after:
            HOLDS.labels(line.state).inc()
        shown = {line.id: line for line in lines} | {line.id: line for line in after}
        response = pb.HoldSlotsResponse(group=view.group(group.id, group.created_at, list(shown.values())))
        moved = [change for change in changes if change.after.state is not State.ASKING]
        messages = events.said(moved, events.person(who), who.account_id)
        try:
            async with transaction(self._parts.engine) as tx:
                await apply(tx, self._parts, changes, messages, now)
                if not any(in_doubt(line) for line in after):
                    await once.settle(tx, caller_key(who), request, response)
        except Failure as failure:
            if failure.code != Code.CODE_STALE:
                raise
            async with transaction(self._parts.engine) as tx:  # the reconciler was faster: what it found stands
                return pb.HoldSlotsResponse(group=await group_view(tx, group))
        return response

    async def _answers(self, asking: Sequence[Line]) -> dict[str, Answer]:
        request = rdv.HoldSlotsRequest(
            slots=[
                rdv.HoldSlot(slot_id=line.slot.id, rdvpermis_candidate_id=line.rdvpermis_candidate_id)
                for line in asking
            ]
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


def _too_late(granted: dict[Key, int], asked: dict[Key, int]) -> Refusal:
    full = granted.get(BASKET, 0) < asked[BASKET]
    return refusals.basket_full() if full else refusals.quota_exhausted()


async def _clashes(tx: Tx, clashing: Sequence[Line]) -> dict[UUID, Refusal]:
    """Why an index refused these lines."""
    if not clashing:
        return {}
    candidates = [line.candidate_id for line in clashing if line.candidate_id]
    taken = await store.conflicts(tx, [line.slot.id for line in clashing], candidates)
    return {line.id: _clash(line, taken) for line in clashing}


def _clash(line: Line, taken: store.Conflicts) -> Refusal:
    if line.slot.id in taken.slots:
        return refusals.slot_taken()
    if line.candidate_id is not None and (line.candidate_id, line.slot.category) in taken.candidates:
        return refusals.candidate_busy()
    return refusals.keep(refusals.accompaniment_busy())
