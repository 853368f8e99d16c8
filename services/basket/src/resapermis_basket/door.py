"""Holds are taken up in the order in which they came, a few at once; work that nobody waits for lets them go first.

More at work at once would end none of them sooner: they share the same cores and the same database, each gets slower,
and who came first may be answered last.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.deadline import LEAST_USEFUL_SECONDS, remaining_seconds

STUCK_SECONDS = 1.0
"""Who needs longer waits for a peer that is away: their place goes to the next, they go on without."""
ASKING_SECONDS = 0.25
"""The same while RdvPermis is asked: when it is slow, those who wait for it hold up nobody for long."""
BUSY_SECONDS = 0.01
"""A timer that rings later than this says that all wait for a core, and nobody is slow: then places are kept."""
FADES = 0.9
"""What is left of the last lateness when the next timer rings in time."""
LONGEST_WAIT_SECONDS = 5.0
"""Who waits longer, or as long as their deadline leaves, hears that too many came."""


class Place:
    """One place at work, given back once."""

    def __init__(self, door: "Door") -> None:
        """It was taken just now."""
        self._door = door
        self._kept = True
        self._wait(STUCK_SECONDS)

    def asking(self) -> None:
        """RdvPermis is asked from now on."""
        if self._kept:
            self._timer.cancel()
            self._wait(ASKING_SECONDS)

    def give_back(self) -> None:
        """The next may come in."""
        if self._kept:
            self._kept = False
            self._timer.cancel()
            self._door.places.release()

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._too_long, seconds)

    def _too_long(self, seconds: float) -> None:
        if self._door.busy(self._timer.when()):
            self._wait(seconds)
        else:
            self.give_back()


class Door:
    """Where holds come in."""

    def __init__(self, at_once: int = 48) -> None:
        """So many are at work at once."""
        self.places = asyncio.Semaphore(at_once)
        self._late = 0.0
        self._here = 0
        self._nobody = asyncio.Event()
        self._nobody.set()

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """A place, in turn; OVERLOADED when none comes in time."""
        self._here += 1
        self._nobody.clear()
        try:
            await self._come_in()
            place = Place(self)
            try:
                yield place
            finally:
                place.give_back()
        finally:
            self._here -= 1
            if not self._here:
                self._nobody.set()

    async def _come_in(self) -> None:
        if not self.places.locked():
            await self.places.acquire()  # at once
            return
        patience = min(LONGEST_WAIT_SECONDS, remaining_seconds() - LEAST_USEFUL_SECONDS)
        try:
            async with asyncio.timeout(patience):
                await self.places.acquire()
        except TimeoutError:
            raise Failure(Code.CODE_OVERLOADED, "too many holds at once; nothing was asked") from None

    def busy(self, due: float) -> bool:
        """Whether this process gets its turn late, by a timer that was due then and rings now."""
        late = asyncio.get_running_loop().time() - due
        self._late = max(late, self._late * FADES)
        return self._late > BUSY_SECONDS

    async def calm(self, most_seconds: float) -> None:
        """Wait until no hold is at work or waits, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_seconds):
                await self._nobody.wait()
