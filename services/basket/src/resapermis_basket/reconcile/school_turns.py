"""Rounds over what is due, school by school: no school waits for a slow one, and none has a second turn before all had one."""

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
from resapermis_basket.line.breakage import LinesBroke
from resapermis_basket.reconcile.queries import LeftOut
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Failure
from resapermis_kit.process import leader

K = TypeVar("K")
FAILED = Counter("resapermis_basket_turns_failed_total", "Turns of a school that a leader task could not end", ["task"])
FIRST_REST_SECONDS = 1.0
log = structlog.get_logger()


class Rests(Generic[K]):
    """What broke is left alone for a second, then for twice as long, at most a minute: the others go before it."""

    def __init__(self) -> None:
        """Nothing rests; kept by the process that leads, another one tries at once."""
        self._of: dict[K, tuple[int, float]] = {}

    def begin(self, key: K) -> None:
        """It broke just now."""
        times = self._of.get(key, (0, 0.0))[0]
        self._of[key] = (times + 1, time.monotonic() + pause_seconds(times, FIRST_REST_SECONDS))

    def end(self, key: K) -> None:
        """It broke no more."""
        self._of.pop(key, None)

    def now(self) -> set[K]:
        """What rests now."""
        return {key for key, (_, until) in self._of.items() if time.monotonic() < until}


class SchoolTurns:
    """A leader task on due lines. What a turn raises ends that turn alone."""

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
        """`due`: lines longest due first; `work`: one turn, returns how many lines changed.

        At most `at_once` turns at a time, so that the others get their share of RdvPermis and of the database; at most `most`
        lines a turn, so that a school with many of them does not keep its place from the next.
        """
        self._engine, self._task, self._due, self._work = engine, task, due, work
        self._at_once, self._most = at_once, most
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._schools, self._lines = Rests[str](), Rests[UUID]()
        self._changed = 0

    async def run(self, seconds: float) -> None:
        """For ever, about every `seconds` a round."""
        async with asyncio.TaskGroup() as turns:
            await leader.every(seconds, self._task, lambda: self._round(turns))

    async def whole_round(self) -> int:
        """One round to the end of its last turn; how many lines changed."""
        self._changed = 0
        async with asyncio.TaskGroup() as turns:
            await self._round(turns)
        return self._changed

    async def _round(self, turns: asyncio.TaskGroup) -> None:
        """Give one turn to each school that has something due; returns when the last of them has begun."""
        had: set[str] = set()
        while True:
            while len(self._under_way) >= self._at_once:
                await asyncio.wait(self._under_way.values(), return_when=asyncio.FIRST_COMPLETED)
            found = await self._search(had)
            if not found:
                return
            for school_id, lines in list(found.items())[: self._at_once - len(self._under_way)]:
                had.add(school_id)
                turn = turns.create_task(self._turn(school_id, lines[: self._most]))
                self._under_way[school_id] = turn
                turn.add_done_callback(partial(self._ended, school_id))

    def _ended(self, school_id: str, _turn: "asyncio.Task[None]") -> None:
        del self._under_way[school_id]

    async def _search(self, had: set[str]) -> dict[str, list[Line]]:
        left_out = LeftOut(had | self._under_way.keys() | self._schools.now(), self._lines.now())
        async with transaction(self._engine) as tx:
            due = await self._due(tx, left_out)
        found: dict[str, list[Line]] = {}
        for line in due:
            found.setdefault(line.school_id, []).append(line)
        return found

    async def _turn(self, school_id: str, lines: list[Line]) -> None:
        try:
            self._changed += await self._work(school_id, lines)
        except LinesBroke as broke:
            self._changed += broke.changed
            for line_id in broke.line_ids:
                self._lines.begin(line_id)
        except Failure as failure:  # the database's, which is away for all alike: tried again in the next round
            FAILED.labels(self._task).inc()
            log.warning("school_turn.waits", task=self._task, school=school_id, code=failure.name)
        except Exception as error:  # noqa: BLE001 - counted, logged, tried again; the other schools go on
            FAILED.labels(self._task).inc()
            log.error("school_turn.broke", task=self._task, school=school_id, error_type=type(error).__qualname__)
            self._schools.begin(school_id)
        else:
            self._schools.end(school_id)
            for line in lines:
                self._lines.end(line.id)
