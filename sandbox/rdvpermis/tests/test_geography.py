"""The country of the sandbox is the whole country, each place on its own clock."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rdvpermis_sandbox.domain.geography import DEPARTMENTS, wire
from resapermis_places.table import PARIS, PLACES, Place

OVERSEAS = {place.code: place.zone for place in PLACES.values() if place.zone != PARIS}


@pytest.mark.req("P-06")
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_each_department_is_there_once_with_its_own_clock_centres_and_schools(place: Place, made: Any) -> None:
    assert [one.zone for one in DEPARTMENTS if one.code == wire(place.code)] == [place.zone]
    world = made.state.world
    assert {one.zone for one in world.centres.values() if one.department == wire(place.code)} == {place.zone}
    assert [one for one in world.schools.values() if one.department == wire(place.code)]


@pytest.mark.req("P-06")
@pytest.mark.parametrize(("code", "zone"), OVERSEAS.items())
def test_an_hour_overseas_is_of_the_centres_clock(code: str, zone: str, made: Any) -> None:
    world = made.state.world
    slots = [slot for slot in world.slots.values() if slot.department == code]
    assert slots
    assert [slot for slot in slots if slot.starts_utc != slot.starts.replace(tzinfo=ZoneInfo(zone))] == []


@pytest.mark.req("P-06")
def test_who_and_what_the_seed_made_stays_under_its_id(made: Any) -> None:
    """Ids are kept by what runs against the sandbox: a place that is added may move nobody who was there."""
    world = made.state.world
    assert list(world.centres)[:300:75] == ["ce-001-1", "ce-075-1", "ce-049-2", "ce-023-3"]
    assert list(world.schools)[:1000:250] == ["ae-001-1", "ae-048-3", "ae-971-5", "ae-043-8"]
    homes = [world.schools[world.mandated[f"ca-{index:05}"][0]].id for index in (0, 94, 999, 1094, 17_999)]
    assert homes == ["ae-001-1", "ae-094-1", "ae-090-10", "ae-094-1", "ae-090-10"]
