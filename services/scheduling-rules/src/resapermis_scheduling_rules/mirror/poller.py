"""Polling RdvPermis: each poll once at a time whoever asks, few at once, and never beyond what a school may cause."""

import asyncio
import time
from collections import Counter as TallyOf
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.deadline import deadline
from resapermis_places.days import local_day, month_of
from resapermis_places.table import zone_of
from resapermis_scheduling_rules import events
from resapermis_scheduling_rules.domain.polls import Poll
from resapermis_scheduling_rules.domain.quota import ThresholdKey
from resapermis_scheduling_rules.domain.slots import Status
from resapermis_scheduling_rules.mirror import queries
from resapermis_scheduling_rules.mirror.merge import PolledSlot
from resapermis_scheduling_rules.peers import BUDGET, DOWN, RECONNECT, SEEN, Asker, reason

if TYPE_CHECKING:
    from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceAsyncStub


POLL_SECONDS = 8.0
REST = timedelta(seconds=2)
"""After a refusal that concerns a whole token (budget, RdvPermis down, reconnect), its other polls rest this long."""
TROUBLE = timedelta(minutes=1)
"""How long after its last failure a token's trouble is shown, unless a poll succeeds."""
NoteReached = Callable[[Tx, str, ThresholdKey, datetime | None], Awaitable[None]]
"""Remembers that RdvPermis shows a school's threshold as reached since a moment, or (None) no longer."""
NoteCame = Callable[[Tx, Iterable[str], str, str, datetime], Awaitable[None]]
"""Notes slots of a category group and department that came: somebody may wait for such."""
POLLS = Counter("resapermis_polls_total", "Polls of RdvPermis' planning by how they ended", ["outcome"])
log = structlog.get_logger()


class Poller:
    """Runs polls and writes what they see into the mirror."""

    def __init__(
        self,
        engine: AsyncEngine,
        egress: "RdvPermisServiceAsyncStub",
        outbox: Outbox,
        now: Clock,
        *,
        at_once: int,
        per_minute: int,
        in_background: int,
        note_reached: NoteReached,
        note_newly_free: NoteCame,
    ) -> None:
        """`at_once` polls of people under way in this process, `in_background` of nobody's; `per_minute` a school's people may cause.

        What `note_reached` and `note_newly_free` write is one commit with what a poll brings.
        """
        self._engine, self._egress, self._outbox, self._now = engine, egress, outbox, now
        self._people, self._background = asyncio.Semaphore(at_once), asyncio.Semaphore(in_background)
        self._per_minute, self._note_reached, self._note_newly_free = per_minute, note_reached, note_newly_free
        self._in_flight: dict[Poll, asyncio.Task[str]] = {}
        self._joined: set[asyncio.Task[str]] = set()
        self._spent: dict[str, deque[datetime]] = {}
        self._rests: dict[tuple[str, str], tuple[datetime, str]] = {}
        self._ended_polls: TallyOf[tuple[str, str]] = TallyOf()

    @property
    def busy(self) -> bool:
        """People's polls wait: background work steps back."""
        return self._people.locked()

    def trouble(self, asker: Asker) -> str:
        """Why polls of this person fail now; empty when they do not, as far as anybody tried."""
        until, why = self._rests.get((asker.school_id, asker.account_id), (datetime.min.replace(tzinfo=UTC), SEEN))
        return why if self._now() < until + TROUBLE else SEEN

    def start(self, polls: Sequence[Poll], asker: Asker) -> tuple[list[asyncio.Task[str]], str]:
        """Begin polls for a person in this order; return one task each, and why some were not begun ("" if all were).

        A task's result is "" when the mirror is fresh now, else why not. Tasks go on when nobody waits for them.
        """
        tasks: list[asyncio.Task[str]] = []
        for poll in polls:
            if poll not in self._in_flight and not self._may_spend(asker.school_id):
                return tasks, BUDGET
            task = asyncio.create_task(self._join(poll, asker))
            self._joined.add(task)
            task.add_done_callback(self._left)
            tasks.append(task)
        return tasks, SEEN

    async def poll(self, poll: Poll, school_id: str) -> str:
        """Poll once in the background, on behalf of a school."""
        return await self._join(poll, Asker(school_id))

    async def close(self) -> None:
        """Cancel all polls under way and wait for their end."""
        tasks = [*self._joined, *self._in_flight.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def polls_left(self, school_id: str) -> int:
        """Polls that a school's people may still cause in this process within this minute."""
        return self._per_minute - len(self._spent_lately(school_id))

    def _may_spend(self, school_id: str) -> bool:
        spent = self._spent_lately(school_id)
        if len(spent) >= self._per_minute:
            return False
        spent.append(self._now())
        return True

    def _spent_lately(self, school_id: str) -> deque[datetime]:
        now, spent = self._now(), self._spent.setdefault(school_id, deque())
        while spent and spent[0] <= now - timedelta(minutes=1):
            spent.popleft()
        return spent

    async def _join(self, poll: Poll, asker: Asker) -> str:
        """Share the running poll of others; when it failed for want of their budget or session, poll oneself."""
        while True:
            running = self._in_flight.get(poll)
            # One that ended just now is still there: waiting for it gives nobody else time, its own end neither.
            if running is None or running.done():
                running = self._in_flight[poll] = asyncio.create_task(self._run(poll, asker))
                running.add_done_callback(lambda task: self._ended(poll, task))
                return await asyncio.shield(running)
            outcome = await asyncio.shield(running)
            if outcome not in {BUDGET, RECONNECT}:
                return outcome

    def _left(self, task: asyncio.Task[str]) -> None:
        self._joined.discard(task)
        if not task.cancelled():
            task.exception()

    def ended_polls(self, centre_ids: Sequence[str], category: str) -> int:
        """How many polls of these centres have ended here: what was read of them before is to be read again."""
        return sum(self._ended_polls[centre_id, category] for centre_id in centre_ids)

    def _ended(self, poll: Poll, task: asyncio.Task[str]) -> None:
        if self._in_flight.get(poll) is task:
            del self._in_flight[poll]
        self._ended_polls[poll.centre_id, poll.category] += 1
        if not task.cancelled():
            task.exception()  # taken note of, also when every waiter has left

    async def _run(self, poll: Poll, asker: Asker) -> str:
        deadline.set(time.monotonic() + 600)  # its own time: the request that began it may end before
        async with self._people if asker.principal else self._background:
            token = (asker.school_id, asker.account_id)
            until, why = self._rests.get(token, (datetime.min.replace(tzinfo=UTC), SEEN))
            if self._now() < until:
                outcome = why
            else:
                outcome = await self._ask(poll, asker, token)
        POLLS.labels(outcome or "seen").inc()
        return outcome

    async def _ask(self, poll: Poll, asker: Asker, token: tuple[str, str]) -> str:
        at = self._now()
        request = rdv.SearchPlanningRequest(
            on_behalf=asker.on_behalf,
            category=poll.category,
            centre_id=poll.centre_id,
            date=poll.day.isoformat(),
            time_zone=zone_of(poll.department),
        )
        try:
            answer = await peers.call(
                self._egress.SearchPlanning, request, timeout=POLL_SECONDS, principal=asker.principal
            )
        except Failure as failure:
            why = reason(failure)
            self._rests[token] = (failure.retry_at if why == BUDGET and failure.retry_at else at + REST, why)
            return await self._note_away(poll, at) if why == DOWN else why
        try:
            await self._record(poll, answer.slots, asker.school_id, at)
        except Failure as failure:
            log.warning("poll.not_kept", code=failure.name)
            return DOWN
        self._rests.pop(token, None)
        return SEEN

    async def _note_away(self, poll: Poll, at: datetime) -> str:
        """RdvPermis did not answer: let this poll rest for everybody. A want of budget or session is one token's alone."""
        try:
            async with transaction(self._engine) as tx:
                await queries.note_poll(tx, poll, at, trouble=DOWN)
        except Failure as failure:
            log.warning("poll.not_kept", code=failure.name)
        return DOWN

    async def _record(self, poll: Poll, slots: Sequence[rdv.RdvSlot], school_id: str, at: datetime) -> None:
        found = [_polled_slot(slot) for slot in slots if _is_readable(slot, poll)]
        whole = len(found) == len(slots)
        if not whole:
            log.warning("poll.half_an_answer", unreadable=len(slots) - len(found))
        found = list({slot.id: slot for slot in found}.values())
        async with transaction(self._engine) as tx:
            recorded = await queries.record_poll(tx, poll, found, school_id, at, whole=whole)
            statuses = {slot.status for slot in found if slot.starts_at > at}
            place = ThresholdKey(poll.department, month_of(poll.day), poll.category)
            if Status.THRESHOLD_REACHED in statuses:
                await self._note_reached(tx, school_id, place, at)
            elif Status.FREE in statuses:
                await self._note_reached(tx, school_id, place, None)
            await self._note_newly_free(tx, recorded.newly_free, poll.category, poll.department, at)
            await self._outbox.add(tx, at, *events.withdrawn(recorded.published_gone, poll, at))


def _is_readable(slot: rdv.RdvSlot, poll: Poll) -> bool:
    """Whether a slot states its kind and hours, on the day that was asked."""
    if not slot.id or not slot.HasField("starts_at") or not slot.HasField("ends_at"):
        return False
    starts, ends = slot.starts_at.ToDatetime(UTC), slot.ends_at.ToDatetime(UTC)
    return starts < ends and local_day(starts, poll.department) == poll.day


def _polled_slot(slot: rdv.RdvSlot) -> PolledSlot:
    return PolledSlot(
        id=slot.id,
        starts_at=slot.starts_at.ToDatetime(UTC),
        ends_at=slot.ends_at.ToDatetime(UTC),
        published_at=slot.published_at.ToDatetime(UTC) if slot.HasField("published_at") else None,
        word=slot.status,
        kind=slot.kind,
    )
