"""Time that a test sets: timers fire in their order, and nobody waits for them."""

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable
from typing import Any


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while anybody has something to do, and then goes to the next timer.

    For what waits for timers and tasks alone: whoever waits for a socket, or for what never comes, ends in RuntimeError.
    """

    def __init__(self) -> None:
        """It begins at 0."""
        super().__init__(_Selector(self._pass))
        self._at = 0.0

    def time(self) -> float:
        """Seconds since it began."""
        return self._at

    def _pass(self, seconds: float) -> None:
        self._at += seconds


class _Selector(selectors.SelectSelector):
    """Looks after the loop's own socket, and lets time pass instead of waiting."""

    def __init__(self, let_pass: Callable[[float], None]) -> None:
        super().__init__()
        self._let_pass = let_pass

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits, and no timer will ever fire")
        self._let_pass(timeout)
        return super().select(0)


def in_virtual_time(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on such a loop."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))  # type: ignore[arg-type] # an async function's awaitable is a coroutine

    return run
