"""The intention of a hold, committed before RdvPermis is asked: claim, counters, lines, what is said of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket import events, refusals, store, view
from resapermis_basket.acts import Parts, caller_key
from resapermis_basket.domain import (
    BASKET,
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
    held,
)
from resapermis_basket.judging import Judged
from resapermis_kit.database import idempotency
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.batcher import Batcher


@dataclass(frozen=True)
class Intended:
    """What was written down."""

    lines: Sequence[Line] = ()
    answer: pb.HoldSlotsResponse | None = None
    """Where RdvPermis is not to be asked: every line was refused, or a twin of the command had this answer."""
    basket_id: str = ""
    """RdvPermis' empty basket that was prepared for this hold, and is now its own."""


class Intending:
    """Writes down what RdvPermis is about to be asked. Counters and indexes refuse what others were faster with."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self._parts = parts
        self._writing: Batcher[store.Intention, str | None] = Batcher(lambda lot: store.intend(parts.engine, lot))

    async def write(
        self, who: Principal, request: pb.HoldSlotsRequest, group: store.Group, judged: Judged, now: datetime
    ) -> Intended:
        """At once where all of it fits; else carefully, line by line."""
        lines = fail_together(judged.lines, refusals.together_failed(), now) if group.together else judged.lines
        at_once = await self._at_once(who, request, group, judged, lines, now)
        if at_once is not None:
            return at_once
        async with transaction(self._parts.engine) as tx:
            earlier = await idempotency.earlier_answer(tx, caller_key(who), request, now)
            if earlier is not None:
                return Intended(answer=pb.HoldSlotsResponse.FromString(earlier))
            lines = await self._carefully(tx, who, group, judged, lines, now)
            answer = refused_answer(group, lines)
            if answer is not None:
                await idempotency.settle(tx, caller_key(who), request, answer)
            basket_id = await store.take_prepared(tx, who.school_id, who.account_id) if answer is None else ""
        return Intended(lines, answer, basket_id)

    async def _at_once(
        self,
        who: Principal,
        request: pb.HoldSlotsRequest,
        group: store.Group,
        judged: Judged,
        lines: Sequence[Line],
        now: datetime,
    ) -> Intended | None:
        """All or nothing, in one statement; None: nothing was written."""
        asking = [line for line in lines if line.state is State.ASKING]
        answer = refused_answer(group, lines)
        intention = store.Intention(
            idempotency.claim(caller_key(who), request, now, answer),
            group,
            {key: (many, judged.caps[key]) for key, many in _asked(asking).items()},
            lines,
            {line.id: judged.cases[line.id] for line in asking if judged.cases[line.id]},
            self._parts.outbox.values(now, _said(who, judged, lines)),
        )
        basket_id = await self._writing.submit(intention)
        if basket_id is None:
            return None
        self._parts.outbox.wake_up.notify()
        return Intended(lines, answer, basket_id)

    async def _carefully(
        self, tx: Tx, who: Principal, group: store.Group, judged: Judged, lines: Sequence[Line], now: datetime
    ) -> list[Line]:
        """What fits is kept, and what does not hears why."""
        asking = [line for line in lines if line.state is State.ASKING]
        asked = _asked(asking)
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
        kept = _asked(lines)
        await store.move_counts(tx, who.school_id, {k: kept.get(k, 0) - n for k, n in granted.items()})
        await self._parts.outbox.add(tx, now, *_said(who, judged, lines))
        return list(lines)


def refused_answer(group: store.Group, lines: Sequence[Line]) -> pb.HoldSlotsResponse | None:
    """The whole answer where every line is refused already."""
    if any(line.state is not State.REFUSED for line in lines):
        return None
    return pb.HoldSlotsResponse(group=view.group(group.id, group.created_at, lines))


def _asked(lines: Sequence[Line]) -> dict[Key, int]:
    return deltas(Change(None, line) for line in lines)


def _said(who: Principal, judged: Judged, lines: Sequence[Line]) -> list[Message]:
    changes = [Change(None, line) for line in lines]
    return events.said(changes, events.person(who), who.account_id, judged.rules)


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
