"""Due lines, a batch a school, fairly: no school waits for a slow one, and none has a second batch before all had one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_basket.domain.doubt import pause_seconds
from resapermis_basket.domain.line import Line
from resapermis_basket.line.failures import LinesFailed
from resapermis_basket.reconcile.queries import LeftOut
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Failure
from resapermis_kit.process import leader

K = TypeVar("K")
FAILED = Counter(
    "resapermis_basket_school_batches_failed_total", "Batches of a school that a leader task could not end", ["task"]
)
FIRST_BACKOFF_SECONDS = 1.0
log = structlog.get_logger()


class Backoffs(Generic[K]):
    """What failed is left out for a second, then for twice as long, at most a minute: the others go before it."""

    def __init__(self) -> None:
        """Nothing is left out yet; kept by the process that leads: another one tries at once."""
        self._of: dict[K, tuple[int, float]] = {}

    def failed(self, key: K) -> None:
        """Leave `key` out, twice as long as after its failure before."""
        times = self._of.get(key, (0, 0.0))[0]
        self._of[key] = (times + 1, time.monotonic() + pause_seconds(times, FIRST_BACKOFF_SECONDS))

    def succeeded(self, key: K) -> None:
        """Forget the failures of `key`."""
        self._of.pop(key, None)

    def left_out(self) -> set[K]:
        """The keys whose time is not over yet."""
        return {key for key, (_, until) in self._of.items() if time.monotonic() < until}


class SchoolBatches:
    """A leader task on due lines. What a batch raises ends that batch alone."""

    def __init__(
        self,
        engine: AsyncEngine,
        task: str,
        due: Callable[[Tx, LeftOut], Awaitable[list[Line]]],
        work: Callable[[str, list[Line]], Awaitable[int]],
        *,
        at_once: int,
        most: int,
    ) -> None:
        """`due`: lines longest due first; `work`: one batch, returns how many lines changed.

        At most `at_once` batches at a time, so that the others get their share of RdvPermis and of the database; at most `most`
        lines a batch, so that a school with many of them does not keep its place from the next.
        """
        self._engine, self._task, self._due, self._work = engine, task, due, work
        self._at_once, self._most = at_once, most
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._schools, self._lines = Backoffs[str](), Backoffs[UUID]()
        self._changed = 0

    async def run(self, seconds: float) -> None:
        """For ever, about every `seconds` a round."""
        async with asyncio.TaskGroup() as tasks:
            await leader.every(seconds, self._task, lambda: self._round(tasks))

    async def whole_round(self) -> int:
        """One round to the end of its last batch; how many lines changed."""
        self._changed = 0
        async with asyncio.TaskGroup() as tasks:
            await self._round(tasks)
        return self._changed

    async def _round(self, tasks: asyncio.TaskGroup) -> None:
        """Begin one batch for each school that has something due; returns when the last has begun."""
        had: set[str] = set()
        while True:
            while len(self._under_way) >= self._at_once:
                await asyncio.wait(self._under_way.values(), return_when=asyncio.FIRST_COMPLETED)
            found = await self._search(had)
            if not found:
                return
            for school_id, lines in list(found.items())[: self._at_once - len(self._under_way)]:
                had.add(school_id)
                batch = tasks.create_task(self._batch(school_id, lines[: self._most]))
                self._under_way[school_id] = batch
                batch.add_done_callback(partial(self._ended, school_id))

    def _ended(self, school_id: str, _batch: "asyncio.Task[None]") -> None:
        del self._under_way[school_id]

    async def _search(self, had: set[str]) -> dict[str, list[Line]]:
        left_out = LeftOut(had | self._under_way.keys() | self._schools.left_out(), self._lines.left_out())
        async with transaction(self._engine) as tx:
            due = await self._due(tx, left_out)
        found: dict[str, list[Line]] = {}
        for line in due:
            found.setdefault(line.school_id, []).append(line)
        return found

    async def _batch(self, school_id: str, lines: list[Line]) -> None:
        try:
            self._changed += await self._work(school_id, lines)
        except LinesFailed as some:
            self._changed += some.changed
            for line_id in some.line_ids:
                self._lines.failed(line_id)
        except Failure as failure:  # the database's, which is away for all alike: tried again in the next round
            FAILED.labels(self._task).inc()
            log.warning("school_batch.deferred", task=self._task, school=school_id, code=failure.name)
        except Exception as error:  # noqa: BLE001 - counted, logged, tried again; the other schools go on
            FAILED.labels(self._task).inc()
            log.error("school_batch.failed", task=self._task, school=school_id, error_type=type(error).__qualname__)
            self._schools.failed(school_id)
        else:
            self._schools.succeeded(school_id)
            for line in lines:
                self._lines.succeeded(line.id)
