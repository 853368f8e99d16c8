"""The intention of a hold: what RdvPermis is about to be asked, committed before it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket import events
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.answer import Answer, AnswerOutcome, held, refuse_all_or_nothing
from resapermis_basket.domain.line import BASKET, Change, Group, Key, Line, Refusal, State, admit, deltas
from resapermis_basket.hold.judgement import JudgedHold
from resapermis_basket.hold.queries import HoldIntention, take_prepared, write_intentions
from resapermis_basket.judgement import refusals
from resapermis_basket.line.counters import move_counters, take_counters
from resapermis_basket.line.queries import (
    Conflicts,
    find_conflicts,
    insert_group,
    insert_lines,
    keep_judgements,
    update_lines,
)
from resapermis_basket.wire import group_message
from resapermis_kit.database.idempotency import Command, begin, finish
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.batcher import Batcher

HoldRequest = Command[pb.HoldSlotsRequest, pb.HoldSlotsResponse]
"""A hold as its caller asks it."""


@dataclass(frozen=True)
class WrittenHold:
    """What was committed of a hold before RdvPermis is asked: its lines, and the prepared basket that it takes."""

    lines: Sequence[Line] = ()
    answer: pb.HoldSlotsResponse | None = None
    """Where RdvPermis is not to be asked: every line was refused, or a twin of the command had this answer."""
    basket_id: str = ""
    """RdvPermis' empty basket that was prepared for this hold, and is now its own."""


class Intentions:
    """Writes down what RdvPermis is about to be asked. Counters and indexes refuse what others were faster with."""

    def __init__(self, dependencies: Dependencies) -> None:
        """Intentions of one moment are one statement: at an opening, of many schools."""
        self._dependencies = dependencies
        self._writing: Batcher[HoldIntention, str | None] = Batcher(
            lambda batch: write_intentions(dependencies.engine, batch)
        )

    async def write(
        self, who: Principal, command: HoldRequest, group: Group, judged: JudgedHold, now: datetime
    ) -> WrittenHold:
        """At once where all of it fits; else carefully, line by line."""
        lines: Sequence[Line] = judged.lines
        if group.all_or_nothing:
            lines = refuse_all_or_nothing(lines, refusals.all_or_nothing_failed(), now)
        at_once = await self._at_once(who, command, group, judged, lines, now)
        if at_once is not None:
            return at_once
        async with transaction(self._dependencies.engine) as tx:
            answered = await begin(tx, command, now, made=group.id)
            if answered is not None:
                return WrittenHold(answer=answered)
            lines = await self._carefully(tx, who, group, judged, lines, now)
            answer = refused_answer(group, lines)
            if answer is not None:
                await finish(tx, command, answer)
            basket_id = await take_prepared(tx, who.school_id, who.account_id) if answer is None else ""
        return WrittenHold(lines, answer, basket_id)

    async def _at_once(
        self,
        who: Principal,
        command: HoldRequest,
        group: Group,
        judged: JudgedHold,
        lines: Sequence[Line],
        now: datetime,
    ) -> WrittenHold | None:
        """All or nothing, in one statement; None: nothing was written."""
        asking = [line for line in lines if line.state is State.ASKING]
        answer = refused_answer(group, lines)
        intention = HoldIntention(
            command.claim(now, answer),
            group,
            {key: (many, judged.caps[key]) for key, many in _asked(asking).items()},
            lines,
            {line.id: judged.snapshots[line.id] for line in asking if judged.snapshots[line.id]},
            self._dependencies.outbox.values(now, _messages(who, judged, lines)),
        )
        basket_id = await self._writing.submit(intention)
        if basket_id is None:
            return None
        self._dependencies.outbox.wake_up.notify()
        return WrittenHold(lines, answer, basket_id)

    async def _carefully(
        self, tx: Tx, who: Principal, group: Group, judged: JudgedHold, lines: Sequence[Line], now: datetime
    ) -> list[Line]:
        """What fits is kept, and what does not is refused with why."""
        asking = [line for line in lines if line.state is State.ASKING]
        asked = _asked(asking)
        granted = {}
        if asked:
            granted = await take_counters(tx, who.school_id, {k: (n, judged.caps[k]) for k, n in asked.items()})
        admitted, late = admit(asking, granted)
        await insert_group(tx, group)
        added = await insert_lines(tx, admitted) if admitted else set()
        await keep_judgements(tx, "hold", {line_id: judged.snapshots[line_id] for line_id in added})
        clashing = [line for line in admitted if line.id not in added]
        why = {line.id: _too_late(granted, asked) for line in late} | await _clashes(tx, clashing)
        lines = [
            held(line, Answer(AnswerOutcome.REFUSED, why[line.id]), now) if line.id in why else line for line in lines
        ]
        if group.all_or_nothing:
            lines = refuse_all_or_nothing(lines, refusals.all_or_nothing_failed(), now)
        await update_lines(tx, [line for line in lines if line.id in added and line.state is State.REFUSED])
        await insert_lines(tx, [line for line in lines if line.id not in added])
        kept = _asked(lines)
        await move_counters(tx, who.school_id, {k: kept.get(k, 0) - n for k, n in granted.items()})
        await self._dependencies.outbox.add(tx, now, *_messages(who, judged, lines))
        return list(lines)


def refused_answer(group: Group, lines: Sequence[Line]) -> pb.HoldSlotsResponse | None:
    """The whole answer where every line is refused already."""
    if any(line.state is not State.REFUSED for line in lines):
        return None
    return pb.HoldSlotsResponse(group=group_message(group, lines))


def _asked(lines: Sequence[Line]) -> dict[Key, int]:
    return deltas(Change(None, line) for line in lines)


def _messages(who: Principal, judged: JudgedHold, lines: Sequence[Line]) -> list[Message]:
    changes = [Change(None, line) for line in lines]
    return events.of_changes(changes, events.person(who), who.account_id, judged.rules)


def _too_late(granted: dict[Key, int], asked: dict[Key, int]) -> Refusal:
    full = granted.get(BASKET, 0) < asked[BASKET]
    return refusals.basket_full() if full else refusals.quota_exhausted()


async def _clashes(tx: Tx, clashing: Sequence[Line]) -> dict[UUID, Refusal]:
    """Why an index refused these lines."""
    if not clashing:
        return {}
    candidates = [line.candidate_id for line in clashing if line.candidate_id]
    taken = await find_conflicts(tx, [line.slot.id for line in clashing], candidates)
    return {line.id: _clash(line, taken) for line in clashing}


def _clash(line: Line, taken: Conflicts) -> Refusal:
    if line.slot.id in taken.slots:
        return refusals.slot_taken()
    if line.candidate_id is not None and (line.candidate_id, line.slot.category) in taken.candidates:
        return refusals.candidate_busy()
    return refusals.stored(refusals.line_resources_busy())
