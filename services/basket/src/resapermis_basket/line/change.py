"""A change of a line, or of two that change places: intention (committed), call, answer (committed)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from resapermis_basket import events
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Change, Changing, Key, Line, begin_change, settled
from resapermis_basket.line.counters import lock_school, read_counters
from resapermis_basket.line.queries import (
    ActTime,
    Conflicts,
    database_now,
    find_conflicts,
    find_line,
    keep_judgements,
    newest_line,
    write_changes,
)
from resapermis_basket.wire import caller_key
from resapermis_kit.database.idempotency import Command, abandon, answer_twin, begin, finish
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.peers import may_have_acted

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)
Show = Callable[[Sequence[Line]], R]
"""Makes a response from lines as they stand after the act."""


@dataclass(frozen=True)
class LineSituation:
    """A line (and the one it would change places with) as our database has it."""

    time: ActTime
    line: Line
    counted: dict[Key, int]
    conflicts: Conflicts
    partner: Line | None = None

    @property
    def lines(self) -> list[Line]:
        """The line, and its partner where there is one."""
        return [self.line] if self.partner is None else [self.line, self.partner]


@dataclass(frozen=True)
class WantedCandidate:
    """Whom a change would put on a line; reserved from the intention on."""

    candidate_id: UUID | None = None
    rdvpermis_id: str = ""


@dataclass(frozen=True)
class LineChange:
    """One change that RdvPermis is asked for, of the lines of a situation in their order."""

    changing: Changing
    method: str
    request: Message
    done: Callable[[Sequence[Line], datetime], Sequence[Change]]
    """What changes once it is done, the lines that answer last; given the lines with the intention on them."""
    done_codes: frozenset[str] = frozenset()
    """Refusals of RdvPermis which say that it is so already."""
    wanted: Sequence[WantedCandidate] = (WantedCandidate(),)
    """One a line."""
    snapshots: Mapping[UUID, bytes] = field(default_factory=dict)
    """What the rules looked at, by line; kept with the line that comes of it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """More for the journal; never personal."""


def line_command(who: Principal, request: Q, answer: type[R], show: Show[R], *line_ids: UUID) -> Command[Q, R]:
    """A command about these lines of the caller's school. A twin is shown them as they are, once nothing is asked of them."""

    async def as_found(tx: Tx, _: UUID) -> R | None:
        lines = await _find_lines(tx, who.school_id, line_ids)
        if any(line.changing for line in lines):
            return None
        return show([await newest_line(tx, line) for line in lines])

    return Command(caller_key(who), request, answer, as_found)


async def read_line_situation(
    dependencies: Dependencies,
    who: Principal,
    command: Command[Any, R] | None,
    *line_ids: UUID,
    candidate_id: UUID | None = None,
) -> tuple[LineSituation, R | None]:
    """Read the line, and its partner (NOT_FOUND when one is not the school's); and the answer, where a twin was here before."""
    async with transaction(dependencies.engine) as tx:
        time = ActTime(await database_now(tx))
        lines = await _find_lines(tx, who.school_id, line_ids)
        answered = await answer_twin(tx, command, time.now) if command is not None else None
        situation = LineSituation(
            time,
            lines[0],
            await read_counters(tx, who.school_id),
            await find_conflicts(tx, [], [candidate_id] if candidate_id else []),
            lines[1] if len(lines) > 1 else None,
        )
        return situation, answered


async def _find_lines(tx: Tx, school_id: str, line_ids: Sequence[UUID]) -> list[Line]:
    found = [await find_line(tx, school_id, line_id) for line_id in line_ids]
    lines = [line for line in found if line is not None]
    if len(lines) < len(found):
        raise Failure(Code.CODE_NOT_FOUND, "no such line")
    return lines


async def change_lines(
    dependencies: Dependencies,
    who: Principal,
    command: Command[Any, R],
    situation: LineSituation,
    wish: LineChange,
    show: Show[R],
) -> R:
    """Write down the intention, ask RdvPermis, write down its answer (`show` makes the response from the lines)."""
    now, lines = situation.time.now, situation.lines
    poll_at = dependencies.poll_after_call(now)
    intended = [
        replace(
            begin_change(line, wish.changing, poll_at),
            wanted_candidate_id=wanted.candidate_id,
            wanted_rdvpermis_id=wanted.rdvpermis_id,
            partner_id=partner.id if partner is not line else None,
        )
        for line, wanted, partner in zip(lines, wish.wanted, reversed(lines), strict=True)
    ]
    changes = [Change(line, after) for line, after in zip(lines, intended, strict=True)]
    async with transaction(dependencies.engine) as tx:
        answered = await begin(tx, command, now, made=situation.line.id)
        if answered is not None:
            return answered
        await lock_school(tx, who.school_id)
        await _reserve(tx, lines, wish.wanted)
        messages = events.of_changes(changes, events.person(who), who.account_id, facts=wish.facts)
        written = {line.id: line for line in await write_changes(tx, dependencies.outbox, changes, messages, now)}
        await keep_judgements(tx, wish.changing, wish.snapshots)
    # The caller may go away; what RdvPermis answers is written down all the same.
    asked = [written[line.id] for line in lines]
    asking = _ask(dependencies, who, command, situation.time, wish, asked, show)
    return await asyncio.shield(asyncio.ensure_future(asking))


async def _reserve(tx: Tx, lines: Sequence[Line], wanted: Sequence[WantedCandidate]) -> None:
    """The school is locked: nobody but these lines has or wants the candidates."""
    theirs = {line.candidate_id for line in lines} | {None}
    new = [one.candidate_id for one in wanted if one.candidate_id not in theirs]
    taken = await find_conflicts(tx, [], [candidate for candidate in new if candidate]) if new else None
    if taken is not None and any((who, lines[0].slot.category) in taken.candidates for who in new):
        raise Failure(Code.CODE_CANDIDATE_BUSY, "the candidate is on another line or booked already")


async def _ask(
    dependencies: Dependencies,
    who: Principal,
    command: Command[Any, R],
    time: ActTime,
    wish: LineChange,
    lines: Sequence[Line],
    show: Show[R],
) -> R:
    refusal = await _refusal(dependencies, wish)
    now, known = time.now, refusal is None or not may_have_acted(refusal)
    soon = dependencies.poll_soon(now)
    changes: Sequence[Change] = [Change(line, replace(line, next_poll_at=soon)) for line in lines]
    messages: list[Message] = []
    if refusal is None:
        changes = wish.done(lines, now)
        messages = events.of_changes(changes, events.person(who), who.account_id, facts=wish.facts)
    elif known:
        changes = [Change(line, settled(line)) for line in lines]
        messages = [events.line_changed(change, who.account_id) for change in changes]
        messages += [_refused(who, line, refusal) for line in lines]
    response = show([change.after for change in changes])
    try:
        async with transaction(dependencies.engine) as tx:
            await write_changes(tx, dependencies.outbox, changes, messages, now)
            if refusal is None:
                await finish(tx, command, response)
            elif known:
                await abandon(tx, command)
    except Failure as failure:
        if failure.code != Code.CODE_STALE:
            raise
        return show(await _newest(dependencies, lines))  # a worker was faster: what it found stands
    if refusal is not None and known:
        raise refusal
    return response


async def _refusal(dependencies: Dependencies, wish: LineChange) -> Failure | None:
    """Ask RdvPermis once; return why not, None when it is done."""
    try:
        await dependencies.peers.rdvpermis(wish.method, wish.request)
    except Failure as failure:
        return None if failure.rdvpermis_code in wish.done_codes else failure
    return None


async def _newest(dependencies: Dependencies, lines: Sequence[Line]) -> list[Line]:
    async with transaction(dependencies.engine) as tx:
        return [await newest_line(tx, line) for line in lines]


def _refused(who: Principal, line: Line, failure: Failure) -> Message:
    action, _ = events.action_of(Change(line, settled(line)))
    return events.refused_attempt(events.person(who), who.school_id, action, "line", str(line.id), [], failure.name)
