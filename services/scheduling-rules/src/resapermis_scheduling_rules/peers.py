"""How RdvPermis is asked through egress: for whom, each question once at a time, answers remembered for seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import structlog
from cachetools import LRUCache

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_kit.clock import Clock
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import caller, current_token
from resapermis_kit.rpc.deadline import deadline

ASK_SECONDS = 5.0
REMEMBERED = 20_000
SEEN = ""
BUDGET, DOWN, RECONNECT = "budget", "rdvpermis_down", "reconnect"
_REASONS = {Code.CODE_RDVPERMIS_BUDGET: BUDGET, Code.CODE_RECONNECT_NEEDED: RECONNECT}
V = TypeVar("V")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose token a poll spends: a person's (their signed principal), or for the service itself any of the school's."""

    school_id: str
    principal: str = ""
    account_id: str = ""

    @property
    def on_behalf(self) -> rdv.OnBehalf | None:
        """Metadata for calls without a person: the school alone."""
        return None if self.principal else rdv.OnBehalf(school_id=self.school_id)


def asker() -> Asker:
    """Who calls the RPC under way, for their school, with the principal to pass on; FORBIDDEN outside a school."""
    person = caller().school()
    return Asker(person.school_id, current_token.get(), person.account_id)


def reason(failure: Failure) -> str:
    """Why something could not be polled, as SearchSlotsResponse.incomplete_reason names it."""
    return _REASONS.get(failure.code, DOWN)


class TtlCache(Generic[V]):
    """A cache whose entries last a few seconds from when they were read; full, what was used longest ago goes."""

    def __init__(self, now: Clock, seconds: float) -> None:
        """`seconds` is how late a change elsewhere may be seen here."""
        self._now, self._lasts = now, timedelta(seconds=seconds)
        self._values: LRUCache[object, tuple[datetime, V]] = LRUCache(REMEMBERED)

    async def get(self, key: object, read: Callable[[], Awaitable[V]]) -> V:
        """Return what is remembered under `key` and still fresh, or read and remember it; whatever `read` raises."""
        now = self._now()
        known = self._fresh(key, now)
        if known is not None:
            return known[1]
        value = await read()
        self.keep(key, value, now)
        return value

    def has(self, key: object) -> bool:
        """Whether `key` is remembered and still fresh."""
        return self._fresh(key, self._now()) is not None

    def keep(self, key: object, value: V, read_at: datetime) -> None:
        """Remember what was read along with something else."""
        self._values[key] = (read_at, value)

    def forget(self, key: object) -> None:
        """Drop `key`, remembered or not: the next `get` reads again."""
        self._values.pop(key, None)

    def _fresh(self, key: object, now: datetime) -> tuple[datetime, V] | None:
        known = self._values.get(key)
        # Neither older than it may be nor from the future: a clock that was set back makes nothing last longer.
        return known if known is not None and now - self._lasts < known[0] <= now else None


class SingleFlight:
    """Work that several wait for, run once at a time by key."""

    def __init__(self) -> None:
        self._in_flight: dict[object, asyncio.Task[Any]] = {}

    async def once(self, key: object, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Share one run of `work` with everybody who wants the same; its Failure goes to all."""
        await asyncio.shield(self._shared(key, work))

    def in_background(self, key: object, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[Any]:
        """Run `work` once behind the answer; a Failure is logged, what was known before stays in force."""

        async def quietly() -> None:
            try:
                await work()
            except Failure as failure:
                log.info("refresh.failed", code=failure.name)

        return self._shared(key, quietly)

    async def close(self) -> None:
        """Cancel all runs under way and wait for their end."""
        tasks = list(self._in_flight.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _shared(self, key: object, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[Any]:
        task = self._in_flight.get(key)
        if task is None or task.done():

            async def run() -> None:
                deadline.set(time.monotonic() + ASK_SECONDS)  # its own time, others may wait for it too
                await work()

            task = self._in_flight[key] = asyncio.create_task(run())

            def ended(done: asyncio.Task[Any]) -> None:
                if self._in_flight.get(key) is done:
                    del self._in_flight[key]
                if not done.cancelled():
                    done.exception()  # taken note of, also when every waiter has left

            task.add_done_callback(ended)
        return task
