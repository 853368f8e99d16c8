"""Holds that wait are judged together: while one round asks mandate, rules and database, the next gathers.

Each question of a round then is one message or one statement for all of it (kit's `gathering`), which costs little more
than for one. Who comes when nobody is being judged goes at once.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

MOST = 24
"""In one round. A longer one would have its first wait for its last."""
PATIENCE_SECONDS = 0.1
"""A round that takes longer waits for something that is slow: the next goes beside it."""


class Round:
    """Holds that were let in together."""

    def __init__(self, rounds: "Rounds", many: int) -> None:
        """So many."""
        self._rounds, self._left = rounds, many
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._end)

    def leave(self) -> None:
        """One of them is done with being judged."""
        self._left -= 1
        if self._left == 0:
            self._end()

    def _end(self) -> None:
        self._timer.cancel()
        self._rounds.ended(self)


class Rounds:
    """The rounds of this process."""

    def __init__(self) -> None:
        """Nobody is here."""
        self._under_way: set[Round] = set()
        self._waiting: deque[asyncio.Future[Round]] = deque()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Within it a hold is judged, with others of its round."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[Round] = loop.create_future()
        self._waiting.append(mine)
        if not self._under_way and len(self._waiting) == 1:
            loop.call_soon(self._begin)  # with all who come in this turn of the loop
        try:
            round_ = await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                mine.result().leave()
            raise
        try:
            yield
        finally:
            round_.leave()

    def ended(self, round_: Round) -> None:
        """The next may begin."""
        self._under_way.discard(round_)
        if not self._under_way:
            self._begin()

    def _begin(self) -> None:
        chosen: list[asyncio.Future[Round]] = []
        while self._waiting and len(chosen) < MOST:
            one = self._waiting.popleft()
            if not one.done():  # else it went away
                chosen.append(one)
        if chosen:
            round_ = Round(self, len(chosen))
            self._under_way.add(round_)
            for one in chosen:
                one.set_result(round_)
