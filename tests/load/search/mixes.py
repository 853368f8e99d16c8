"""What people search, by name; each with the school that asks drawn again."""

import random
from collections.abc import Callable, Mapping
from datetime import timedelta

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_places.days import day_start
from resapermis_scheduling_rules.domain.slots import School
from search.seed import World

Make = Callable[[World, School, random.Random], pb.SearchSlotsRequest]


def department(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """All of a category in the department, eight weeks: the page that people see first."""
    del world
    return pb.SearchSlotsRequest(department=school.department, category=dice.choice(["B", "B", "A"]))


def elsewhere(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """Another department, with verdicts that say when each slot opens."""
    del school
    return pb.SearchSlotsRequest(department=dice.choice(world.centres).department, category="B")


def two_centres_a_week(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """Two centres, one week some weeks ahead."""
    here = [centre.id for centre in world.centres if centre.department == school.department][:2]
    request = pb.SearchSlotsRequest(department=school.department, category="B", centre_ids=here)
    begins = day_start(world.first_day + timedelta(days=dice.randrange(40)), school.department)
    getattr(request, "from").FromDatetime(begins)
    request.to.FromDatetime(begins + timedelta(days=7))
    return request


def within_30_km(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """Whatever is near, in any department."""
    del world, school, dice
    return pb.SearchSlotsRequest(category="B", within_km=30)


def within_100_km_on_mornings(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """Far around, at some hours of some weekdays."""
    del world, school
    days = dice.sample(range(1, 6), 2)
    return pb.SearchSlotsRequest(
        category="B", within_km=100, day_from_minutes=8 * 60, day_to_minutes=10 * 60, weekdays=days
    )


def open_now(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """What may be taken now."""
    del world, dice
    return pb.SearchSlotsRequest(department=school.department, category="B", open_now=True)


def open_elsewhere(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """What another department gives, now or within two days."""
    request = elsewhere(world, school, dice)
    request.opens_before.FromDatetime(day_start(world.first_day + timedelta(days=1), school.department))
    return request


def three_consecutive(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """For three pupils of one trainer."""
    del world, dice
    return pb.SearchSlotsRequest(department=school.department, category="B", consecutive=3)


def six_consecutive_nearby(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """Rare: the page may end before it is full."""
    del world, school, dice
    return pb.SearchSlotsRequest(category="B", within_km=60, consecutive=6, open_now=True)


def plateau(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """Half of a small category."""
    del world, dice
    return pb.SearchSlotsRequest(department=school.department, category="CE", kind="PLATEAU")


def sundays(world: World, school: School, dice: random.Random) -> pb.SearchSlotsRequest:
    """Nothing matches."""
    del world, dice
    return pb.SearchSlotsRequest(department=school.department, category="B", weekdays=[7])


MIXES: Mapping[str, Make] = {
    make.__name__: make
    for make in (
        department,
        elsewhere,
        two_centres_a_week,
        within_30_km,
        within_100_km_on_mornings,
        open_now,
        open_elsewhere,
        three_consecutive,
        six_consecutive_nearby,
        plateau,
        sundays,
    )
}
