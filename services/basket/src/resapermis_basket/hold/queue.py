"""The hold queue: admission, requests for one slot coalesced, the rest judged in batches."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from cachetools import TTLCache

from resapermis_basket.domain.line import Slot
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.deadline import LEAST_USEFUL_SECONDS, remaining_seconds

STUCK_SECONDS = 1.0
"""Who needs longer waits for a peer that is away: their permit goes to the next, they go on without."""
ASKING_SECONDS = 0.25
"""The same while RdvPermis is asked: when it is slow, those who wait for it hold up nobody for long."""
BUSY_SECONDS = 0.01
"""A timer that fires later than this says that all wait for a core, and nobody is slow: then permits are kept."""
FADES = 0.9
"""What is left of the last lateness when the next timer fires in time."""
LONGEST_WAIT_SECONDS = 5.0
"""Who waits longer, or as long as their deadline leaves, is refused: too many came."""


class Permit:
    """Leave to be at work on one hold, given back once."""

    def __init__(self, admission: "Admission") -> None:
        """It was given just now."""
        self._admission = admission
        self._kept = True
        self._wait(STUCK_SECONDS)

    def calls_rdvpermis(self) -> None:
        """Note that the hold is about to wait for RdvPermis; one that waits long goes on without its permit."""
        if self._kept:
            self._timer.cancel()
            self._wait(ASKING_SECONDS)

    def give_back(self) -> None:
        """Free the permit for the next in the queue; a second call changes nothing."""
        if self._kept:
            self._kept = False
            self._timer.cancel()
            self._admission.permits.release()

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._too_long, seconds)

    def _too_long(self, seconds: float) -> None:
        if self._admission.busy(self._timer.when()):
            self._wait(seconds)
        else:
            self.give_back()


class Admission:
    """Admission control: a limited number of holds at once, admitted in the order of arrival."""

    def __init__(self, at_once: int = 48) -> None:
        """`at_once`: permits there are."""
        self.permits = asyncio.Semaphore(at_once)
        self._late = 0.0
        self._present = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.asynccontextmanager
    async def admit(self) -> AsyncIterator[Permit]:
        """A permit, in order; OVERLOADED when none is free in time."""
        self._present += 1
        self._idle.clear()
        try:
            await self._acquire()
            permit = Permit(self)
            try:
                yield permit
            finally:
                permit.give_back()
        finally:
            self._present -= 1
            if not self._present:
                self._idle.set()

    async def _acquire(self) -> None:
        if not self.permits.locked():
            await self.permits.acquire()  # at once
            return
        patience = min(LONGEST_WAIT_SECONDS, remaining_seconds() - LEAST_USEFUL_SECONDS)
        try:
            async with asyncio.timeout(patience):
                await self.permits.acquire()
        except TimeoutError:
            raise Failure(Code.CODE_OVERLOADED, "too many holds at once; nothing was asked") from None

    def busy(self, due: float) -> bool:
        """Whether this process runs late, by a timer that was due then and fires now."""
        late = asyncio.get_running_loop().time() - due
        self._late = max(late, self._late * FADES)
        return self._late > BUSY_SECONDS

    async def idle(self, most_seconds: float) -> None:
        """Wait until no hold is at work or waits, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_seconds):
                await self._idle.wait()


SLOW_ASKER_SECONDS = 0.25
"""An asker who needs longer is not waited for any more: one other asks beside them, and is waited for instead."""
LONGEST_COALESCED_SECONDS = 2.0
"""Longest wait of anybody. After it one asks as if alone: the database knows who was first."""
REMEMBERED_SECONDS = 10.0
REMEMBERED_MOST = 20_000


@dataclass(frozen=True)
class _Asker:
    """Whoever asks for a slot now."""

    since: float
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class SlotRequests:
    """Who asks for which slot now, and which slots were seen taken lately, in this process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._asking: dict[str, _Asker] = {}
        self._taken: TTLCache[str, Slot] = TTLCache(REMEMBERED_MOST, REMEMBERED_SECONDS, timer=clock)

    def note_taken(self, slot: Slot) -> None:
        """A live line of ours has the slot."""
        self._taken[slot.id] = slot

    def seen_taken(self, slot_id: str) -> Slot | None:
        """The slot, if it was seen taken lately: worth a question to the database before anything else is asked."""
        return self._taken.get(slot_id)

    def forget(self, slot_ids: Sequence[str]) -> None:
        """Drop these slots from those seen taken: the database answered that they are not all taken."""
        for slot_id in slot_ids:
            self._taken.pop(slot_id, None)

    @contextlib.asynccontextmanager
    async def coalesced(self, slot_ids: Sequence[str]) -> AsyncIterator[None]:
        """Ask for these slots once nobody else does, or they are taken, or the wait is too long."""
        until = self._clock() + LONGEST_COALESCED_SECONDS
        while (other := self._other(slot_ids)) is not None and (now := self._clock()) < until:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(until, other.since + SLOW_ASKER_SECONDS) - now):
                    await other.ended.wait()
        me = _Asker(self._clock())
        self._asking |= dict.fromkeys(slot_ids, me)
        try:
            yield
        finally:
            for slot_id in slot_ids:
                if self._asking.get(slot_id) is me:  # else somebody asks beside us, and is waited for now
                    del self._asking[slot_id]
            me.ended.set()

    def _other(self, slot_ids: Sequence[str]) -> _Asker | None:
        """Somebody worth waiting for, if there is."""
        slow = self._clock() - SLOW_ASKER_SECONDS
        asked = (self._asking.get(slot_id) for slot_id in slot_ids if self.seen_taken(slot_id) is None)
        return next((one for one in asked if one is not None and one.since > slow), None)


MOST_IN_BATCH = 24
"""Holds judged in one batch: in a larger one the first would wait for the last."""
SLOW_BATCH_SECONDS = 0.1
"""A batch that takes longer waits for something that is slow: the next goes beside it."""


class HoldBatch:
    """Holds that are judged together; the batch ends when the last of them leaves."""

    def __init__(self, batches: "HoldBatches", many: int) -> None:
        """`many`: holds in it."""
        self._batches, self._left = batches, many
        self._timer = asyncio.get_running_loop().call_later(SLOW_BATCH_SECONDS, self._end)

    def leave(self) -> None:
        """One of them is done with being judged."""
        self._left -= 1
        if self._left == 0:
            self._end()

    def _end(self) -> None:
        self._timer.cancel()
        self._batches.ended(self)


class HoldBatches:
    """The batches of this process: while one is judged the next fills; who comes when nobody is judged goes at once."""

    def __init__(self) -> None:
        """None is under way."""
        self._under_way: set[HoldBatch] = set()
        self._waiting: deque[asyncio.Future[HoldBatch]] = deque()

    @contextlib.asynccontextmanager
    async def join(self) -> AsyncIterator[None]:
        """Within it a hold is judged, with others of its batch."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[HoldBatch] = loop.create_future()
        self._waiting.append(mine)
        if not self._under_way and len(self._waiting) == 1:
            loop.call_soon(self._begin)  # with all who come in this turn of the event loop
        try:
            batch = await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                mine.result().leave()
            raise
        try:
            yield
        finally:
            batch.leave()

    def ended(self, batch: HoldBatch) -> None:
        """A batch is judged; when it was the last under way, what waited meanwhile begins as the next batch."""
        self._under_way.discard(batch)
        if not self._under_way:
            self._begin()

    def _begin(self) -> None:
        chosen: list[asyncio.Future[HoldBatch]] = []
        while self._waiting and len(chosen) < MOST_IN_BATCH:
            one = self._waiting.popleft()
            if not one.done():  # else it went away
                chosen.append(one)
        if chosen:
            batch = HoldBatch(self, len(chosen))
            self._under_way.add(batch)
            for one in chosen:
                one.set_result(batch)
