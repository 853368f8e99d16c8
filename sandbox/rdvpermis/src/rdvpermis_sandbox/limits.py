"""Calls a minute: 600 for an online school, 210 for an employee [seen]; sliding over the sandbox's own minute."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from math import ceil
from typing import Literal

RetryAfter = Literal["seconds", "date", "absent", "cycle"]
MINUTE = timedelta(minutes=1)


@dataclass(slots=True)
class Limits:
    """`retry_after`: the form in which a 429 states when to retry; `cycle` uses the three one after the other."""

    employee: int = 210
    online: int = 600
    retry_after: RetryAfter = "cycle"
    refused: int = 0
    _calls: dict[str, deque[datetime]] = field(default_factory=dict)

    def take(self, who: str, allowed: int, now: datetime) -> dict[str, str] | None:
        """None when the call may go; otherwise the headers of the 429."""
        calls = self._calls.setdefault(who, deque())
        while calls and not now - MINUTE < calls[0] <= now:
            calls.popleft()
        if len(calls) < allowed:
            calls.append(now)
            return None
        free = (calls[0] if calls else now) + MINUTE
        kind = ("seconds", "date", "absent")[self.refused % 3] if self.retry_after == "cycle" else self.retry_after
        self.refused += 1
        if kind == "absent":
            return {}
        if kind == "date":
            return {"Retry-After": format_datetime(free.replace(microsecond=0) + timedelta(seconds=1), usegmt=True)}
        return {"Retry-After": str(max(1, ceil((free - now).total_seconds())))}

    def clear(self) -> None:
        """Forget every call that was counted."""
        self._calls.clear()
