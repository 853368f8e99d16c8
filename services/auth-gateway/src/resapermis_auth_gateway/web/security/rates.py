"""Rate limits: of an address, for sign-in and private calendars, in the database; of an account, for reads and changes, in memory.

What all replicas count together is one statement on a table; reads and changes pass here on the path of every request, and
are counted by each replica for itself, which has its part of the limit (`replicas`). So are reports of browsers, by address:
nobody's sign-in may depend on how many of them come.
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from limits import parse
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway.tables import rate_counts
from resapermis_auth_gateway.web.wire.problem import too_many
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import transaction

Kind = Literal["login", "callback", "passkey", "calendar"]
"""What is counted for each address, by all replicas together. Each by itself."""
Budget = Literal["read", "write", "report", "provider"]
"""What each replica counts: reads and changes for each account, reports and the provider's own sign-outs for each address."""
Headers = list[tuple[bytes, bytes]]
"""Of an answer."""
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
    RETURNING cardinality(moments) AS used
)
SELECT (SELECT used FROM passed) AS used,
       (SELECT min(moment) + CAST(:span AS interval)
        FROM rate_count, unnest(moments) AS moment
        WHERE kind = :kind AND who = :who AND moment >= statement_timestamp() - CAST(:span AS interval)) AS free_at
"""
"""Counts one if there is room, else changes nothing.

The row's lock puts replicas in a line, and each judges what the one before it wrote. The time is the database's, which
is one for them all. `used`: how many count now, absent where this one was refused. Who is refused in the very moment in
which others were counted may find no `free_at`, nor does who is the first.
"""
LIMITED = Counter("resapermis_http_limited", "Requests refused for coming too often, by what was counted", ["budget"])


def fields(name: str, quota: int, seconds: int, left: int, more_in: float) -> Headers:
    """The RateLimit fields (draft-ietf-httpapi-ratelimit-headers-10): the policy, how many are left, seconds until there are more."""
    return [
        (b"ratelimit-policy", f'"{name}";q={quota};w={seconds}'.encode()),
        (b"ratelimit", f'"{name}";r={left};t={max(0, math.ceil(more_in))}'.encode()),
    ]


class Window:
    """A sliding window: at most a given number of requests in any span of given seconds, for each key.

    Not the storage of the library `limits`: at each hit it goes through all who asked lately, with a thread for each.
    """

    def __init__(self, most: int, seconds: int) -> None:
        """Nobody has asked yet. ValueError for a limit that lets nothing through."""
        if most < 1:
            raise ValueError("a rate limit lets at least one through")
        self.whole, self.seconds = most, seconds
        """The limit of all replicas together, and its span."""
        self._most = most
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()
        """Moments counted, oldest first, by who; who was counted longest ago comes first."""

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._asked)

    def divide(self, parts: int) -> None:
        """Let one part of `parts` through from now on, at least one request; 0: none."""
        self._most = max(1, self.whole // parts) if parts else 0

    def within(self, now: float) -> bool:
        """Whether nobody was counted more often lately than may be now."""
        over = now - self.seconds
        return all(
            len(moments) <= self._most or sum(moment >= over for moment in moments) <= self._most
            for moments in self._asked.values()
        )

    def hit(self, who: str, now: float) -> float | None:
        """Count one at `now`, in seconds; where there were too many, count nothing and return when the next is free."""
        over = now - self.seconds
        while self._asked and next(iter(self._asked.values()))[-1] < over:
            self._asked.popitem(last=False)
        moments = self._asked.get(who) or deque()
        while moments and moments[0] < over:
            moments.popleft()
        if len(moments) >= self._most:
            return (moments[-self._most] if self._most else now) + self.seconds
        moments.append(now)
        self._asked[who] = moments
        self._asked.move_to_end(who)
        return None

    def left(self, who: str, now: float) -> tuple[int, float]:
        """How many more may come at `now`, and in how many seconds one that was counted no longer is."""
        moments = self._asked.get(who)
        if not moments:
            return self._most, 0.0
        return max(0, self._most - len(moments)), moments[0] + self.seconds - now


class Rates:
    """How often an address may come, and an account may read and change something."""

    def __init__(
        self,
        engine: AsyncEngine,
        index: Callable[[str, str], bytes],
        *,
        sign_in: str,
        calendar: str,
        read: str,
        write: str,
        report: str,
        provider: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Limits in the notation of the library `limits`, e.g. "30/minute"; `now` in seconds since 1970, for what is in memory.

        `index` is the keyed hash of a field's value under which an address is counted: none is stored.
        """
        by_sign_in = dict.fromkeys(("login", "callback", "passkey"), parse(sign_in))
        limits = {**by_sign_in, "calendar": parse(calendar)}
        self._most = {kind: limit.amount for kind, limit in limits.items()}
        self._span = {kind: timedelta(seconds=limit.get_expiry()) for kind, limit in limits.items()}
        own = {"read": parse(read), "write": parse(write), "report": parse(report), "provider": parse(provider)}
        self._windows = {budget: Window(limit.amount, limit.get_expiry()) for budget, limit in own.items()}
        self._engine, self._index, self._now = engine, index, now
        self._count = Statement(COUNT)

    async def count(self, kind: Kind, address: str, headers: Headers) -> None:
        """Count one for all replicas, in one statement; refuse with the time at which the next is free.

        Either way `headers` get what is left.
        """
        most, span = self._most[kind], self._span[kind]
        values = {"kind": kind, "who": self._index(f"rate.{kind}", address)}
        (row,) = await self._count.run(self._engine, values | {"span": span, "most": most})
        now = datetime.fromtimestamp(self._now(), UTC)
        free_at: datetime = row.free_at or now + span
        left = 0 if row.used is None else most - row.used
        headers += fields(kind, most, int(span.total_seconds()), left, (free_at - now).total_seconds())
        if row.used is None:
            LIMITED.labels(kind).inc()
            raise too_many(free_at, f"rate_{kind}")

    def spend(self, budget: Budget, who: str, headers: Headers) -> None:
        """Count one in this replica; refuse with the time at which the next is free. Either way `headers` get what is left."""
        window, now = self._windows[budget], self._now()
        free_at = window.hit(who, now)
        left, more_in = window.left(who, now)
        headers += fields(budget, window.whole, window.seconds, left, more_in if free_at is None else free_at - now)
        if free_at is not None:
            LIMITED.labels(budget).inc()
            raise too_many(datetime.fromtimestamp(free_at, UTC), f"rate_{budget}")

    def divide(self, parts: int) -> None:
        """Let one part of `parts` of each budget through in this replica; 0: none."""
        for window in self._windows.values():
            window.divide(parts)

    def within(self) -> bool:
        """Whether nobody has used more lately than they may now."""
        return all(window.within(self._now()) for window in self._windows.values())

    async def forget(self) -> None:
        """Delete counts whose window is over, so that the table holds who came lately. Run by one replica."""
        async with transaction(self._engine) as tx:
            await tx.execute(sa.delete(rate_counts).where(rate_counts.c.over_at < sa.func.statement_timestamp()))
