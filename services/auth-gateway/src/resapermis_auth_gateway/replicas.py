"""How many replicas of a process are at work, and which part of a limit each may use.

What is too hot to be counted in the database is counted in memory, by each replica for itself, and divided: a replica
that stands in the table with `parts` n uses at most an n-th of each limit. The sum over replicas at work is never more
than one: a fresh one enters itself with nothing, the others make do with less and write that down only once what they
used in the last minute fits, and then it takes its part. Beats of one process are made one after the other (an
advisory lock), and the time is the database's, one for all.

One replica alone always has the whole. What a replica that ended had used in its last minute is not known to one that
takes its place, as after any restart; those that stay take its part after a minute.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway.tables import replicas
from resapermis_kit.database.engine import make_engine
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure
from resapermis_kit.process.process import Process

BEAT_SECONDS = 2.0
GONE_SECONDS = 10.0
"""Who was not seen for so long is not at work; a replica that cannot write for so long uses nothing, unless it is alone."""
USED_SECONDS = 75.0
"""So long after a replica was last seen its calls may still count: a minute, and what the longest call takes."""
JOIN_SECONDS = 90.0
"""A fresh replica serves nobody until it has its part, but no longer than this."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Sighting:
    """Another replica of the process, seen in the last USED_SECONDS."""

    parts: int
    """It uses one of so many parts; 0: nothing yet."""
    at_work: bool
    """Seen in the last GONE_SECONDS."""


def parts_for(own: int, others: Sequence[Sighting]) -> int:
    """Into how many parts a replica that has one of `own` (0: none yet) is to divide; 0 where nothing is free yet."""
    at_work = [other for other in others if other.at_work]
    needed = 1 + len(at_work)
    if own == 0:
        return needed if _fits(needed, at_work) else 0
    if needed > own:
        return needed
    lately = 1 + len(others)
    return lately if lately < own and _fits(lately, others) else own


def _fits(parts: int, others: Sequence[Sighting]) -> bool:
    taken = sum((Fraction(1, other.parts) for other in others if other.parts), Fraction())
    return taken + Fraction(1, parts) <= 1


class Replicas:
    """This replica among those of its process: `join` before it serves, `run` while it does, `leave` at its end."""

    def __init__(
        self,
        engine: AsyncEngine,
        process: str,
        place: str,
        divide: Callable[[int], None],
        within: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`place` is this replica's own and the same after a restart. `divide` makes the limits an n-th of the whole (0: none).

        `within`: whether what was used until now is within the limits as they were last divided.
        """
        self._engine, self._process, self._place = engine, process, place
        self._divide, self._within, self._clock = divide, within, clock
        self.parts = 0
        """Into how many parts limits are divided here; 0: nothing may be used."""
        self._seen = clock()
        self._set(0)

    async def join(self) -> None:
        """Enter this replica, and wait until it has its part."""
        latest = self._clock() + JOIN_SECONDS
        while True:
            await self.try_beat()
            if self.parts or self._clock() >= latest:
                return
            await asyncio.sleep(BEAT_SECONDS / 4)

    async def run(self) -> None:
        """Beat for ever."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await self.try_beat()

    async def leave(self) -> None:
        """Use nothing more; whoever comes in this one's place need not wait."""
        self._set(0)
        gone = sa.func.statement_timestamp() - sa.text(f"interval '{GONE_SECONDS:.0f} s'")
        try:
            async with asyncio.timeout(BEAT_SECONDS), transaction(self._engine) as tx:
                await tx.execute(sa.update(replicas).where(*self._own()).values(seen_at=gone))
        except (Failure, sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("replicas.not_left", error_type=type(error).__qualname__)

    async def try_beat(self) -> None:
        """`beat`; a database that is away is no failure, but who is not alone uses nothing once it counts as gone."""
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                await self.beat()
        except (Failure, sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("replicas.missed", error_type=type(error).__qualname__)
            if self.parts > 1 and self._clock() - self._seen >= GONE_SECONDS - BEAT_SECONDS:
                self._set(0)  # the others are about to take this one for gone

    async def beat(self) -> None:
        """Write down that this replica is at work, read who else is, and divide accordingly."""
        began = self._clock()
        async with transaction(self._engine) as tx:
            lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"replicas {self._process}", 0))
            await tx.execute(sa.select(lock))
            age = sa.func.extract("epoch", sa.func.statement_timestamp() - replicas.c.seen_at)
            await tx.execute(
                sa.delete(replicas).where(
                    replicas.c.process == self._process, age > USED_SECONDS, ~sa.and_(*self._own())
                )
            )
            rows = (
                await tx.execute(
                    sa.select(replicas.c.place, replicas.c.parts, (age < GONE_SECONDS).label("at_work")).where(
                        replicas.c.process == self._process
                    )
                )
            ).all()
            own = next((row.parts for row in rows if row.place == self._place and row.at_work), 0)
            others = [Sighting(row.parts, row.at_work) for row in rows if row.place != self._place]
            wanted = parts_for(own, others)
            written = wanted
            if 0 < own < wanted:
                self._set(wanted)
                written = wanted if self._within() else own
            values = {"parts": written, "seen_at": sa.func.statement_timestamp()}
            await tx.execute(
                insert(replicas)
                .values(process=self._process, place=self._place, **values)
                .on_conflict_do_update(index_elements=[replicas.c.process, replicas.c.place], set_=values)
            )
        self._seen = began
        self._set(wanted)

    def _own(self) -> tuple[sa.ColumnElement[bool], ...]:
        return replicas.c.process == self._process, replicas.c.place == self._place

    def _set(self, parts: int) -> None:
        self._divide(parts)
        if parts != self.parts:
            log.info("replicas.divided", parts=parts)
        self.parts = parts


async def join_replicas(process: Process, divide: Callable[[int], None], within: Callable[[], bool]) -> None:
    """Divide a process's limits with its other replicas, from before it serves until after its last answer.

    On a connection of its own: callers who fill the pool must not make a replica look gone.
    """
    engine = make_engine(
        process.settings.database_url, pool=1, name=f"{process.name} replicas", certificates=process.certificates
    )
    place = f"{socket.gethostname()} {process.settings.grpc_listen}"
    found = Replicas(engine, process.name, place, divide, within)
    await found.join()
    process.workers.append(found.run)
    process.closers += [found.leave, engine.dispose]
