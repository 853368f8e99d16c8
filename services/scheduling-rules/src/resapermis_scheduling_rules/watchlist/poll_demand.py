"""Which centres somebody wants watched, whose tokens may pay for it, and when new slots come there: handed to the planner."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.transaction import transaction
from resapermis_scheduling_rules.domain.distance import within
from resapermis_scheduling_rules.domain.parameters import Rulebook
from resapermis_scheduling_rules.domain.polls import PlaceInterest
from resapermis_scheduling_rules.domain.slots import Centre, Point
from resapermis_scheduling_rules.mirror.centres import all_offers
from resapermis_scheduling_rules.mirror.poll_schedule import CentreGroup, PollDemand, PollReason, Publication
from resapermis_scheduling_rules.parameters.queries import approved_parameters
from resapermis_scheduling_rules.school.queries import granted_schools
from resapermis_scheduling_rules.school.queries import home_departments as homes_since
from resapermis_scheduling_rules.watchlist import queries
from resapermis_scheduling_rules.watchlist.queries import Scope

AT_HOME = timedelta(days=2)
"""A school whose people were here this lately has its own department, favourites and searches polled; with a grant the latter two."""
Offers = Mapping[tuple[str, str], Sequence[Centre]]


class PollDemandReader:
    """What all schools want, for the poll planner."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Read with `engine`."""
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def __call__(
        self, interests: Sequence[PlaceInterest], now: datetime
    ) -> tuple[Mapping[CentreGroup, PollDemand], Mapping[tuple[str, str], Publication]]:
        """Which centres are wanted, and when new slots of each department and category group go on line."""
        async with transaction(self._reader) as tx:
            homes = await homes_since(tx, now - AT_HOME)
            granted = await granted_schools(tx, now - AT_HOME)
            offers = await all_offers(tx)
            favourites = await queries.all_favourites(tx)
            saved = await queries.wanted_places(tx)
            rules = Rulebook(await approved_parameters(tx))
        publications = {
            place: Publication(parameters.publication_minutes, parameters.publication_weekday)
            for place in offers
            for parameters in (rules.at(now, *place),)
        }
        return poll_demands_of(offers, homes, favourites, saved, interests, granted), publications


@dataclass
class PollDemands:
    """Which of the known centres are wanted, each with the strongest reason."""

    offers: Offers
    payers: dict[CentreGroup, set[str]] = field(default_factory=dict)
    whys: dict[CentreGroup, PollReason] = field(default_factory=dict)

    def want(self, centres: Iterable[CentreGroup], school: str, why: PollReason) -> None:
        """A school wants centres; whoever wants one may pay for it."""
        for centre in centres:
            self.payers.setdefault(centre, set()).add(school)
            self.whys[centre] = min(why, self.whys.get(centre, why))

    def open_in(self, department: str, category: str) -> list[CentreGroup]:
        """Centres of a department for a category group."""
        return [(centre.id, category) for centre in self.offers.get((department, category), ())]

    def reached(self, scope: Scope, latitude: float | None, longitude: float | None) -> list[CentreGroup]:
        """Centres that a saved search of a school at this place means."""
        point = Point(latitude, longitude) if latitude is not None and longitude is not None else None
        return [
            (centre.id, scope.category)
            for centre in self.offers.get((scope.department, scope.category), ())
            if scope.centre_id in {"", centre.id}
            and (scope.within_km is None or within(centre, point, scope.within_km))
        ]


def poll_demands_of(
    offers: Offers,
    homes: Mapping[str, str],
    favourites: Sequence[tuple[str, str, str]],
    saved: Sequence[tuple[str, Scope, float | None, float | None]],
    interests: Sequence[PlaceInterest],
    granted: Collection[str] = (),
) -> dict[CentreGroup, PollDemand]:
    """Say which centres are wanted: as a favourite, else by a saved search, else for being at home there.

    `homes`: department of each school that was active lately; only these are polled, and of schools with a grant for
    background work (`granted`) what they asked to be followed. The department of a person's search is wanted while they look.
    """
    followed = homes.keys() | set(granted)
    known = {(centre.id, place[1]): place[0] for place, centres in offers.items() for centre in centres}
    demands = PollDemands(offers)
    at_home: dict[str, list[CentreGroup]] = {}
    for centre, department in known.items():
        at_home.setdefault(department, []).append(centre)
    for school, department in homes.items():
        demands.want(at_home.get(department, ()), school, PollReason.REST)
    for one in interests:
        demands.want(demands.open_in(one.department, one.category), one.school_id, PollReason.REST)
    for school, category, centre_id in favourites:
        if school in followed and (centre_id, category) in known:
            demands.want([(centre_id, category)], school, PollReason.FAVOURITE)
    for school, scope, latitude, longitude in saved:
        if school in followed:
            demands.want(demands.reached(scope, latitude, longitude), school, PollReason.SAVED)
    return {
        centre: PollDemand(known[centre], why, frozenset(demands.payers[centre]))
        for centre, why in sorted(demands.whys.items())
    }
