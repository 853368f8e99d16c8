"""Questions for the same answerer that come in the same moment are answered as one batch.

A statement, a commit, a message to a peer cost nearly the same for one question as for ten. When hundreds ask at once,
those that come while one batch is being answered wait and make the next; who asks alone is answered at once.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
MOST = 32
PATIENCE_SECONDS = 0.1


class Batcher(Generic[Q, A]):
    """Batches the questions for one answerer of this process."""

    def __init__(
        self,
        answer: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]],
        *,
        most: int = MOST,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`answer` takes a batch of at most `most` and returns each one's answer, or its failure, in the same order.

        What it raises is everybody's failure. Who waited `patience_seconds` for the batch before goes on beside it: an
        answerer that hangs holds up nobody but those it has. 0: only what is asked in one turn of the loop goes together.
        """
        self._answer, self._most, self._patience = answer, most, patience_seconds
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._batches: set[asyncio.Task[None]] = set()
        self._next: asyncio.Handle | None = None

    async def submit(self, question: Q) -> A:
        """The answer to one question. Who is cancelled while waiting has not asked, unless the batch is on its way."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, answer))
        if self._next is None:
            # A context of nobody's: what goes together is not the first asker's own.
            if self._batches and self._patience:
                self._next = loop.call_later(self._patience, self._go, context=contextvars.Context())
            else:
                self._next = loop.call_soon(self._go, context=contextvars.Context())
        return await answer

    def _go(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        while self._waiting:
            batch: list[tuple[Q, asyncio.Future[A]]] = []
            while self._waiting and len(batch) < self._most:
                question, answer = self._waiting.popleft()
                if not answer.done():  # else its asker went away
                    batch.append((question, answer))
            if batch:
                task = asyncio.create_task(self._one(batch))
                self._batches.add(task)
                task.add_done_callback(self._ended)
            if self._waiting and self._patience:  # they wait for this batch
                self._next = asyncio.get_running_loop().call_later(self._patience, self._go)
                break

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        if self._waiting and not self._batches:
            self._go()

    async def _one(self, batch: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answered = await self._answer([question for question, _ in batch])
            answers = dict(zip((answer for _, answer in batch), answered, strict=True))
        except BaseException as error:
            ended = isinstance(error, asyncio.CancelledError)
            for _, answer in batch:
                if not answer.done():
                    answer.cancel() if ended else answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for answer, one in answers.items():
            if answer.done():
                continue
            if isinstance(one, Exception):
                answer.set_exception(one)
            else:
                answer.set_result(one)
