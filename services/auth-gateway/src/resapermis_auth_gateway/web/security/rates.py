"""Rate limits: of an address, for sign-in and private calendars, in the database; of a session, for changes, in memory.

What all replicas count together is one statement on a table; changes pass here on the path of every hold, and are
counted by each replica for itself, which has its part of the limit (`replicas`).
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from limits import parse
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway.tables import rate_counts
from resapermis_auth_gateway.web.wire.problem import too_many
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import transaction

Kind = Literal["sign_in", "calendar"]
"""What is counted for each address."""
COUNT = """
WITH passed AS (
    INSERT INTO rate_count AS counted (kind, who, moments, over_at)
    VALUES (:kind, :who, ARRAY[statement_timestamp()], statement_timestamp() + CAST(:span AS interval))
    ON CONFLICT (kind, who) DO UPDATE SET
        moments = array_append(
            ARRAY(SELECT moment FROM unnest(counted.moments) AS moment
                  WHERE moment >= statement_timestamp() - CAST(:span AS interval)),
            statement_timestamp()),
        over_at = excluded.over_at
    WHERE (SELECT count(*) FROM unnest(counted.moments) AS moment
           WHERE moment >= statement_timestamp() - CAST(:span AS interval)) < CAST(:most AS integer)
    RETURNING 1
)
SELECT EXISTS (SELECT FROM passed) AS passed,
       (SELECT min(moment) + CAST(:span AS interval)
        FROM rate_count, unnest(moments) AS moment
        WHERE kind = :kind AND who = :who AND moment >= statement_timestamp() - CAST(:span AS interval)) AS free_at
"""
"""Counts one if there is room, else changes nothing.

The row's lock puts replicas in a line, and each judges what the one before it wrote. The time is the database's, which
is one for them all. Who is refused in the very moment in which others were counted may find no `free_at`.
"""


class Window:
    """A sliding window: at most a given number of requests in any span of given seconds, for each key.

    Not the storage of the library `limits`: at each hit it goes through all who asked lately, with a thread for each.
    """

    def __init__(self, most: int, seconds: int) -> None:
        """Nobody has asked yet. ValueError for a limit that lets nothing through."""
        if most < 1:
            raise ValueError("a rate limit lets at least one through")
        self._whole, self._most, self._seconds = most, most, seconds
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()
        """Moments counted, oldest first, by who; who was counted longest ago comes first."""

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._asked)

    def divide(self, parts: int) -> None:
        """Let one part of `parts` through from now on, at least one request; 0: none."""
        self._most = max(1, self._whole // parts) if parts else 0

    def within(self, now: float) -> bool:
        """Whether nobody was counted more often lately than may be now."""
        over = now - self._seconds
        return all(
            len(moments) <= self._most or sum(moment >= over for moment in moments) <= self._most
            for moments in self._asked.values()
        )

    def hit(self, who: str, now: float) -> float | None:
        """Count one at `now`, in seconds; where there were too many, count nothing and return when the next is free."""
        over = now - self._seconds
        while self._asked and next(iter(self._asked.values()))[-1] < over:
            self._asked.popitem(last=False)
        moments = self._asked.get(who) or deque()
        while moments and moments[0] < over:
            moments.popleft()
        if len(moments) >= self._most:
            return (moments[-self._most] if self._most else now) + self._seconds
        moments.append(now)
        self._asked[who] = moments
        self._asked.move_to_end(who)
        return None


class Rates:
    """How often an address may come and a session may change something."""

    def __init__(
        self,
        engine: AsyncEngine,
        index: Callable[[str, str], bytes],
        *,
        sign_in: str,
        write: str,
        calendar: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Limits in the notation of the library `limits`, e.g. "30/minute"; `now` in seconds since 1970, for changes.

        `index` is the keyed hash of a field's value under which an address is counted: none is stored.
        """
        limits = {"sign_in": parse(sign_in), "calendar": parse(calendar)}
        self._most = {kind: limit.amount for kind, limit in limits.items()}
        self._span = {kind: timedelta(seconds=limit.get_expiry()) for kind, limit in limits.items()}
        changes = parse(write)
        self._changes = Window(changes.amount, changes.get_expiry())
        self._engine, self._index, self._now = engine, index, now
        self._count = Statement(COUNT)

    async def count(self, kind: Kind, address: str) -> None:
        """Count one for all replicas, in one statement; refuse with the time at which the next is free."""
        values = {"kind": kind, "who": self._index(f"rate.{kind}", address)}
        (row,) = await self._count.run(self._engine, values | {"span": self._span[kind], "most": self._most[kind]})
        if not row.passed:
            raise too_many(row.free_at or datetime.fromtimestamp(self._now(), UTC) + self._span[kind])

    def change(self, session_id: str) -> None:
        """Count a change of a session, in this replica; refuse with the time at which the next is free."""
        free_at = self._changes.hit(session_id, self._now())
        if free_at is not None:
            raise too_many(datetime.fromtimestamp(free_at, UTC))

    def divide(self, parts: int) -> None:
        """Let one part of `parts` of a session's changes through in this replica; 0: none."""
        self._changes.divide(parts)

    def within(self) -> bool:
        """Whether no session has changed more lately than it may now."""
        return self._changes.within(self._now())

    async def forget(self) -> None:
        """Delete counts whose window is over, so that the table holds who came lately. Run by one replica."""
        async with transaction(self._engine) as tx:
            await tx.execute(sa.delete(rate_counts).where(rate_counts.c.over_at < sa.func.statement_timestamp()))
