"""The intention of a hold: what RdvPermis is about to be asked, committed before it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket import events
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.answer import Answer, AnswerOutcome, held, refuse_all_or_nothing
from resapermis_basket.domain.line import BASKET, Change, Group, Key, Line, Refusal, State, admit, deltas
from resapermis_basket.hold.judgement import Hold, JudgedHold
from resapermis_basket.hold.queries import HoldIntention, take_prepared
from resapermis_basket.judgement import refusals
from resapermis_basket.line.counters import move_counters, take_counters
from resapermis_basket.line.queries import (
    ActTime,
    Conflicts,
    find_conflicts,
    insert_group,
    insert_lines,
    keep_judgements,
    update_lines,
)
from resapermis_basket.wire import group_message
from resapermis_kit.database.idempotency import begin, finish
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.rpc.auth import Principal


@dataclass(frozen=True)
class IntendedHold:
    """What RdvPermis is about to be asked for a hold, or that it is not."""

    group: Group
    time: ActTime
    judged: JudgedHold
    lines: Sequence[Line]
    answer: pb.HoldSlotsResponse | None
    """Where RdvPermis is not to be asked, because every line was refused."""
    basket_id: str | None = None
    """RdvPermis' empty basket that was prepared for this hold ("" without one); None: nothing is committed yet."""


def group_of(dependencies: Dependencies, hold: Hold, now: datetime) -> Group:
    """The booking action that a hold opens."""
    return Group(
        id=dependencies.new_id(),
        school_id=hold.who.school_id,
        account_id=hold.who.account_id,
        session_id=hold.who.session_id,
        all_or_nothing=hold.command.request.all_or_nothing,
        request_caller=hold.command.caller,
        request_id=hold.command.request_id,
        created_at=now,
    )


def intend(
    dependencies: Dependencies, hold: Hold, group: Group, time: ActTime, judged: JudgedHold
) -> tuple[IntendedHold, HoldIntention]:
    """The intention of a hold that was judged, and what `write_intentions` takes of it, to write all of it or nothing."""
    now = time.now
    lines: Sequence[Line] = judged.lines
    if group.all_or_nothing:
        lines = refuse_all_or_nothing(lines, refusals.all_or_nothing_failed(), now)
    answer = _refused(group, lines)
    asking = [line for line in lines if line.state is State.ASKING]
    whole = HoldIntention(
        hold.command.claim(now, answer),
        group,
        {key: (many, judged.caps[key]) for key, many in _asked(asking).items()},
        lines,
        {line.id: judged.snapshots[line.id] for line in asking if judged.snapshots[line.id]},
        dependencies.outbox.values(now, _messages(hold.who, judged, lines)),
    )
    return IntendedHold(group, time, judged, lines, answer), whole


async def write_carefully(
    dependencies: Dependencies, hold: Hold, intended: IntendedHold
) -> IntendedHold | pb.HoldSlotsResponse:
    """Write, line by line, what did not fit as a whole: what fits is kept, and what does not is refused with why.

    Or the answer of a twin, if one was here.
    """
    group, now = intended.group, intended.time.now
    async with transaction(dependencies.engine) as tx:
        answer = await begin(tx, hold.command, now, made=group.id)
        if answer is not None:
            return answer
        lines = await _carefully(dependencies, tx, hold.who, intended)
        answer = _refused(group, lines)
        if answer is not None:
            await finish(tx, hold.command, answer)
        basket_id = await take_prepared(tx, group.school_id, group.account_id) if answer is None else ""
    return replace(intended, lines=lines, answer=answer, basket_id=basket_id)


async def _carefully(dependencies: Dependencies, tx: Tx, who: Principal, intended: IntendedHold) -> list[Line]:
    group, judged, now = intended.group, intended.judged, intended.time.now
    asking = [line for line in intended.lines if line.state is State.ASKING]
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
        held(line, Answer(AnswerOutcome.REFUSED, why[line.id]), now) if line.id in why else line
        for line in intended.lines
    ]
    if group.all_or_nothing:
        lines = refuse_all_or_nothing(lines, refusals.all_or_nothing_failed(), now)
    await update_lines(tx, [line for line in lines if line.id in added and line.state is State.REFUSED])
    await insert_lines(tx, [line for line in lines if line.id not in added])
    kept = _asked(lines)
    await move_counters(tx, who.school_id, {k: kept.get(k, 0) - n for k, n in granted.items()})
    await dependencies.outbox.add(tx, now, *_messages(who, judged, lines))
    return list(lines)


def _refused(group: Group, lines: Sequence[Line]) -> pb.HoldSlotsResponse | None:
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
