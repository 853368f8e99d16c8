"""Schools that press the same button at once: the first asks for all who wait, and who is too late hears it cheaply.

Nothing here decides anything. A request waits a moment while another of this process is asking for the same slot;
whether the slot is taken is then read from the database, as ever. It is a hint about what not to ask others in vain.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from resapermis_basket.domain import Slot

PATIENCE_SECONDS = 0.25
"""Longest wait for those who ask already. After it one asks as if alone: the database knows who was first."""
REMEMBERED_SECONDS = 10.0
REMEMBERED_MOST = 20_000


class Turns:
    """Who asks for which slot now, and which slots were seen taken lately, in this process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._asking: dict[str, asyncio.Event] = {}
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

    @contextlib.asynccontextmanager
    async def of(self, slot_ids: Sequence[str]) -> AsyncIterator[None]:
        """Ask for these slots once nobody else does, or they are taken, or the patience is at its end."""
        until = self._clock() + PATIENCE_SECONDS
        while (others := self._others(slot_ids)) is not None and (left := until - self._clock()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await others.wait()
        ended = asyncio.Event()
        mine = [slot_id for slot_id in slot_ids if slot_id not in self._asking]
        self._asking |= dict.fromkeys(mine, ended)
        try:
            yield
        finally:
            for slot_id in mine:
                del self._asking[slot_id]
            ended.set()

    def _others(self, slot_ids: Sequence[str]) -> asyncio.Event | None:
        asked = (slot_id for slot_id in slot_ids if slot_id in self._asking and self.taken(slot_id) is None)
        return next((self._asking[slot_id] for slot_id in asked), None)
