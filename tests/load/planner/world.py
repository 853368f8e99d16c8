"""A country of schools and centres, and what people want over some hours: drawn once, the same for every planner."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from resapermis_scheduling_rules.domain.days import is_working_day
from resapermis_scheduling_rules.domain.polls import HORIZON_DAYS, PlaceInterest
from resapermis_scheduling_rules.domain.slots import Centre
from resapermis_scheduling_rules.mirror.poll_schedule import Publication
from resapermis_scheduling_rules.watchlist.queries import Scope

BEGINS = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
"""A Monday, 13:30 in Paris; B is published at 15:00."""
CATEGORIES = {"B": 1.0, "A": 0.5, "CE": 0.2}
"""Share of the centres that offer each."""
Day = tuple[str, str, date]
"""(centre, category, day)."""


@dataclass(frozen=True)
class Session:
    """A person who looks at something for a while, and acts now and then."""

    interest: PlaceInterest
    begins: float
    ends: float
    """Seconds from the beginning."""


@dataclass
class World:
    """Everything that planners know, and what they are to find out."""

    homes: Mapping[str, str]
    offers: Mapping[tuple[str, str], Sequence[Centre]]
    favourites: Sequence[tuple[str, str, str]]
    saved: Sequence[tuple[str, Scope, float | None, float | None]]
    sessions: Sequence[Session]
    calls: Mapping[str, int]
    """Calls a minute of each school that is connected for background work."""
    slots: dict[Day, int] = field(default_factory=dict)
    appearing: list[tuple[float, Day]] = field(default_factory=list)
    """When a slot comes where, in order of time."""
    publications: Mapping[tuple[str, str], Publication] = field(default_factory=dict)


def draw(*, schools: int, centres: int, hours: float, seed: int) -> World:
    """Draw a world; equal arguments, equal world."""
    dice = random.Random(seed)  # noqa: S311 - a world that repeats
    departments = [f"{n:02d}" for n in range(1, 1 + max(1, min(95, centres // 3)))]
    places = [Centre(f"c{n:03d}", f"Centre {n}", departments[n % len(departments)]) for n in range(centres)]
    offers: dict[tuple[str, str], list[Centre]] = {}
    for place in places:
        for category, share in CATEGORIES.items():
            if dice.random() < share:
                offers.setdefault((place.department, category), []).append(place)
    names = [f"ecole-{n:04d}" for n in range(schools)]
    homes = {school: dice.choice(departments) for school in names}
    calls = {school: dice.choice([210] * 19 + [600]) for school in names if dice.random() < 0.6}
    favourites, saved = [], []
    for school, home in homes.items():
        own = offers.get((home, "B"), places)
        favourites += [(school, "B", one.id) for one in dice.sample(own, min(len(own), dice.choice([0, 0, 1, 2])))]
        for _ in range(dice.choice([0, 0, 0, 1, 2])):
            centre = dice.choice(["", dice.choice(own).id])
            saved.append((school, Scope("B", home, centre), None, None))
    world = World(homes, offers, favourites, saved, _sessions(dice, homes, offers, hours), calls)
    world.publications = {place: Publication(900, {"B": 1, "A": 2}.get(place[1], 0)) for place in offers}
    _slots(world, dice, hours)
    return world


def _sessions(
    dice: random.Random, homes: Mapping[str, str], offers: Mapping[tuple[str, str], Sequence[Centre]], hours: float
) -> list[Session]:
    """About one school in ten has somebody looking, for 5 to 25 minutes; twice as many around 15:00."""
    found = []
    today = BEGINS.date()
    for school, home in homes.items():
        if (home, "B") not in offers:
            continue
        for begin in range(0, int(hours * 3600), 900):
            crowded = 4500 <= begin < 6300
            if dice.random() < (0.2 if crowded else 0.1):
                first = today + timedelta(days=dice.randrange(0, 21))
                last = first + timedelta(days=dice.choice([7, 14, 28]))
                here = tuple(sorted(one.id for one in offers[home, "B"]))
                centres = dice.choice([(), (dice.choice(here),)])
                begins = begin + dice.uniform(0, 900)
                interest = PlaceInterest(school, home, "B", first, last, centres)
                found.append(Session(interest, begins, begins + dice.uniform(300, 1500)))
    return found


def _slots(world: World, dice: random.Random, hours: float) -> None:
    """Two working days in three have slots; some come one by one, many of B at 15:00."""
    today = BEGINS.date()
    for (_, category), centres in world.offers.items():
        for centre in centres:
            for ahead in range(HORIZON_DAYS):
                day = today + timedelta(days=ahead)
                place = (centre.id, category, day)
                if not is_working_day(day, centre.department):
                    continue
                world.slots[place] = 10 if dice.random() < 2 / 3 else 0
                if category == "B" and dice.random() < 0.3:
                    world.appearing.append((5400 + dice.uniform(0, 60), place))
                if dice.random() < 0.05:
                    world.appearing.append((dice.uniform(0, hours * 3600), place))
    world.appearing.sort()
