"""Polls that nobody waits for: the poll schedule is asked what is latest, tokens pay, and nothing is ever booked."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Gauge, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Failure
from resapermis_kit.rpc import peers
from resapermis_scheduling_rules.domain.polls import PlaceInterest, Poll
from resapermis_scheduling_rules.mirror import queries
from resapermis_scheduling_rules.mirror.poll_schedule import (
    CentreGroup,
    PollDemand,
    PollReason,
    PollSchedule,
    Publication,
)
from resapermis_scheduling_rules.mirror.poller import Poller
from resapermis_scheduling_rules.mirror.tokens import Tokens
from resapermis_scheduling_rules.peers import BUDGET, RECONNECT, SEEN

if TYPE_CHECKING:
    from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceAsyncStub


WATCHED = timedelta(minutes=10)
"""How long what a person looked at is polled for them."""
DEMANDS_STAND = timedelta(seconds=30)
"""How long favourites, saved searches and centres may be old here."""
ASKED_A_ROUND = 20
"""Tokens asked about at once; the rest comes with the next round."""
OVERLAP = timedelta(seconds=10)
"""Polls of others commit a moment after the time they carry."""
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=1)
LATEST = Gauge("resapermis_polls_wanted", "Centres that the planner polls, by why", ["why"])
AGES = Histogram(
    "resapermis_poll_age_seconds",
    "Age of the answer that a planned poll is to replace, by why the centre is polled",
    ["why"],
    buckets=(10, 30, 60, 90, 120, 240, 480, 900, 1800, 3600, 7200, 14400),
)
for _why in PollReason:
    AGES.labels(_why.name.lower())
log = structlog.get_logger()
SearchCriteria = Callable[
    [Sequence[PlaceInterest], datetime],
    Awaitable[tuple[Mapping[CentreGroup, PollDemand], Mapping[tuple[str, str], Publication]]],
]
"""Says which centres are wanted beside what people look at, and when slots of a department and category group go on line."""
NoteGranted = Callable[[Tx, str, datetime], Awaitable[None]]
"""Remembers that a school's grant for background work stands at a moment."""


class PollPlanner:
    """Plans rounds of polls and runs them. Its memory is its own: another replica that takes over reads everything again."""

    def __init__(
        self,
        engine: AsyncEngine,
        egress: "RdvPermisServiceAsyncStub",
        poller: Poller,
        now: Clock,
        wanted: SearchCriteria,
        note_granted: NoteGranted,
        *,
        most: int,
    ) -> None:
        """At most `most` polls a round."""
        self._wanted, self._note_granted = wanted, note_granted
        self._engine, self._egress, self._poller, self._now, self._most = engine, egress, poller, now, most
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._schedule, self._tokens = PollSchedule(), Tokens()
        self._demands_read_at: datetime | None = None
        self._read_until: datetime | None = None
        self._seen_places: set[tuple[str, str]] = set()
        self._down_until: datetime | None = None
        self._pause = SHORTEST_PAUSE

    async def round(self) -> None:
        """Plan one round of polls and run it. People's polls come first: what they wait for is not delayed by these."""
        now = self._now()
        if self._down_until is not None:
            if now < self._down_until:
                return
            self._down_until = None
        await self._learn(now)
        chosen = self._schedule.next(now, self._tokens, self._most)
        if await self._ask_tokens(now) and len(chosen) < self._most:
            chosen += self._schedule.next(now, self._tokens, self._most - len(chosen), again=True)
        for _, poll in chosen:
            why, age = self._schedule.why(poll), self._schedule.age(poll, now)
            if why is not None and age is not None:
                AGES.labels(why.name.lower()).observe(age)
        await asyncio.gather(*(self._poll(school_id, poll) for school_id, poll in chosen))

    async def _learn(self, now: datetime) -> None:
        """Read what people look at, and, less often, what else is wanted; then what others saw since."""
        async with transaction(self._reader) as tx:
            interests = await queries.interests_since(tx, now - WATCHED)
        places = {(one.department, one.category) for one in interests}
        stale = (
            self._demands_read_at is None or not self._demands_read_at <= now < self._demands_read_at + DEMANDS_STAND
        )
        if stale or not places <= self._seen_places:
            before = set(self._schedule.places)
            await self._set_demands(interests, now)
            self._demands_read_at, self._seen_places = now, places
            if not set(self._schedule.places) <= before:
                self._read_until = None  # of new centres, also what was seen long ago counts
        self._schedule.watch(interests, now)
        async with transaction(self._reader) as tx:
            changed = await queries.polls_since(tx, self._read_until, now.date())
        for poll, seen in changed:
            self._schedule.learn(poll, seen)
        self._read_until = now - OVERLAP

    async def _set_demands(self, interests: Sequence[PlaceInterest], now: datetime) -> None:
        demands, self._schedule.publications = await self._wanted(interests, now)
        self._schedule.set_demands(demands, now)
        for why in PollReason:
            LATEST.labels(why.name.lower()).set(sum(demand.why is why for demand in demands.values()))

    async def _ask_tokens(self, now: datetime) -> bool:
        """Ask egress about tokens that somebody needed and nobody knew; True when there were any."""
        unknown = self._tokens.to_ask(ASKED_A_ROUND)

        async def ask(school_id: str) -> None:
            request = rdv.GetBudgetRequest(on_behalf=rdv.OnBehalf(school_id=school_id))
            try:
                answer = await peers.call(self._egress.GetBudget, request, timeout=2, principal="")
            except Failure as failure:
                log.info("plan.no_budget", code=failure.name)
                return
            self._tokens.update(
                school_id,
                now.timestamp(),
                connected=answer.connected and answer.reachable,
                calls_left=answer.calls_left,
                calls_per_minute=answer.calls_per_minute,
            )
            if answer.granted:
                async with transaction(self._reader) as tx:
                    await self._note_granted(tx, school_id, now)

        await asyncio.gather(*(ask(one) for one in unknown))
        return bool(unknown)

    async def _poll(self, school_id: str, poll: Poll) -> None:
        """One poll; what it costs and what it shows of the token and of RdvPermis is remembered."""
        if self._poller.busy or self._down_until is not None:
            self._tokens.unused(school_id)
            self._schedule.ended(poll, self._now())
            return
        outcome = await self._poller.poll(poll, school_id)
        now = self._now()
        self._schedule.ended(poll, now)
        if outcome == SEEN:
            self._tokens.seen(school_id)
            self._pause = SHORTEST_PAUSE
        elif outcome in {BUDGET, RECONNECT}:
            self._tokens.refused(school_id, now.timestamp(), reconnect=outcome == RECONNECT)
        elif self._down_until is None:
            self._down_until = now + self._pause
            self._pause = min(LONGEST_PAUSE, self._pause * 2)
