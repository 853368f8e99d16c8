"""The web's table of places is libs/places', and `make lint` says when it is not."""

import json
import re
from pathlib import Path

import pytest

from checks.places import TABLE, stale, table_of
from resapermis_places.table import PLACES, Place


def test_the_table_has_every_place_with_its_name_and_zone() -> None:
    rows = re.findall(r"^ {2}(\[.*\]),$", table_of(PLACES.values()), flags=re.MULTILINE)
    assert [json.loads(row) for row in rows] == [[one.code, one.name, one.zone] for one in PLACES.values()]


def test_a_table_is_stale_until_it_is_what_ours_makes(tmp_path: Path) -> None:
    file = tmp_path / TABLE
    file.parent.mkdir(parents=True)
    assert stale(tmp_path)
    file.write_text(table_of(PLACES.values()), encoding="utf-8")
    assert stale(tmp_path) == []


@pytest.mark.parametrize(
    "other", [Place("975", "Saint-Pierre-et-Miquelon", 46.78, -56.18), Place("999", "Ailleurs", 0.0, 0.0)]
)
def test_a_zone_or_a_place_too_many_makes_it_stale(other: Place, tmp_path: Path) -> None:
    file = tmp_path / TABLE
    file.parent.mkdir(parents=True)
    file.write_text(table_of(({**PLACES, other.code: other}).values()), encoding="utf-8")
    (line,) = stale(tmp_path)
    assert "make places" in line
