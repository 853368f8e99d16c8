"""Looks that nobody waits for: the agenda is asked what is latest, tokens pay, and nothing is ever booked."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure
from resapermis_kit.rpc import peers
from resapermis_scheduling_rules.domain.distance import within
from resapermis_scheduling_rules.domain.parameters import Rulebook
from resapermis_scheduling_rules.domain.polls import Interest, Look
from resapermis_scheduling_rules.domain.slots import Centre as ExamCentre
from resapermis_scheduling_rules.domain.slots import Point
from resapermis_scheduling_rules.facts import Facts
from resapermis_scheduling_rules.mirror import centres as exam_centres
from resapermis_scheduling_rules.mirror import queries as store
from resapermis_scheduling_rules.mirror.poll_schedule import Agenda, Centre, Publication, Why, Wish
from resapermis_scheduling_rules.mirror.poller import BUDGET, RECONNECT, SEEN, Asker, Looker
from resapermis_scheduling_rules.mirror.tokens import Tokens
from resapermis_scheduling_rules.parameters import queries as parameter_queries
from resapermis_scheduling_rules.school import queries as schools
from resapermis_scheduling_rules.watching import queries as watching
from resapermis_scheduling_rules.watching.answering import Watching
from resapermis_scheduling_rules.watching.queries import Scope

if TYPE_CHECKING:
    from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceAsyncStub


WATCHED = timedelta(minutes=10)
"""How long what a person looked at is looked at for them."""
AT_HOME = timedelta(days=2)
"""A school whose people were here this lately has its own department, favourites and searches looked at."""
WISHES_STAND = timedelta(seconds=30)
"""How long favourites, saved searches and centres may be old here."""
ASKED_A_ROUND = 20
"""Tokens asked about at once; the rest comes with the next round."""
FAVOURITES_FRESH = timedelta(hours=12)
FAVOURITES_A_ROUND = 3
OVERLAP = timedelta(seconds=10)
"""Looks of others commit a moment after the time they carry."""
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=1)
LATEST = Gauge("resapermis_looks_wanted", "Centres that the planner looks at, by why", ["why"])
log = structlog.get_logger()
Offers = Mapping[tuple[str, str], Sequence[ExamCentre]]


class Planner:
    """Plans and flies rounds of looks. Its memory is its own: another replica that takes over reads everything anew."""

    def __init__(
        self, engine: AsyncEngine, egress: "RdvPermisServiceAsyncStub", looker: Looker, now: Clock, *, most: int
    ) -> None:
        """At most `most` looks a round."""
        self._engine, self._egress, self._looker, self._now, self._most = engine, egress, looker, now, most
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._agenda, self._tokens = Agenda(), Tokens()
        self._wished_at: datetime | None = None
        self._read_until: datetime | None = None
        self._seen_places: set[tuple[str, str]] = set()
        self._down_until: datetime | None = None
        self._pause = SHORTEST_PAUSE

    async def round(self) -> None:
        """Plan and fly one round. People's looks come first: what they wait for is not delayed by these."""
        now = self._now()
        if self._down_until is not None:
            if now < self._down_until:
                return
            self._down_until = None
        await self._learn(now)
        chosen = self._agenda.next(now, self._tokens, self._most)
        if await self._ask_tokens(now) and len(chosen) < self._most:
            chosen += self._agenda.next(now, self._tokens, self._most - len(chosen), again=True)
        await asyncio.gather(*(self._fly(school_id, look) for school_id, look in chosen))

    async def _learn(self, now: datetime) -> None:
        """Read what people look at, and, less often, what else is wanted; then what others saw since."""
        async with transaction(self._reader) as tx:
            interests = await store.interests_since(tx, now - WATCHED)
        places = {(one.department, one.category) for one in interests}
        stale = self._wished_at is None or not self._wished_at <= now < self._wished_at + WISHES_STAND
        if stale or not places <= self._seen_places:
            before = set(self._agenda.places)
            await self._wish(interests, now)
            self._wished_at, self._seen_places = now, places
            if not set(self._agenda.places) <= before:
                self._read_until = None  # of new centres, also what was seen long ago counts
        self._agenda.watch(interests, now)
        async with transaction(self._reader) as tx:
            changed = await store.looks_since(tx, self._read_until, now.date())
        for look, seen in changed:
            self._agenda.learn(look, seen)
        self._read_until = now - OVERLAP

    async def _wish(self, interests: Sequence[Interest], now: datetime) -> None:
        async with transaction(self._reader) as tx:
            homes = await schools.homes(tx, now - AT_HOME)
            offers = await exam_centres.all_offers(tx)
            favourites = await watching.all_favourites(tx)
            saved = await watching.wanted_places(tx)
            rules = Rulebook(await parameter_queries.approved_parameters(tx))
        self._agenda.publications = {
            place: Publication(parameters.publication_minutes, parameters.publication_weekday)
            for place in offers
            for parameters in (rules.at(now, *place),)
        }
        wishes = wishes_of(offers, homes, favourites, saved, interests)
        self._agenda.wish(wishes, now)
        for why in Why:
            LATEST.labels(why.name.lower()).set(sum(wish.why is why for wish in wishes.values()))

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
            self._tokens.told(
                school_id,
                now.timestamp(),
                connected=answer.connected and answer.reachable,
                calls_left=answer.calls_left,
                calls_per_minute=answer.calls_per_minute,
            )

        await asyncio.gather(*(ask(one) for one in unknown))
        return bool(unknown)

    async def _fly(self, school_id: str, look: Look) -> None:
        """One look; what it costs and what it says of the token and of RdvPermis is remembered."""
        if self._looker.busy or self._down_until is not None:
            self._tokens.unused(school_id)
            self._agenda.ended(look, self._now())
            return
        outcome = await self._looker.look(look, school_id)
        now = self._now()
        self._agenda.ended(look, now)
        if outcome == SEEN:
            self._tokens.seen(school_id)
            self._pause = SHORTEST_PAUSE
        elif outcome in {BUDGET, RECONNECT}:
            self._tokens.refused(school_id, now.timestamp(), reconnect=outcome == RECONNECT)
        elif self._down_until is None:
            self._down_until = now + self._pause
            self._pause = min(LONGEST_PAUSE, self._pause * 2)


@dataclass
class Wishes:
    """Gathers who wants which of the known centres, and why most."""

    offers: Offers
    payers: dict[Centre, set[str]] = field(default_factory=dict)
    whys: dict[Centre, Why] = field(default_factory=dict)

    def want(self, centres: Iterable[Centre], school: str, why: Why) -> None:
        """A school wants centres; whoever wants one may pay for it."""
        for centre in centres:
            self.payers.setdefault(centre, set()).add(school)
            self.whys[centre] = min(why, self.whys.get(centre, why))

    def open_in(self, department: str, category: str) -> list[Centre]:
        """Centres of a department for a category group."""
        return [(centre.id, category) for centre in self.offers.get((department, category), ())]

    def reached(self, scope: Scope, latitude: float | None, longitude: float | None) -> list[Centre]:
        """Centres that a saved search of a school at this place means."""
        point = Point(latitude, longitude) if latitude is not None and longitude is not None else None
        return [
            (centre.id, scope.category)
            for centre in self.offers.get((scope.department, scope.category), ())
            if scope.centre_id in {"", centre.id}
            and (scope.within_km is None or within(centre, point, scope.within_km))
        ]


def wishes_of(
    offers: Offers,
    homes: Mapping[str, str],
    favourites: Sequence[tuple[str, str, str]],
    saved: Sequence[tuple[str, Scope, float | None, float | None]],
    interests: Sequence[Interest],
) -> dict[Centre, Wish]:
    """Say which centres are wanted: as a favourite, else by a saved search, else for being at home there.

    `homes`: department of each school that was active lately; only these are looked for. The department of a person's
    search is wanted while they look.
    """
    known = {(centre.id, place[1]): place[0] for place, centres in offers.items() for centre in centres}
    wishes = Wishes(offers)
    at_home: dict[str, list[Centre]] = {}
    for centre, department in known.items():
        at_home.setdefault(department, []).append(centre)
    for school, department in homes.items():
        wishes.want(at_home.get(department, ()), school, Why.REST)
    for one in interests:
        wishes.want(wishes.open_in(one.department, one.category), one.school_id, Why.REST)
    for school, category, centre_id in favourites:
        if school in homes and (centre_id, category) in known:
            wishes.want([(centre_id, category)], school, Why.FAVOURITE)
    for school, scope, latitude, longitude in saved:
        if school in homes:
            wishes.want(wishes.reached(scope, latitude, longitude), school, Why.SAVED)
    return {
        centre: Wish(known[centre], why, frozenset(wishes.payers[centre]))
        for centre, why in sorted(wishes.whys.items())
    }


class Favourites:
    """Keeps schools' favourites as RdvPermis has them, a few schools at a time."""

    def __init__(self, engine: AsyncEngine, facts: Facts, now: Clock) -> None:
        """Ask through `facts`."""
        self._engine, self._now = engine, now
        self._watching = Watching(engine, facts, now)

    async def round(self) -> None:
        """Read those that were not read for the longest; one that cannot be read is tried again half a day later."""
        now = self._now()
        async with transaction(self._engine) as tx:
            due = await watching.favourites_due(tx, now - FAVOURITES_FRESH, now - AT_HOME, FAVOURITES_A_ROUND)
        for school_id in due:
            try:
                await self._watching.read_favourites(Asker(school_id))
            except Failure as failure:
                log.info("favourites.not_read", code=failure.name)
