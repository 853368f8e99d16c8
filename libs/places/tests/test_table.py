"""The table has every place of France in which exams may be held, once, and the clock that each has."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from resapermis_places.table import CODE_PATTERN, PARIS, PLACES, zone_of

MAINLAND = [f"{number:02}" for number in range(1, 96) if number != 20] + ["2A", "2B"]
OVERSEAS = {
    "971": "America/Guadeloupe",
    "972": "America/Martinique",
    "973": "America/Cayenne",
    "974": "Indian/Reunion",
    "975": "America/Miquelon",
    "976": "Indian/Mayotte",
    "977": "America/St_Barthelemy",
    "978": "America/Marigot",
    "986": "Pacific/Wallis",
    "987": "Pacific/Tahiti",
    "988": "Pacific/Noumea",
}
"""By zone.tab of the IANA database: GP, MQ, GF, RE, PM, YT, BL, MF, WF, PF (Papeete), NC."""
NO_PLACES = ["", "00", "20", "2C", "9", "96", "970", "979", "984", "989", "094", "02A", "94\n", " 94", "٩٤"]


def test_every_department_and_collectivity_is_there_once() -> None:
    assert sorted(PLACES) == sorted([*MAINLAND, *OVERSEAS])
    assert [place.code for place in PLACES.values()] == list(PLACES)
    assert len({place.name for place in PLACES.values()}) == len(PLACES)


def test_each_has_its_own_clock() -> None:
    assert {code: zone_of(code) for code in PLACES} == dict.fromkeys(MAINLAND, "Europe/Paris") | OVERSEAS
    assert [place for place in PLACES.values() if place.zone != zone_of(place.code)] == []


@pytest.mark.parametrize("code", [*MAINLAND, *OVERSEAS])
def test_the_sun_is_highest_near_noon_there(code: str) -> None:
    """A seat typed into another ocean, or a zone of another one, is hours off; a true one is off by summer time and a bit."""
    place = PLACES[code]
    offset = datetime(2026, 1, 15, tzinfo=ZoneInfo(place.zone)).utcoffset()
    assert offset is not None
    ahead = offset / timedelta(hours=1) - place.longitude / 15
    ahead = (ahead + 12) % 24 - 12  # Wallis has the date of the other side of the line
    assert abs(ahead) < 1.5


@pytest.mark.parametrize("code", MAINLAND)
def test_a_seat_of_the_mainland_lies_in_it(code: str) -> None:
    place = PLACES[code]
    assert 41.3 < place.latitude < 51.1
    assert -5.2 < place.longitude < 9.6


def test_the_pattern_has_the_table_and_nothing_else() -> None:
    shape = re.compile(CODE_PATTERN)
    assert [code for code in PLACES if not shape.fullmatch(code)] == []
    every = [a + b for a in "0123456789AB" for b in "0123456789AB"]
    every += [a + b for a in every for b in "0123456789AB"]
    assert {code for code in [*every, *NO_PLACES] if shape.fullmatch(code)} == set(PLACES)


@pytest.mark.parametrize("code", NO_PLACES)
def test_what_is_no_place_has_the_clock_of_paris(code: str) -> None:
    assert zone_of(code) == PARIS
