"""The invented country: the same number gives the same schools, centres, candidates and slots, always.

A day's slots depend on the day alone, so the country grows as the clock moves and ids stay what they were.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from random import Random
from zlib import crc32
from zoneinfo import ZoneInfo

import holidays

from rdvpermis_sandbox.domain.geography import ADDED, SEEDED
from rdvpermis_sandbox.domain.model import Candidate, Centre, Department, Employee, School, Slot

PARIS = ZoneInfo("Europe/Paris")
HORIZON = timedelta(weeks=8)
PUBLISHED_AHEAD = timedelta(weeks=4)
CENTRES = 300
CANDIDATES = 30_000
SERIALS = 30
"""Candidates of a school of a place added later: as many as 1,000 schools have each."""
PASSWORD = "sandbox"  # noqa: S105 - everyone's, printed in the README
ROLES = ("gerant", "secretaire", "formateur")
LESSON = timedelta(minutes=32)
B_STARTS = (
    "08:00",
    "08:32",
    "09:04",
    "09:36",
    "10:08",
    "10:40",
    "11:12",
    "13:30",
    "14:02",
    "14:34",
    "15:06",
    "15:38",
    "16:10",
)
A_STARTS = ("08:30", "09:30", "10:30", "14:00")
CE_STARTS = ("08:00", "10:00", "14:00")
PUBLICATION_WEEKDAY = {"B": 0, "A": 1, "CE": 2}
"""Monday for cars, Tuesday for motorcycles [fact]; Wednesday for heavy groups [default]. At 15:00 in Paris [seen]."""

_FIRST = [
    "Alice",
    "Adam",
    "Amina",
    "Bastien",
    "Camille",
    "Chloé",
    "Driss",
    "Emma",
    "Enzo",
    "Fatou",
    "Gabriel",
    "Hugo",
    "Inès",
    "Jade",
    "Jules",
    "Karim",
    "Léa",
    "Lina",
    "Louis",
    "Lucas",
    "Maël",
    "Manon",
    "Nathan",
    "Nina",
    "Noé",
    "Omar",
    "Paul",
    "Rose",
    "Sacha",
    "Yanis",
]
_LAST = [
    "Martin",
    "Bernard",
    "Thomas",
    "Petit",
    "Robert",
    "Richard",
    "Durand",
    "Dubois",
    "Moreau",
    "Laurent",
    "Simon",
    "Michel",
    "Lefebvre",
    "Leroy",
    "Roux",
    "David",
    "Bertrand",
    "Morel",
    "Fournier",
    "Girard",
    "Bonnet",
    "Dupont",
    "Lambert",
    "Fontaine",
    "Rousseau",
    "Vincent",
    "Muller",
    "Lefèvre",
    "Faure",
    "André",
    "Mercier",
    "Blanc",
    "Guérin",
    "Boyer",
    "Garnier",
    "Chevalier",
    "François",
    "Legrand",
    "Gauthier",
    "Garcia",
]
_SCHOOL = (
    "Auto-école du Centre",
    "Conduite Plus",
    "École de conduite du Pont",
    "Auto-école de la Gare",
    "Cap Permis",
    "Feu Vert Formation",
    "Auto-école du Marché",
    "Trajectoire",
    "Auto-école des Lilas",
    "Permis et Cie",
)
_PLACES = [
    "Beaulieu",
    "Villeneuve",
    "Saint-Martin",
    "Ormeaux",
    "Chapelle",
    "Montfort",
    "Rochebelle",
    "Fontenay",
    "Bellevue",
    "Plessis",
    "Clairvaux",
    "Sainte-Anne",
    "Haute-Rive",
    "Tilleuls",
    "Champfleury",
    "Pont-Neuf",
    "Valmont",
    "Grand-Pré",
    "Moulins",
    "Bois-Joli",
    "Saint-Aubin",
    "Lavoir",
]
"""Invented towns: a name that begins the same for every centre of a department says nothing in a narrow column."""


@dataclass(slots=True)
class World:
    """The seed, indexed for the questions RdvPermis is asked."""

    number: int
    centres: dict[str, Centre]
    schools: dict[str, School]
    employees: dict[str, Employee]
    by_username: dict[str, Employee]
    candidates: dict[str, Candidate]
    by_neph: dict[str, Candidate]
    mandated: dict[str, tuple[str, str]]
    """Candidate id → school and group of the mandate held from the beginning."""
    slots: dict[str, Slot] = field(default_factory=dict)
    index: dict[tuple[str, str, date], list[Slot]] = field(default_factory=lambda: defaultdict(list))
    until: date | None = None

    def grow(self, start: date, now: datetime) -> None:
        """Have every working day from `start` to eight weeks after now."""
        day = self.until or start
        end = now.astimezone(PARIS).date() + HORIZON
        while day < end:
            if working(day):
                for slot in day_slots(self.centres, day):
                    self.add(slot)
            day += timedelta(days=1)
        self.until = max(day, self.until or day)

    def add(self, slot: Slot) -> None:
        """Index a slot by category, centre and day."""
        self.slots[slot.id] = slot
        self.index[slot.group, slot.centre, slot.starts.date()].append(slot)


@cache
def _holidays(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("FR", years=year))


def working(day: date) -> bool:
    """Monday to Friday, no French holiday."""
    return day.weekday() < 5 and day not in _holidays(day.year)


def seeded_taken(slot: Slot, number: int) -> bool:
    """Four of ten slots were taken elsewhere before anyone here could book."""
    return crc32(f"{number}{slot.id}".encode()) % 10 < 4


def publication(group: str, day: date) -> datetime:
    """The group's weekday at 15:00 in Paris, four weeks before the exam's week; UTC."""
    monday = day - timedelta(days=day.weekday()) - PUBLISHED_AHEAD
    shown = monday + timedelta(days=PUBLICATION_WEEKDAY.get(group, 2))
    return datetime.combine(shown, time(15), PARIS).astimezone(UTC)


def make_slot(centre: Centre, group: str, starts: datetime, published: datetime, examiner: str, kind: str) -> Slot:
    """A slot of its group's length at local time `starts`."""
    length = {"B": LESSON, "A": timedelta(minutes=45)}.get(group, timedelta(minutes=90))
    name = f"cr-{centre.id}-{starts:%Y%m%d-%H%M}-{group}-{examiner}"
    utc = starts.replace(tzinfo=ZoneInfo(centre.zone)).astimezone(UTC)
    return Slot(name, centre.id, centre.department, group, kind, examiner, starts, starts + length, utc, published)


def day_slots(centres: dict[str, Centre], day: date) -> list[Slot]:
    """About 1,500 slots on a working day: cars every third day in each centre, other groups every tenth."""
    found: list[Slot] = []
    ordinal = day.toordinal()
    plans = (
        ("B", B_STARTS, publication("B", day), 3, 0),
        ("A", A_STARTS, publication("A", day), 10, 0),
        ("CE", CE_STARTS, publication("CE", day), 10, 5),
    )
    for number, centre in enumerate(centres.values()):
        for group, starts, published, every, offset in plans:
            if (ordinal + number) % every != offset or centre.closed:
                continue
            for position, start in enumerate(starts):
                moment = datetime.combine(day, time.fromisoformat(start))
                kind = "PLATEAU" if group != "B" and position % 2 == 0 else "CIRCULATION"
                found.append(make_slot(centre, group, moment, published, f"{100 + number}", kind))
    return found


def world(number: int, schools: int) -> World:
    """The country of this seed, without slots yet; `grow` adds them. `schools` does not count the places added later."""
    rng = Random(number)  # noqa: S311 - invented people, nothing secret
    made = World(number, {}, {}, {}, {}, {}, {}, {})
    for index in range(CENTRES):
        home = SEEDED[index % len(SEEDED)]
        _centre(rng, made, home, index // len(SEEDED), closed=index == CENTRES - 1)
    for index in range(schools):
        _school(rng, made, SEEDED[index % len(SEEDED)], index // len(SEEDED) + 1)
    seeded = list(made.schools.values())
    for school in seeded:
        _employees(rng, made, school)
    for index in range(CANDIDATES):
        _candidate(rng, made, seeded[index % len(seeded)], index // len(seeded))
    for home in ADDED:
        own = Random(f"{number} {home.code}")  # noqa: S311 - as above
        _centre(own, made, home, 0)
        school = _school(own, made, home, 1)
        _employees(own, made, school)
        for turn in range(SERIALS):
            _candidate(own, made, school, turn)
    return made


def _about(rng: Random, home: Department) -> tuple[float, float]:
    return round(home.latitude + rng.uniform(-0.2, 0.2), 5), round(home.longitude + rng.uniform(-0.2, 0.2), 5)


def _centre(rng: Random, made: World, home: Department, turn: int, *, closed: bool = False) -> None:
    where = _about(rng, home)
    name = f"{_PLACES[(5 * len(made.centres) + 4 * turn) % len(_PLACES)]} ({home.code.removeprefix('0')})"
    centre = Centre(f"ce-{home.code}-{turn + 1}", name, home.code, *where, home.zone, closed=closed)
    made.centres[centre.id] = centre


def _school(rng: Random, made: World, home: Department, turn: int) -> School:
    index = len(made.schools)
    digits = home.code.replace("A", "0").replace("B", "1")
    licence = f"E {rng.randrange(2, 26):02} {digits} {index % 10_000:04} {index % 10}"
    where = _about(rng, home)
    fte = None if turn == 9 else round(rng.uniform(3, 8), 1)
    name = f"{_SCHOOL[turn % len(_SCHOOL)]} {home.code}-{turn}"
    school = School(f"ae-{home.code}-{turn}", name, home.code, licence, *where, fte, online=turn == 8)
    made.schools[school.id] = school
    return school


def _employees(rng: Random, made: World, school: School) -> None:
    short = school.id.removeprefix("ae-")
    for role in ROLES:
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        name = f"{role}.{short}"
        made.employees[f"em-{role}-{short}"] = made.by_username[name] = Employee(
            f"em-{role}-{short}", name, first, last, f"{name}@ecole.example", role, school.id
        )


def _candidate(rng: Random, made: World, school: School, turn: int) -> None:
    index = len(made.candidates)
    group = {8: "A", 9: "CE"}.get(turn % 10, "B")
    place = school.department.replace("A", "0").replace("B", "1")
    neph = f"{rng.choice((5, 9, 19, 22, 23, 24, 25)):02}{rng.randrange(1, 13):02}{place}{index:05}"
    email = None if turn == 26 else f"candidat{index}@mail.example"
    person = Candidate(
        f"ca-{index:05}",
        neph,
        rng.choice(_FIRST),
        rng.choice(_LAST),
        email,
        None if turn == 27 else group,
        (group,) if turn == 29 else (),
        20 if turn == 28 else 0,
    )
    made.candidates[person.id] = made.by_neph[neph] = person
    if turn < 18 or turn >= 28:
        made.mandated[person.id] = (school.id, group)
