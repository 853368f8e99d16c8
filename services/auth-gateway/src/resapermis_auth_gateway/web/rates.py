"""Rate limits of this replica: per address for sign-in and private calendars, per session for changes."""

from datetime import UTC, datetime
from typing import Literal

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from resapermis_auth_gateway.web.problem import too_many

Kind = Literal["sign_in", "write", "calendar"]


class Rates:
    """Moving windows in memory: replicas do not share them, so the true limit is at most this one times their number."""

    def __init__(self, *, sign_in: str, write: str, calendar: str) -> None:
        """Limits in the notation of the library `limits`, e.g. "30/minute"."""
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limits = {"sign_in": parse(sign_in), "write": parse(write), "calendar": parse(calendar)}

    async def spend(self, kind: Kind, who: str) -> None:
        """Count one; refuse with the time at which the next is free."""
        limit = self._limits[kind]
        if not await self._limiter.hit(limit, kind, who):
            window = await self._limiter.get_window_stats(limit, kind, who)
            raise too_many(datetime.fromtimestamp(window.reset_time, UTC))
