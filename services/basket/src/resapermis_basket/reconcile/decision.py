"""What is decided about a school's lines with no person behind it, written in one transaction with the school locked."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter

from resapermis_basket import events
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.answer import give_back_all_or_nothing
from resapermis_basket.domain.line import Change, Line, State, by_school, in_doubt, inseparable, replacement
from resapermis_basket.judgement import refusals
from resapermis_basket.line.counters import lock_school
from resapermis_basket.line.failures import LinesFailed, note_failed, write_apart
from resapermis_basket.line.queries import database_now, find_groups, lines_of_groups, reread, write_changes
from resapermis_kit.clock import NewId
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure

Decide = Callable[[Line, datetime], Line]
"""A line as it shall be at a moment; the same line where nothing is to change."""
SETTLED = Counter("resapermis_basket_settled_total", "Lines in doubt, by what reading RdvPermis showed", ["state"])


async def decide_by_school(dependencies: Dependencies, due: Iterable[Line], decide: Decide) -> int:
    """School by school; return how many lines changed. LinesFailed at the end, when all were tried."""
    changed, broken = 0, list[UUID]()
    for school_id, lines in by_school(due).items():
        try:
            changed += await decide_lines(dependencies, school_id, lines, decide)
        except LinesFailed as some:
            changed += some.changed
            broken += some.line_ids
    if broken:
        raise LinesFailed(broken, changed)
    return changed


async def decide_lines(dependencies: Dependencies, school_id: str, due: Sequence[Line], decide: Decide) -> int:
    """With the school locked, decide on the lines as they are now, and write what changed; return how many.

    All in one transaction; where that fails, each by itself, so that one bad line stops none of the others. LinesFailed
    when they are done; Failure when the database is away, which is no line's fault.
    """
    broken = list[UUID]()

    def failed(lines: Sequence[Line], error: Exception) -> None:
        note_failed(lines, error)
        broken.extend(line.id for line in lines)

    async def write(lines: Sequence[Line]) -> int:
        try:
            return await _decide(dependencies, school_id, lines, decide)
        except Failure as failure:
            if failure.code != Code.CODE_STALE:
                raise
        # Another act moved a line after we had read it: it drops out now, and the next round has it. Where the line would
        # take what another live line has, this fails too.
        return await _decide(dependencies, school_id, lines, decide)

    changed = await write_apart(inseparable(due), write, failed)
    if broken:
        raise LinesFailed(broken, changed)
    return changed


async def _decide(dependencies: Dependencies, school_id: str, due: Sequence[Line], decide: Decide) -> int:
    async with transaction(dependencies.engine) as tx:
        await lock_school(tx, school_id)
        now = await database_now(tx)
        same = {line.id: line.version for line in due}
        fresh = [line for line in await reread(tx, due) if line.version == same[line.id]]
        changes = [Change(line, after) for line in fresh if (after := decide(line, now)) != line]
        changes = await _all_or_nothing(tx, changes, now)
        changes += _replacements(dependencies.new_id, changes, now)
        published = [change for change in changes if _worth_publishing(change)]
        for change in published:
            if change.before is not None and in_doubt(change.before):
                SETTLED.labels(change.after.state).inc()
        await write_changes(tx, dependencies.outbox, changes, events.of_changes(published, events.SYSTEM), now)
    return len(changes)


async def _all_or_nothing(tx: Tx, changes: Sequence[Change], now: datetime) -> list[Change]:
    """An all-or-nothing group with a refused line gives its others back, whenever either is found out."""
    found = {change.after.id: change for change in changes}
    met = {change.after.group_id for change in changes if change.before_state is State.ASKING}
    groups = await find_groups(tx, met) if met else {}
    for group in groups.values():
        if not group.all_or_nothing:
            continue
        lines = await lines_of_groups(tx, [group.id])
        newest = [found[line.id].after if line.id in found else line for line in lines]
        after = give_back_all_or_nothing(newest, refusals.all_or_nothing_failed(), now)
        found |= {line.id: Change(line, new) for line, was, new in zip(lines, newest, after, strict=True) if new != was}
    return list(found.values())


def _replacements(new_id: NewId, changes: Sequence[Change], now: datetime) -> list[Change]:
    """Lines that take the place of those found replaced or swapped."""
    return [
        Change(None, replacement(old, new_id(), new_id(), old.account_id, now))
        for old, after in ((change.before, change.after) for change in changes)
        if old is not None and old.changing and after.state in {State.REPLACED, State.SWAPPED}
    ]


def _worth_publishing(change: Change) -> bool:
    """Whether anybody but us cares: a poll that is put off changes nothing for a school."""
    before, after = change.before, change.after
    if before is None or before.state is not after.state:
        return True
    return (before.candidate_id, before.changing, before.exam_id, before.refusal) != (
        after.candidate_id,
        after.changing,
        after.exam_id,
        after.refusal,
    )
