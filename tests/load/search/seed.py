"""A mirror of a million slots as polls would have brought it: 300 centres, 56 days, most slots taken."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from resapermis_places.table import PLACES, zone_of
from resapermis_scheduling_rules.domain.slots import Centre, School

CENTRES, SCHOOLS, DAYS = 300, 200, 56
SHARES = {"B": 0.8, "A": 0.12, "CE": 0.08}
EXAM = timedelta(minutes=32)
LONGER_THAN_ANY_RUN = timedelta(hours=6)


@dataclass(frozen=True)
class World:
    """The centres and schools that were seeded, how many slots, and the first day that has some."""

    centres: list[Centre]
    schools: list[School]
    slots: int
    first_day: date


def places(dice: random.Random) -> tuple[list[Centre], list[School]]:
    """Centres and schools strewn around the prefectures."""
    departments = list(PLACES)
    centres = []
    for n in range(CENTRES):
        department = departments[n % len(departments)]
        seat = PLACES[department]
        at = seat.latitude + dice.uniform(-0.4, 0.4), seat.longitude + dice.uniform(-0.5, 0.5)
        centres.append(Centre(f"centre-{n:03d}", f"Centre {n:03d}", department, *at))
    schools = []
    for n in range(SCHOOLS):
        department = departments[(n * 7) % len(departments)]
        seat = PLACES[department]
        at = seat.latitude + dice.uniform(-0.3, 0.3), seat.longitude + dice.uniform(-0.3, 0.3)
        schools.append(
            School(f"ecole-{n:03d}", department, "E 02 094 0001 0", Decimal(10), latitude=at[0], longitude=at[1])
        )
    return centres, schools


def slots(world: World, dice: random.Random, now: datetime) -> Iterator[tuple[Any, ...]]:
    """Exams of every centre and working day, several examiners side by side."""
    days = [world.first_day + timedelta(days=n) for n in range(DAYS)]
    working = [day for day in days if day.weekday() < 5]
    each = world.slots // (len(world.centres) * len(working)) + 1
    made = 0
    for day in working:
        for centre in world.centres:
            begin = datetime(day.year, day.month, day.day, 8, tzinfo=ZoneInfo(zone_of(centre.department)))
            published = now - timedelta(days=dice.randrange(0, 21), hours=dice.randrange(24))
            seen = now - timedelta(seconds=dice.randrange(1800))
            for n in range(each):
                if made == world.slots:
                    return
                made += 1
                category = dice.choices(list(SHARES), list(SHARES.values()))[0]
                starts = begin.astimezone(UTC) + EXAM * (n % 17)
                status = "FREE" if dice.random() < 0.15 else "TAKEN"
                yield (
                    f"creneau-{made:07d}",
                    centre.id,
                    centre.department,
                    category,
                    "PLATEAU" if category != "B" and n % 2 else "CIRCULATION",
                    starts,
                    starts + EXAM,
                    published,
                    status,
                    seen,
                    now if dice.random() < 0.02 else None,
                )


async def write(url: str, many: int, now: datetime) -> World:
    """Seed; everything that was polled stays fresh for longer than any run."""
    dice = random.Random(94)  # noqa: S311 - a mirror that repeats
    centres, schools = places(dice)
    world = World(centres, schools, many, (now + timedelta(days=1)).date())
    fresh = now + LONGER_THAN_ANY_RUN
    offers = [(centre.department, category, centre.id) for centre in centres for category in SHARES]
    connection = await asyncpg.connect(url, timeout=30, server_settings={"statement_timeout": "0"})

    async def copy(table: str, columns: str, rows: Any) -> None:
        await connection.copy_records_to_table(table, records=rows, columns=columns.split())
        await connection.execute(f'ANALYZE "{table}"')

    try:
        await copy(
            "centre",
            "id name department latitude longitude",
            [(c.id, c.name, c.department, c.latitude, c.longitude) for c in centres],
        )
        await copy("centre_offer", "department category centre_id", offers)
        looked = [(department, category, fresh) for department in PLACES for category in SHARES]
        await copy("centre_poll", "department category seen_at", looked)
        await copy(
            "poll",
            "centre_id category day seen_at tried_at trouble slots",
            (
                (centre.id, category, now.date() + timedelta(days=n), fresh, fresh, "", 20)
                for centre in centres
                for category in SHARES
                for n in range(DAYS + 3)
            ),
        )
        await copy(
            "school",
            "id licence_number department fte seen_at latitude longitude",
            [(s.id, s.licence_number, s.department, s.fte, fresh, s.latitude, s.longitude) for s in schools],
        )
        months = {f"{day:%Y-%m}" for day in (now.date() + timedelta(days=n) for n in range(DAYS + 3))}
        thresholds = [
            (s.id, s.department, month, category, fresh) for s in schools for month in months for category in SHARES
        ]
        await copy("threshold", "school_id department month category seen_at", thresholds)
        columns = "id centre_id department category kind starts_at ends_at published_at status seen_at withdrawn_at"
        await copy("slot", columns, slots(world, dice, now))
        await connection.execute("VACUUM ANALYZE slot")
    finally:
        await connection.close()
    return world
