"""What every act of a school needs: parts, time, and what a twin of an earlier command is told."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket import events, refusals, store, view
from resapermis_basket.domain import Change, Line, Patience, deltas
from resapermis_basket.door import Door
from resapermis_basket.peers import Peers
from resapermis_basket.settings import Settings
from resapermis_kit.clock import NewId
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.deadline import remaining_seconds


@dataclass(frozen=True)
class Parts:
    """Made once in `__main__`."""

    engine: AsyncEngine
    outbox: Outbox
    peers: Peers
    settings: Settings
    new_id: NewId
    door: Door = field(default_factory=Door)


@dataclass(frozen=True)
class Time:
    """The database's time, carried on by this process's monotonic clock for the length of one act.

    A replica whose own clock is wrong decides nothing by it.
    """

    read: datetime
    _started: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> datetime:
        """Now."""
        return self.read + timedelta(seconds=time.monotonic() - self._started)


def caller_key(who: Principal) -> str:
    """Whose request ids these are: nobody is ever given another's answer."""
    return f"{who.school_id}/{who.account_id}"


def parse_id(text: str, name: str) -> UUID:
    """One of our ids, or MALFORMED."""
    try:
        return UUID(text)
    except ValueError:
        raise malformed(name, "not an id of ours") from None


def parse_optional_id(text: str, name: str) -> UUID | None:
    """One of our ids, or none."""
    return parse_id(text, name) if text else None


def look_after_call(parts: Parts, now: datetime) -> datetime:
    """When to read the outcome of a call that is about to begin, if this process is not there to hear it."""
    longest = min(max(remaining_seconds(), 0.0), parts.settings.egress_seconds)
    return now + timedelta(seconds=longest + parts.settings.grace_seconds)


def look_soon(parts: Parts, now: datetime) -> datetime:
    """When to read the outcome of a call whose answer is lost: once it can no longer be on its way."""
    return now + timedelta(seconds=parts.settings.grace_seconds)


async def apply(
    tx: Tx, parts: Parts, changes: Sequence[Change], messages: Sequence[Message], now: datetime
) -> list[Line]:
    """Write changes of one school's lines with what they move and say; return the lines as written.

    In the school's turn when counters move.
    STALE (nothing written) when a line has moved since it was read.
    """
    moved = deltas(changes)
    if moved:
        school_id = changes[0].after.school_id
        await store.lock_school(tx, school_id)
        await store.move_counts(tx, school_id, moved)
    written = await store.save(tx, [change.after for change in changes if change.before is not None])
    new = [change.after for change in changes if change.before is None]
    for line in new:
        await store.add_group(tx, store.lone_group(line))
    if new and len(await store.add(tx, new)) != len(new):
        raise Failure(Code.CODE_STALE, "the slot or candidate was taken meanwhile")
    heirs = {line.slot.id: line.id for line in new}
    await store.pass_judgements(tx, {line.id: heirs[line.slot.id] for line in written if line.slot.id in heirs})
    await parts.outbox.add(tx, now, *messages)
    return written + new


async def refuse(
    parts: Parts, who: Principal, word: str, kind: str, object_id: str, failure: Failure, now: datetime
) -> Failure:
    """Write the refused attempt into the journal, in its own transaction, and return the refusal to raise."""
    rules = sorted({verdict.rule for verdict in failure.verdicts if not verdict.allowed})
    record = events.refused_attempt(events.person(who), who.school_id, word, kind, object_id, rules, failure.name)
    async with transaction(parts.engine) as tx:
        await parts.outbox.add(tx, now, record)
    return failure


async def group_view(tx: Tx, group: store.Group) -> pb.Group:
    """A group as it stands."""
    return view.group(group.id, group.created_at, await store.of_groups(tx, [group.id]))


def patience(parts: Parts) -> Patience:
    """As settings say."""
    settings = parts.settings
    return Patience(
        timedelta(seconds=settings.results_every_seconds),
        timedelta(seconds=settings.results_later_every_seconds),
        timedelta(days=settings.results_give_up_days),
    )


def surely_not_done(failure: Failure) -> bool:
    """Whether RdvPermis surely did not act, as egress says it."""
    return failure.code not in refusals.IN_DOUBT
