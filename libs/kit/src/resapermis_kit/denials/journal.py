"""From a refusal to its record: counted at once in memory, written by a task beside, a statement for many."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog
from prometheus_client import Counter

from resapermis.audit.v1.events_pb2 import Record
from resapermis_kit.clock import Clock
from resapermis_kit.denials.denial import ACTION, Denial, record_of
from resapermis_kit.denials.sampling import Bounds, Sampler
from resapermis_kit.errors import Failure

PAUSE_SECONDS = 0.5
"""Between two statements: however many are refused, no more than two a second."""
DENIED = Counter(
    "resapermis_access_denied_total", "Refusals of access, by what was refused and why", ["action", "reason"]
)
for _reason in (
    *("principal_forged", "principal_audience", "principal_twice", "principal_expired"),
    *("certificate_denied", "certificate_expired", "certificate_untrusted", "certificate_unlisted"),
):
    DENIED.labels(ACTION, _reason)  # there from the start, at 0: Prometheus sees no increase in what begins at 1
log = structlog.get_logger()


class DenialJournal:
    """The refusals of this process. `add` costs no database; `run` writes records, `close` the last ones."""

    def __init__(
        self,
        write: Callable[[Sequence[Record]], Awaitable[None]],
        now: Clock,
        service: str,
        bounds: Bounds | None = None,
    ) -> None:
        """`write` puts records into the outbox, in one statement; Failure where it cannot. `service` is who refuses."""
        self._write, self._now, self._service = write, now, service
        self._sampler: Sampler[Denial] = Sampler(lambda denial: denial.who, Denial.coarser, bounds)
        self._first = asyncio.Event()
        """A first one of its kind waits."""
        self._writing = asyncio.Lock()

    def __len__(self) -> int:
        """How many kinds are remembered."""
        return len(self._sampler)

    def add(self, denial: Denial) -> None:
        """Count a refusal; the first of its kind in a window is about to be recorded, those after it when the window ends."""
        DENIED.labels(denial.action, denial.reason).inc()
        if self._sampler.add(denial, self._now().timestamp()):
            self._first.set()

    async def run(self) -> None:
        """Write for ever. What the database does not take waits, counted on."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS if len(self._sampler) else None):
                    await self._first.wait()
            try:
                await self.write()
            except Failure as failure:
                log.warning("denials.waiting", code=failure.name)
            await asyncio.sleep(PAUSE_SECONDS)

    async def write(self, *, all_of_it: bool = False) -> None:
        """Write what is due, in one statement; `all_of_it`: whatever was counted. Failure where the database is away."""
        async with self._writing:
            self._first.clear()
            samples = self._sampler.due(self._now().timestamp(), all_of_it=all_of_it)
            if not samples:
                return
            await self._write([record_of(one.kind, one.count, one.first, one.last, self._service) for one in samples])
            self._sampler.written(samples, self._now().timestamp())

    async def close(self) -> None:
        """Write all that was counted, at the end of the process."""
        try:
            await self.write(all_of_it=True)
        except Failure as failure:
            log.error("denials.lost", code=failure.name, kinds=len(self._sampler))
