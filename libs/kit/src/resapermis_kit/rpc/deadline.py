"""Deadlines travel: how much time is left for the RPC being answered."""

import time
from contextvars import ContextVar

DEFAULT_DEADLINE_SECONDS = 10.0
LEAST_USEFUL_SECONDS = 0.1
"""With less than this nothing is begun."""
deadline: ContextVar[float] = ContextVar("deadline")
"""time.monotonic() until which the RPC being answered is awaited."""


def remaining_seconds() -> float:
    """Time left for the RPC being answered; the default deadline outside of one."""
    until = deadline.get(None)
    return DEFAULT_DEADLINE_SECONDS if until is None else until - time.monotonic()
