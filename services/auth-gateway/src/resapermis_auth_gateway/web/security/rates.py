"""Rate limits of this replica: per address for sign-in and private calendars, per session for changes."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from limits import parse

from resapermis_auth_gateway.web.wire.problem import too_many

Kind = Literal["sign_in", "write", "calendar"]


class Window:
    """A sliding window: at most a given number of requests in any span of given seconds, for each key.

    Not the storage of the library `limits`: at each hit it goes through all who asked lately, with a thread for each.
    """

    def __init__(self, most: int, seconds: int) -> None:
        """Nobody has asked yet. ValueError for a limit that lets nothing through."""
        if most < 1:
            raise ValueError("a rate limit lets at least one through")
        self._most, self._seconds = most, seconds
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()
        """Moments counted, oldest first, by who; who was counted longest ago comes first."""

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._asked)

    def hit(self, who: str, now: float) -> float | None:
        """Count one at `now`, in seconds; where there were too many, count nothing and return when the next is free."""
        over = now - self._seconds
        while self._asked and next(iter(self._asked.values()))[-1] < over:
            self._asked.popitem(last=False)
        moments = self._asked.setdefault(who, deque())
        while moments and moments[0] < over:
            moments.popleft()
        if len(moments) >= self._most:
            return moments[0] + self._seconds
        moments.append(now)
        self._asked.move_to_end(who)
        return None


class Rates:
    """Moving windows in memory: replicas do not share them, so the true limit is at most this one times their number."""

    def __init__(self, *, sign_in: str, write: str, calendar: str, now: Callable[[], float] = time.time) -> None:
        """Limits in the notation of the library `limits`, e.g. "30/minute"; `now` in seconds since 1970."""
        limits = {"sign_in": parse(sign_in), "write": parse(write), "calendar": parse(calendar)}
        self._windows = {kind: Window(limit.amount, limit.get_expiry()) for kind, limit in limits.items()}
        self._now = now

    def spend(self, kind: Kind, who: str) -> None:
        """Count one; refuse with the time at which the next is free."""
        free_at = self._windows[kind].hit(who, self._now())
        if free_at is not None:
            raise too_many(datetime.fromtimestamp(free_at, UTC))
