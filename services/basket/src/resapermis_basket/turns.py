"""Schools that press the same button at once: the first asks for all who wait, and who is too late hears it cheaply.

Nothing here decides anything. A request waits a moment while another of this process is asking for the same slot;
whether the slot is taken is then read from the database, as ever. It is a hint about what not to ask others in vain.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from resapermis_basket.domain import Slot

SLOW_SECONDS = 0.25
"""An asker who needs longer is not waited for any more: one other asks beside them, and is waited for in turn."""
PATIENCE_SECONDS = 2.0
"""Longest wait of anybody. After it one asks as if alone: the database knows who was first."""
REMEMBERED_SECONDS = 10.0
REMEMBERED_MOST = 20_000


@dataclass(frozen=True)
class _Asker:
    """Whoever asks for a slot now."""

    since: float
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Turns:
    """Who asks for which slot now, and which slots were seen taken lately, in this process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._asking: dict[str, _Asker] = {}
        self._taken: dict[str, tuple[Slot, float]] = {}

    def took(self, slot: Slot) -> None:
        """A live line of ours has the slot."""
        if len(self._taken) >= REMEMBERED_MOST:
            self._taken.clear()
        self._taken[slot.id] = (slot, self._clock() + REMEMBERED_SECONDS)

    def taken(self, slot_id: str) -> Slot | None:
        """The slot, if it was seen taken lately: worth a look into the database before anything else is asked."""
        slot, until = self._taken.get(slot_id, (None, 0.0))
        return slot if self._clock() < until else None

    def forget(self, slot_ids: Sequence[str]) -> None:
        """The database says otherwise."""
        for slot_id in slot_ids:
            self._taken.pop(slot_id, None)

    @contextlib.asynccontextmanager
    async def of(self, slot_ids: Sequence[str]) -> AsyncIterator[None]:
        """Ask for these slots once nobody else does, or they are taken, or the wait is too long."""
        until = self._clock() + PATIENCE_SECONDS
        while (other := self._other(slot_ids)) is not None and (now := self._clock()) < until:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(until, other.since + SLOW_SECONDS) - now):
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
        slow = self._clock() - SLOW_SECONDS
        asked = (self._asking.get(slot_id) for slot_id in slot_ids if self.taken(slot_id) is None)
        return next((one for one in asked if one is not None and one.since > slow), None)
