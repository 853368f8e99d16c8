"""The country of the sandbox is the whole country, each place on its own clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from rdvpermis_sandbox.domain.geography import DEPARTMENTS, wire

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
MAINLAND = [wire(f"{n:02}") for n in range(1, 96) if n != 20] + [wire("2A"), wire("2B")]
MISSING = {"975", "977", "978", "986", "987", "988"}
ABSENT = pytest.mark.xfail(strict=True, raises=AssertionError, reason="fault 1: the sandbox has no such place")


@pytest.mark.req("P-06")
@pytest.mark.parametrize(
    "code", [pytest.param(one, marks=[ABSENT] if one in MISSING else []) for one in [*MAINLAND, *OVERSEAS]]
)
def test_each_department_is_there_once_and_keeps_its_own_time_all_year(code: str) -> None:
    found = [one.zone for one in DEPARTMENTS if one.code == code]
    assert len(found) == 1
    ours, theirs = ZoneInfo(found[0]), ZoneInfo(OVERSEAS.get(code, "Europe/Paris"))
    hours = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(8760)]
    assert [at for at in hours if at.astimezone(ours).utcoffset() != at.astimezone(theirs).utcoffset()] == []


@pytest.mark.req("P-06")
@pytest.mark.parametrize("code", [pytest.param(one, marks=[ABSENT] if one in MISSING else []) for one in OVERSEAS])
def test_every_place_overseas_has_a_centre_and_a_school_that_books_there(code: str, made) -> None:
    world = made.state.world
    assert [one.department for one in world.schools.values() if one.department == code]
    assert {one.zone for one in world.centres.values() if one.department == code} == {OVERSEAS[code]}


@pytest.mark.req("P-06")
def test_who_and_what_the_seed_made_stays_under_its_id(made) -> None:
    """Ids are kept by what runs against the sandbox: a place that is added may move nobody who was there."""
    world = made.state.world
    assert list(world.centres)[::75] == ["ce-001-1", "ce-075-1", "ce-049-2", "ce-023-3"]
    assert list(world.schools)[::250] == ["ae-001-1", "ae-048-3", "ae-971-5", "ae-043-8"]
    homes = [world.schools[world.mandated[f"ca-{index:05}"][0]].id for index in (0, 94, 999, 1094, 17_999)]
    assert homes == ["ae-001-1", "ae-094-1", "ae-090-10", "ae-094-1", "ae-090-10"]
