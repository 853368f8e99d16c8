"""The hold queue: holds are admitted in order, wait while another asks for one of their slots, and are judged in batches."""

import asyncio
import contextlib
import contextvars
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from cachetools import TTLCache
from prometheus_client import Gauge, Histogram

from resapermis_basket.domain.line import Slot
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.deadline import LEAST_USEFUL_SECONDS, remaining_seconds

H = TypeVar("H")
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")

MOST_IN_BATCH = 24
"""Holds judged in one batch: in a larger one the first would wait for the last."""
SLOW_BATCH_SECONDS = 0.1
"""A batch that takes longer waits for something that is slow: the next goes beside it."""
SLOW_ASKER_SECONDS = 0.25
"""Whoever asks for a slot longer is not waited for any more: one other asks beside them, and is waited for instead."""
LONGEST_COALESCED_SECONDS = 2.0
"""Who waited so long for a slot asks as if alone: the database knows who was first."""
STUCK_SECONDS = 1.0
"""Who needs longer waits for a peer that is away: their permit goes to the next, they go on without."""
ASKING_SECONDS = 0.25
"""The same while RdvPermis is asked: when it is slow, those who wait for it hold up nobody for long."""
BUSY_SECONDS = 0.01
"""A timer that fires later than this says that all wait for a core, and nobody is slow: then permits are kept."""
FADES = 0.9
"""What is left of the last lateness when the next timer fires in time."""
LONGEST_WAIT_SECONDS = 5.0
"""Who is in no batch by then, or when too little of their deadline is left, is refused: too many came."""
REMEMBERED_SECONDS = 10.0
REMEMBERED_MOST = 20_000
WAITING = Gauge("resapermis_hold_queue_waiting", "Holds that wait for a batch")
WAITED = Histogram(
    "resapermis_hold_queue_seconds",
    "Time that a hold waited for its batch",
    buckets=(0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)


class Queued(Generic[H, R]):
    """A hold in the queue: it waits, is judged in a batch, then asks RdvPermis."""

    def __init__(self, hold: H, slot_ids: Sequence[str]) -> None:
        """It came just now, in its caller's context."""
        self.hold, self.slot_ids, self.since = hold, slot_ids, _now()
        self.context = contextvars.copy_context()
        """Its caller's principal, deadline and trace."""
        self.judged: asyncio.Future[R | None] = asyncio.get_running_loop().create_future()
        """What its batch found of it; None: all its slots were seen taken, and nothing was asked."""
        self.permit = False
        self.timer: asyncio.TimerHandle
        """Ends its patience; once it has a permit, takes that away when it needs too long."""

    @property
    def awaited(self) -> bool:
        """Whether its caller still waits to have it judged: else it has gone away, or has its outcome."""
        return not self.judged.done()

    def settle(self, outcome: R | BaseException | None) -> None:
        """It is judged, or failed; its first outcome counts."""
        if self.judged.done():
            return
        if isinstance(outcome, asyncio.CancelledError):
            self.judged.cancel()
        elif isinstance(outcome, BaseException):
            self.judged.set_exception(outcome)
            self.judged.exception()  # retrieved, also where its caller goes away in this moment
        else:
            self.judged.set_result(outcome)


class HoldQueue(Generic[H, R]):
    """The queue of a process. While one batch is judged the next fills; who comes when none is judged goes at once."""

    def __init__(self, judge: Callable[[Sequence[Queued[H, R]]], Awaitable[None]], at_once: int = 48) -> None:
        """`judge` settles each hold of a batch; what it raises is the failure of the rest. `at_once`: permits there are."""
        self._judge, self._permits = judge, at_once
        self._waiting: deque[Queued[H, R]] = deque()
        self._asking: dict[str, Queued[H, R]] = {}
        self._taken: TTLCache[str, Slot] = TTLCache(REMEMBERED_MOST, REMEMBERED_SECONDS, timer=_now)
        self._batches: set[asyncio.Task[None]] = set()
        self._waited_for: asyncio.Task[None] | None = None
        self._next: asyncio.Handle | None = None
        self._late, self._present = 0.0, 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.asynccontextmanager
    async def enter(self, hold: H, slot_ids: Sequence[str]) -> AsyncIterator[Queued[H, R]]:
        """Be in the queue, and then at work, within the block: its `judged` is there once its batch has judged it.

        OVERLOADED when it gets into no batch in time. Who leaves before has not asked.
        """
        one = Queued[H, R](hold, slot_ids)
        patience = min(LONGEST_WAIT_SECONDS, remaining_seconds() - LEAST_USEFUL_SECONDS)
        one.timer = asyncio.get_running_loop().call_later(patience, self._refuse, one)
        self._present += 1
        self._idle.clear()
        self._waiting.append(one)
        WAITING.set(len(self._waiting))
        self._wake()
        try:
            yield one
        finally:
            one.timer.cancel()
            one.judged.cancel()
            self._free_slots(one)
            self._give_back(one)
            self._present -= 1
            if not self._present:
                self._idle.set()

    def intended(self, one: Queued[H, R], taken: Sequence[Slot]) -> None:
        """Note that its intention is written, so that live lines have these slots; RdvPermis is asked next."""
        for slot in taken:
            self._taken[slot.id] = slot
        self._free_slots(one)
        self._watch(one, ASKING_SECONDS)

    def seen_taken(self, slot_ids: Sequence[str]) -> list[Slot]:
        """The slots, if all were seen taken lately: worth a question to the database before anything else is asked."""
        found = [slot for slot_id in slot_ids if (slot := self._taken.get(slot_id)) is not None]
        return found if len(found) == len(slot_ids) else []

    def forget(self, slot_ids: Sequence[str]) -> None:
        """Drop these slots from those seen taken: the database answered that they are not all taken."""
        for slot_id in slot_ids:
            self._taken.pop(slot_id, None)

    async def idle(self, most_seconds: float) -> None:
        """Wait until no hold is at work or waits, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_seconds):
                await self._idle.wait()

    def _wake(self) -> None:
        """Begin the next batch, with all who come in this turn of the event loop, unless one is waited for."""
        if self._waiting and self._permits and self._next is None and self._waited_for is None:
            self._next = asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._next = None
        batch: list[Queued[H, R]] = []
        passed: list[Queued[H, R]] = []
        while self._waiting and self._permits and len(batch) < MOST_IN_BATCH:
            one = self._waiting.popleft()
            if not one.awaited:
                continue  # it went away
            if self.seen_taken(one.slot_ids):
                one.settle(None)  # somebody was faster while it waited
            elif self._waits_for_another(one):
                passed.append(one)
            else:
                self._take(one)
                batch.append(one)
        self._waiting.extendleft(reversed(passed))
        WAITING.set(len(self._waiting))
        if batch:
            loop = asyncio.get_running_loop()
            # A context of nobody's: what goes together is not the first one's own.
            task = self._waited_for = loop.create_task(self._run(batch), context=contextvars.Context())
            self._batches.add(task)
            task.add_done_callback(self._ended)
            loop.call_later(SLOW_BATCH_SECONDS, self._wait_no_more, task)
            loop.call_later(SLOW_ASKER_SECONDS, self._free_slots, *batch)

    def _take(self, one: Queued[H, R]) -> None:
        one.permit = True
        WAITED.observe(_now() - one.since)
        self._permits -= 1
        self._asking |= dict.fromkeys(one.slot_ids, one)
        self._watch(one, STUCK_SECONDS)

    def _waits_for_another(self, one: Queued[H, R]) -> bool:
        """Whether somebody asks for one of its slots, who is worth waiting for."""
        patient = _now() - one.since < LONGEST_COALESCED_SECONDS
        return patient and any(slot in self._asking and slot not in self._taken for slot in one.slot_ids)

    async def _run(self, batch: Sequence[Queued[H, R]]) -> None:
        failure: BaseException = Failure(Code.CODE_INTERNAL, "a batch left a hold without its outcome")
        try:
            await self._judge(batch)
        except BaseException as error:
            failure = error
            if not isinstance(error, Exception):  # the process ends: nobody waits on
                raise
        finally:
            for one in batch:
                one.settle(failure)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        self._wait_no_more(task)

    def _wait_no_more(self, task: asyncio.Task[None]) -> None:
        if self._waited_for is task:
            self._waited_for = None
            self._wake()

    def _free_slots(self, *some: Queued[H, R]) -> None:
        for one in some:
            for slot_id in one.slot_ids:
                if self._asking.get(slot_id) is one:  # else somebody asks beside it, and is waited for now
                    del self._asking[slot_id]
        self._wake()

    def _refuse(self, one: Queued[H, R]) -> None:
        one.settle(Failure(Code.CODE_OVERLOADED, "too many holds at once; nothing was asked"))

    def _give_back(self, one: Queued[H, R]) -> None:
        if one.permit:
            one.permit = False
            self._permits += 1
            self._wake()

    def _watch(self, one: Queued[H, R], seconds: float) -> None:
        """Have its permit go to the next if it is still at work then, and the machine is not merely busy."""
        one.timer.cancel()
        due = _now() + seconds
        one.timer = asyncio.get_running_loop().call_at(due, self._too_long, one, seconds, due)

    def _too_long(self, one: Queued[H, R], seconds: float, due: float) -> None:
        if not one.permit:
            return
        self._late = max(_now() - due, self._late * FADES)
        if self._late > BUSY_SECONDS:
            self._watch(one, seconds)
        else:
            self._give_back(one)


async def in_moments(
    answers: AsyncIterator[Mapping[Queued[H, R], A | Exception]],
    go_on: Callable[[dict[Queued[H, R], A]], Awaitable[None]],
    after: Awaitable[object] | None = None,
) -> None:
    """Go on with those of a batch that are answered in one moment: nobody waits for a slower answer than their own.

    Who is answered with a failure has it as their outcome. `after`: what is to be known before.
    """
    parts = []
    try:
        async for some in answers:
            if after is not None:
                await after
            part = each(some, lambda _, answer: answer)
            if part:
                parts.append(asyncio.create_task(_go_on(part, go_on)))
    finally:
        await asyncio.gather(*parts)


def each(some: Mapping[Queued[H, R], A | Exception], work: Callable[[Queued[H, R], A], B]) -> dict[Queued[H, R], B]:
    """What is each one's own work, in its own context. Who fails at it has that as their outcome, and is left out."""
    done: dict[Queued[H, R], B] = {}
    for one, answer in some.items():
        try:
            if isinstance(answer, Exception):
                one.settle(answer)
            elif one.awaited:  # else it went away meanwhile
                done[one] = one.context.run(work, one, answer)
        except Exception as error:  # noqa: BLE001 - is theirs, not the batch's
            one.settle(error)
    return done


async def _go_on(part: dict[Queued[H, R], A], go_on: Callable[[dict[Queued[H, R], A]], Awaitable[None]]) -> None:
    try:
        await go_on(part)
    except Exception as error:  # noqa: BLE001 - as the batch's own
        for one in part:
            one.settle(error)


def _now() -> float:
    return asyncio.get_running_loop().time()
