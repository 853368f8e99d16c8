"""A stack for synchronous callers: its event loop runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from devstack.stack import Stack

Answer = TypeVar("Answer")


class BackgroundStack:
    """`with BackgroundStack(Stack(home, port)) as stack: stack.kill("basket")`.

    The thread lives as long as the stack: its children end with the thread that started them.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="devstack", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._do(self.stack.start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._do(self.stack.stop())
        finally:
            self._end()

    def start(self, component: str) -> None:
        """Start a component and wait until it is ready; NotReady when it is not."""
        self._do(self.stack.start_component(component))

    def stop(self, component: str) -> None:
        """Stop a component as an operator would; it stays down until `start`."""
        self._do(self.stack.stop_component(component))

    def kill(self, component: str) -> None:
        """SIGKILL a component's process group; it stays down until `start`."""
        self._do(self.stack.kill(component))

    def _do(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
