"""A school finds what it had, and goes on: holds, bookings, candidates, mandates, its own records, repeated commands.

Each test was seen to fail in a copy of the tree where
- the gateway's migration deletes tokens: validating an old hold is answered 401 RECONNECT_NEEDED;
- mandate's migration takes rows of `candidate_word` (nobody is found by name) or of `request` (a repeat is another command: 409
  NEPH_KNOWN).
"""

from typing import Any

import pytest
from journey import until
from upgraded import Upgraded, ending_is_over

pytestmark = [pytest.mark.timeout(600), pytest.mark.long_only]  # a machine's first run installs the old release
OTHERWISE: dict[str, dict[str, Any]] = {
    "/api/v1/candidates": {"firstName": "Autrement"},
    "/api/v1/school/vehicles": {"label": "Clio 3"},
    "/api/v1/basket/items": {"items": [{"slotId": "another"}]},
}


def test_every_hold_booking_candidate_and_mandate_is_there_and_rdvpermis_agrees(upgraded: Upgraded) -> None:
    was, school = upgraded.was, upgraded.school
    ending_is_over(upgraded)
    lines = school.lines()
    assert {slot: [line["id"], line["state"]] for slot, line in lines.items()} == was["lines"]
    shown = {group["id"]: group for group in school.get("/api/v1/basket")["groups"]}
    assert {was["groups"]["several"], was["groups"]["alone"], was["groups"]["held"]} <= set(shown)
    assert lines[_slot_of(was, was["groups"]["held"], shown)]["candidate"]["id"] == was["people"]["held"]
    assert sorted(one["id"] for one in school.get("/api/v1/candidates")["items"]) == was["candidates"]
    mandates = {one["id"]: one["state"] for one in school.get("/api/v1/mandates")["items"]}
    assert mandates == was["mandates"]
    assert mandates[was["pending"]] == "pending"
    school.agrees()


def _slot_of(was: dict[str, Any], group_id: str, shown: dict[str, Any]) -> str:
    (line,) = shown[group_id]["lines"]
    assert line["slot"]["id"] in was["lines"]
    return str(line["slot"]["id"])


def test_a_candidate_is_found_by_name_and_by_neph(upgraded: Upgraded) -> None:
    for person in upgraded.was["found"]:
        for query in person["by"]:
            found = upgraded.school.act("POST", "/api/v1/candidates/search", {"query": query})["items"]
            assert [one["id"] for one in found] == [person["id"]]


def test_a_command_that_is_repeated_is_answered_as_then(upgraded: Upgraded) -> None:
    for done in upgraded.was["repeatable"]:
        again = upgraded.school.send("POST", done["path"], done["body"], done["key"])
        assert again.status_code == 201, again.text
        assert _ids(again.json()) == _ids(done["answer"]) != []
        other = upgraded.school.send("POST", done["path"], {**done["body"], **OTHERWISE[done["path"]]}, done["key"])
        assert (other.status_code, other.json()["code"]) == (422, "KEY_REUSED")


def _ids(answer: Any) -> list[str]:
    """Every id in an answer, in its order."""
    if isinstance(answer, list):
        return [found for each in answer for found in _ids(each)]
    if isinstance(answer, dict):
        return [found for name, each in answer.items() for found in ([each] if name == "id" and each else _ids(each))]
    return []


def test_what_a_school_wrote_down_of_itself_is_there(upgraded: Upgraded) -> None:
    records, school = upgraded.was["rules"]["records"], upgraded.school
    seen = {"seenAt": None}  # RdvPermis is asked again
    assert school.get("/api/v1/school") | seen == records["school"] | seen
    assert records["school"]["licensedUntil"] == "2030-01-31"
    assert school.get("/api/v1/school/hours")["items"] == records["hours"]["items"]
    assert [one["hours"] for one in records["hours"]["items"]] == [120.25]
    labels = sorted(one["label"] for one in school.get("/api/v1/school/vehicles")["items"])
    assert labels == ["Clio 1", "Clio 2"]
    calendar = school.web.get(records["feed"])
    assert calendar.status_code == 200, calendar.text
    assert calendar.text.startswith("BEGIN:VCALENDAR")


def test_a_hold_of_the_old_version_is_validated_and_the_school_goes_on_booking(upgraded: Upgraded) -> None:
    was, school = upgraded.was, upgraded.school
    answer = school.validate(was["groups"]["held"])
    assert answer.status_code == 200, answer.text
    (line,) = answer.json()["group"]["lines"]
    assert line["state"] == "booked"
    ending_is_over(upgraded)
    until(lambda: school.notices("booking.confirmed", line["id"]), "the notice of the old hold's booking")
    fresh = school.booking()
    assert fresh["state"] == "booked"
    school.agrees()
