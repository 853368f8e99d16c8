"""Changes of one line: name, release, cancel, replace. Intention (committed), call, answer (committed)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from resapermis_basket import events, store
from resapermis_basket.acts import (
    Parts,
    Time,
    apply,
    caller_key,
    look_after_call,
    look_soon,
    surely_not_done,
)
from resapermis_basket.domain import Change, Changing, Key, Line, intend, settled
from resapermis_kit import once
from resapermis_kit.auth import Principal
from resapermis_kit.db import transaction
from resapermis_kit.errors import Code, Failure

R = TypeVar("R", bound=Message)


@dataclass(frozen=True)
class Situation:
    """A line as our database has it."""

    time: Time
    asked_before: bool
    line: Line
    counted: dict[Key, int]
    conflicts: store.Conflicts


@dataclass(frozen=True)
class Ask:
    """One change that RdvPermis is asked for."""

    changing: Changing
    method: str
    request: Message
    done: Callable[[Line, datetime], Sequence[Change]]
    """What changes once it is done, the line that answers last; given the line with the intention on it."""
    done_words: frozenset[str] = frozenset()
    """Refusals of theirs which say that it is so already."""
    wanted_candidate_id: UUID | None = None
    wanted_rdvpermis_id: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    """More for the journal; never personal."""


class LineActs:
    """What the changes of one line have in common."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self.parts = parts

    async def situation(
        self, who: Principal, request: Any, line_id: UUID, candidate_id: UUID | None = None
    ) -> Situation:
        """Read the line; NOT_FOUND when it is not the school's."""
        async with transaction(self.parts.engine) as tx:
            time = Time(await store.now(tx))
            line = await store.line(tx, who.school_id, line_id)
            if line is None:
                raise Failure(Code.CODE_NOT_FOUND, "no such line")
            return Situation(
                time,
                await store.was_asked(tx, caller_key(who), request.request_id),
                line,
                await store.counted(tx, who.school_id),
                await store.conflicts(tx, [], [candidate_id] if candidate_id else []),
            )

    async def earlier(self, who: Principal, request: Any, situation: Situation, show: Callable[[Line], R]) -> R:
        """Answer a twin (`show` makes the response from the line): what the first got, or the line as found since; IN_PROGRESS until that is known."""
        try:
            async with transaction(self.parts.engine) as tx:
                answer = await once.earlier_answer(tx, caller_key(who), request, situation.time.now)
        except Failure as failure:
            if failure.code != Code.CODE_IN_PROGRESS or situation.line.changing:
                raise
            async with transaction(self.parts.engine) as tx:
                newest = await store.newest(tx, situation.line)
            return show(newest)
        if answer is None:  # pruned between the two looks
            raise Failure(Code.CODE_STALE, "this request id was forgotten just now; ask again")
        return type(show(situation.line)).FromString(answer)

    async def act(self, who: Principal, request: Any, situation: Situation, ask: Ask, show: Callable[[Line], R]) -> R:
        """Write down the intention, ask, write down the answer."""
        now = situation.time.now
        intended = replace(
            intend(situation.line, ask.changing, look_after_call(self.parts, now)),
            wanted_candidate_id=ask.wanted_candidate_id,
            wanted_rdvpermis_id=ask.wanted_rdvpermis_id,
        )
        change = Change(situation.line, intended)
        async with transaction(self.parts.engine) as tx:
            answer = await once.earlier_answer(tx, caller_key(who), request, now)
            if answer is not None:
                return type(show(intended)).FromString(answer)
            await store.lock_school(tx, who.school_id)
            if ask.wanted_candidate_id is not None:
                await self._reserve(tx, situation.line, ask.wanted_candidate_id)
            messages = events.said([change], events.person(who), who.account_id, facts=ask.facts)
            (written,) = await apply(tx, self.parts, [change], messages, now)
        # The caller may go away; what RdvPermis answers is written down all the same.
        return await asyncio.shield(asyncio.ensure_future(self._ask(who, request, situation, ask, written, show)))

    async def _reserve(self, tx: Any, line: Line, candidate_id: UUID) -> None:
        """In the school's turn: nobody else has or wants the candidate."""
        taken = await store.conflicts(tx, [], [candidate_id])
        if line.candidate_id != candidate_id and (candidate_id, line.slot.category) in taken.candidates:
            raise Failure(Code.CODE_CANDIDATE_BUSY, "the candidate is on another line or booked already")

    async def _ask(
        self, who: Principal, request: Any, situation: Situation, ask: Ask, line: Line, show: Callable[[Line], R]
    ) -> R:
        refusal = await self._refusal(ask)
        now, known = situation.time.now, refusal is None or surely_not_done(refusal)
        changes: Sequence[Change] = [Change(line, replace(line, next_look_at=look_soon(self.parts, now)))]
        messages: list[Message] = []
        if refusal is None:
            changes = ask.done(line, now)
            messages = events.said(changes, events.person(who), who.account_id, facts=ask.facts)
        elif known:
            changes = [Change(line, settled(line))]
            messages = [events.told(changes[0], who.account_id), _refused(who, line, refusal)]
        response = show(changes[-1].after)
        try:
            async with transaction(self.parts.engine) as tx:
                await apply(tx, self.parts, changes, messages, now)
                if refusal is None:
                    await once.settle(tx, caller_key(who), request, response)
                elif known:
                    await store.forget_request(tx, caller_key(who), request.request_id)
        except Failure as failure:
            if failure.code != Code.CODE_STALE:
                raise
            async with transaction(self.parts.engine) as tx:  # a worker was faster: what it found stands
                return show(await store.newest(tx, line))
        if refusal is not None and known:
            raise refusal
        return response

    async def _refusal(self, ask: Ask) -> Failure | None:
        """Ask RdvPermis once; return why not, None when it is done."""
        try:
            await self.parts.peers.rdvpermis(ask.method, ask.request)
        except Failure as failure:
            return None if failure.rdvpermis_code in ask.done_words else failure
        return None


def _refused(who: Principal, line: Line, failure: Failure) -> Message:
    word, _ = events.act(Change(line, settled(line)))
    return events.refused_attempt(events.person(who), who.school_id, word, "line", str(line.id), [], failure.name)
