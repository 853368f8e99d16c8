"""Who asks for what is taken hears it at the least cost: nobody else is asked, and many refusals are one statement.

When hundreds press for one slot, all but one are told no; while one batch is being written the next gathers.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from resapermis_basket import store
from resapermis_basket.acts import Parts
from resapermis_basket.store import Late, Told

MOST_AT_ONCE = 50


class Telling:
    """Writes the refusals of those who came too late, one batch after the other."""

    def __init__(self, parts: Parts) -> None:
        """Nobody waits yet."""
        self._parts = parts
        self._waiting: deque[tuple[Late, asyncio.Future[Told]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def tell(self, late: Late) -> Told:
        """Write one refusal with those of others, and say what became of it; a Failure is that of the whole batch."""
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiting.append((late, told))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await told

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
                await self._write_batch(batch)
        finally:
            self._writing = None

    async def _write_batch(self, batch: Sequence[tuple[Late, asyncio.Future[Told]]]) -> None:
        try:
            found = await store.refuse(self._parts.engine, [late for late, _ in batch])
        except Exception as error:  # noqa: BLE001 - each of those who wait hears it as their own
            for _, told in batch:
                if not told.done():
                    told.set_exception(error)
            return
        self._parts.outbox.bell.ring()
        for late, told in batch:
            if not told.done():  # its caller went away
                told.set_result(found[late.group.id])
