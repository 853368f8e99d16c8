"""Changes of a line, or of two that change places. Intention (committed), call, answer (committed)."""

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
from resapermis_kit.database import idempotency
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal

R = TypeVar("R", bound=Message)
Show = Callable[[Sequence[Line]], R]
"""Makes a response from lines as they stand after the act."""


@dataclass(frozen=True)
class Situation:
    """A line (and the one it would change places with) as our database has it."""

    time: Time
    asked_before: bool
    line: Line
    counted: dict[Key, int]
    conflicts: store.Conflicts
    partner: Line | None = None

    @property
    def lines(self) -> list[Line]:
        """The line, and its partner where there is one."""
        return [self.line] if self.partner is None else [self.line, self.partner]


@dataclass(frozen=True)
class Wish:
    """Whom a change would put on a line; reserved from the intention on."""

    candidate_id: UUID | None = None
    rdvpermis_id: str = ""


@dataclass(frozen=True)
class Ask:
    """One change that RdvPermis is asked for, of the lines of a situation in their order."""

    changing: Changing
    method: str
    request: Message
    done: Callable[[Sequence[Line], datetime], Sequence[Change]]
    """What changes once it is done, the lines that answer last; given the lines with the intention on them."""
    done_words: frozenset[str] = frozenset()
    """Refusals of theirs which say that it is so already."""
    wishes: Sequence[Wish] = (Wish(),)
    """One a line."""
    cases: Mapping[UUID, bytes] = field(default_factory=dict)
    """What the rules looked at, by line; kept with the line that comes of it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """More for the journal; never personal."""


class LineActs:
    """What the changes of one line have in common."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self.parts = parts

    async def situation(
        self,
        who: Principal,
        request: Any,
        line_id: UUID,
        candidate_id: UUID | None = None,
        partner_id: UUID | None = None,
    ) -> Situation:
        """Read the line, and its partner; NOT_FOUND when one is not the school's."""
        async with transaction(self.parts.engine) as tx:
            time = Time(await store.now(tx))
            line = await store.line(tx, who.school_id, line_id)
            partner = await store.line(tx, who.school_id, partner_id) if partner_id is not None else None
            if line is None or (partner is None and partner_id is not None):
                raise Failure(Code.CODE_NOT_FOUND, "no such line")
            return Situation(
                time,
                await store.was_asked(tx, caller_key(who), getattr(request, "request_id", "")),
                line,
                await store.counted(tx, who.school_id),
                await store.conflicts(tx, [], [candidate_id] if candidate_id else []),
                partner,
            )

    async def earlier(self, who: Principal, request: Any, situation: Situation, show: Show[R]) -> R:
        """Answer a twin: what the first got, or the lines as found since; IN_PROGRESS until that is known."""
        try:
            async with transaction(self.parts.engine) as tx:
                answer = await idempotency.earlier_answer(tx, caller_key(who), request, situation.time.now)
        except Failure as failure:
            if failure.code != Code.CODE_IN_PROGRESS or any(line.changing for line in situation.lines):
                raise
            return show(await self._newest(situation.lines))
        if answer is None:  # pruned between the two looks
            raise Failure(Code.CODE_STALE, "this request id was forgotten just now; ask again")
        return type(show(situation.lines)).FromString(answer)

    async def _newest(self, lines: Sequence[Line]) -> list[Line]:
        async with transaction(self.parts.engine) as tx:
            return [await store.newest(tx, line) for line in lines]

    async def act(self, who: Principal, request: Any, situation: Situation, ask: Ask, show: Show[R]) -> R:
        """Write down the intention, ask, write down the answer (`show` makes the response from the lines)."""
        now, lines = situation.time.now, situation.lines
        look_at = look_after_call(self.parts, now)
        intended = [
            replace(
                intend(line, ask.changing, look_at),
                wanted_candidate_id=wish.candidate_id,
                wanted_rdvpermis_id=wish.rdvpermis_id,
                partner_id=partner.id if partner is not line else None,
            )
            for line, wish, partner in zip(lines, ask.wishes, reversed(lines), strict=True)
        ]
        changes = [Change(line, after) for line, after in zip(lines, intended, strict=True)]
        async with transaction(self.parts.engine) as tx:
            answer = await idempotency.earlier_answer(tx, caller_key(who), request, now)
            if answer is not None:
                return type(show(intended)).FromString(answer)
            await store.lock_school(tx, who.school_id)
            await self._reserve(tx, lines, ask.wishes)
            messages = events.said(changes, events.person(who), who.account_id, facts=ask.facts)
            written = {line.id: line for line in await apply(tx, self.parts, changes, messages, now)}
            await store.keep_judgements(tx, ask.changing, ask.cases)
        # The caller may go away; what RdvPermis answers is written down all the same.
        asking = self._ask(who, request, situation.time, ask, [written[line.id] for line in lines], show)
        return await asyncio.shield(asyncio.ensure_future(asking))

    async def _reserve(self, tx: Any, lines: Sequence[Line], wishes: Sequence[Wish]) -> None:
        """In the school's turn: nobody but these lines has or wants the candidates."""
        theirs = {line.candidate_id for line in lines} | {None}
        new = [wish.candidate_id for wish in wishes if wish.candidate_id not in theirs]
        taken = await store.conflicts(tx, [], [candidate for candidate in new if candidate]) if new else None
        if taken is not None and any((who, lines[0].slot.category) in taken.candidates for who in new):
            raise Failure(Code.CODE_CANDIDATE_BUSY, "the candidate is on another line or booked already")

    async def _ask(self, who: Principal, request: Any, time: Time, ask: Ask, lines: Sequence[Line], show: Show[R]) -> R:
        refusal = await self._refusal(ask)
        now, known = time.now, refusal is None or surely_not_done(refusal)
        soon = look_soon(self.parts, now)
        changes: Sequence[Change] = [Change(line, replace(line, next_look_at=soon)) for line in lines]
        messages: list[Message] = []
        if refusal is None:
            changes = ask.done(lines, now)
            messages = events.said(changes, events.person(who), who.account_id, facts=ask.facts)
        elif known:
            changes = [Change(line, settled(line)) for line in lines]
            messages = [events.told(change, who.account_id) for change in changes]
            messages += [_refused(who, line, refusal) for line in lines]
        response = show([change.after for change in changes])
        try:
            async with transaction(self.parts.engine) as tx:
                await apply(tx, self.parts, changes, messages, now)
                if refusal is None:
                    await idempotency.settle(tx, caller_key(who), request, response)
                elif known:
                    await store.forget_request(tx, caller_key(who), request.request_id)
        except Failure as failure:
            if failure.code != Code.CODE_STALE:
                raise
            return show(await self._newest(lines))  # a worker was faster: what it found stands
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
