"""RdvPermis away, slow, cutting lines, asking to wait: no answer is wrong, nothing is asked twice, all settles."""

import time
from typing import Any

import pytest
from journey import DrivingSchool, Schools, TheState, key, problem, until

from devstack.background import BackgroundStack
from devstack.components import SANDBOX

pytestmark = pytest.mark.xdist_group("stack")
ADD, VALIDATE, NAME = "/creneaux(-multiples)?$", "/valider$", "/candidat$"
BASE = "POST /paniers"
ADDED = f"{BASE}/{{basket_id}}/creneaux-multiples"
ADDED_ONE = f"{BASE}/{{basket_id}}/creneaux"
VALIDATED = f"{BASE}/{{basket_id}}/valider"


def held_again(school: DrivingSchool, slots: list[str]) -> dict[str, Any]:
    """A person who tries again, as the answer asks them to, until RdvPermis is back."""

    def attempt() -> dict[str, Any] | None:
        answer = school.hold(slots)
        if answer.status_code == 201:
            return dict(answer.json()["group"])
        return None

    group: dict[str, Any] = until(attempt, "a hold to succeed again", 25)
    return group


def asked_to_add(school: DrivingSchool, state: TheState) -> int:
    return int(state.calls(school.id, ADDED) + state.calls(school.id, ADDED_ONE))


def test_while_rdvpermis_is_down_what_is_known_is_shown_and_holds_say_so(
    platform: BackgroundStack, school: DrivingSchool
) -> None:
    slots = school.slots(2)
    booked = school.booking()
    platform.stop(SANDBOX)
    try:
        shown = school.search(centre=f"ce-{school.wire_department}-1", poll_now=True)
        known = {slot["id"]: slot for slot in shown["items"]}
        assert set(slots) <= set(known)
        assert all(known[slot]["seenAt"] for slot in slots)
        assert shown["seenAt"]
        assert shown["incomplete"]
        assert shown["incompleteReason"] == "rdvpermis_down"

        answer = school.hold(slots[:1])
        assert answer.status_code == 207, answer.text
        (result,) = answer.json()["results"]
        assert (result["state"], result["problem"]["code"]) == ("refused", "RDVPERMIS_DOWN")
        assert "rien n'est perdu" in result["problem"]["detail"]
        upcoming = school.get("/api/v1/bookings", filter="upcoming")["items"]
        assert [line["id"] for line in upcoming] == [booked["id"]]
        for _ in range(6):  # enough to open the circuit: the answer is the same, at once
            since = time.monotonic()
            again = school.hold(slots[:1]).json()["results"][0]
            assert (again["state"], again["problem"]["code"]) == ("refused", "RDVPERMIS_DOWN")
            assert time.monotonic() - since < 5
        assert again["problem"]["retryAt"], "an open circuit answers until when"
    finally:
        platform.start(SANDBOX)
    held_again(school, slots[:1])
    school.agrees()


@pytest.mark.long_only
@pytest.mark.req("R-16")
def test_rdvpermis_failing_with_5xx_is_an_unknown_outcome_that_settles_to_refused(
    school: DrivingSchool, state: TheState
) -> None:
    slots = school.slots(1)
    with state.faults({"kind": "5xx", "status": 503, "path": ADD, "count": 1}):
        answer = school.hold(slots)
        assert answer.status_code == 207, answer.text
        (line,) = answer.json()["group"]["lines"]
        assert line["state"] == "asking"
        until(lambda: not school.get("/api/v1/basket")["groups"] or not school.lines(), "the doubt to be settled")
    assert state.held(school.id) == []
    held_again(school, slots)
    school.agrees()


@pytest.mark.req("R-16", "C10")
def test_a_line_cut_after_rdvpermis_committed_is_found_held_and_never_asked_twice(
    school: DrivingSchool, state: TheState
) -> None:
    slots = school.slots(2)
    press = key()
    with state.faults({"kind": "cut_after", "path": ADD, "count": 1}):
        answer = school.hold(slots, key=press)
        assert answer.status_code == 207, answer.text
        assert {line["state"] for line in answer.json()["group"]["lines"]} == {"asking"}
        assert len(state.held(school.id)) == 2
        problem(school.hold(slots, key=press), 409, "IN_PROGRESS")
        for line in answer.json()["group"]["lines"]:
            school.becomes(line["id"], "held")
        assert state.struck() == 1
    assert asked_to_add(school, state) == 1
    again = school.hold(slots, key=press)
    assert {line["state"] for line in again.json()["group"]["lines"]} == {"held"}
    assert asked_to_add(school, state) == 1
    school.agrees()


@pytest.mark.long_only
@pytest.mark.req("R-16", "R-30", "C10")
def test_a_validation_cut_after_rdvpermis_booked_is_found_booked_and_never_asked_twice(
    school: DrivingSchool, state: TheState
) -> None:
    group = school.held(school.slots(1), [school.candidate()])
    press = key()
    with state.faults({"kind": "cut_after", "path": VALIDATE, "count": 1}):
        answer = school.validate(group["id"], press)
        assert answer.status_code == 207, answer.text
        (line,) = answer.json()["group"]["lines"]
        assert line["state"] == "confirming"
        assert len(state.booked(school.id)) == 1
        problem(school.validate(group["id"]), 202, "UNKNOWN_OUTCOME")
        booked = school.becomes(line["id"], "booked")
        assert booked["examId"]
        assert state.struck() == 1
    assert school.validate(group["id"], press).json()["group"]["lines"][0]["state"] == "booked"
    assert state.calls(school.id, VALIDATED) == 1
    until(lambda: school.notices("booking.confirmed", line["id"]), "the notice of the booking")
    school.agrees()


@pytest.mark.long_only
@pytest.mark.req("R-16")
def test_a_call_cut_before_rdvpermis_acted_ends_as_it_stands_there_and_can_be_tried_again(
    schools: Schools, state: TheState
) -> None:
    asking, confirming = schools.several(2)
    slots = asking.slots(1)
    group = confirming.held(confirming.slots(1), [confirming.candidate()])
    with state.faults(
        {"kind": "cut_before", "path": ADD, "count": 1}, {"kind": "cut_before", "path": VALIDATE, "count": 1}
    ):
        held = asking.hold(slots)
        validated = confirming.validate(group["id"])
        assert (held.status_code, validated.status_code) == (207, 207), (held.text, validated.text)
        (line,) = validated.json()["group"]["lines"]
        assert line["state"] == "confirming"
        confirming.becomes(line["id"], "held")
        until(lambda: not asking.lines(), "the hold that never was to be refused")
        assert state.struck() == 2
    assert state.held(asking.id) == []
    held_again(asking, slots)
    assert confirming.validate(group["id"]).status_code == 200
    asking.agrees()
    confirming.agrees()


@pytest.mark.long_only
@pytest.mark.req("R-16", "R-30")
def test_a_naming_cut_after_rdvpermis_named_is_found_and_the_line_can_be_booked(
    school: DrivingSchool, state: TheState
) -> None:
    person = school.candidate()
    group = school.held(school.slots(1))
    line_id = group["lines"][0]["id"]
    with state.faults({"kind": "cut_after", "path": NAME, "count": 1}):
        answer = school.send("PUT", f"/api/v1/basket/items/{line_id}/candidate", {"candidateId": person.id})
        assert (answer.status_code, answer.json()["changing"], answer.json()["candidate"]) == (200, True, None)

        def named() -> bool:
            (line,) = school.lines().values()
            return not line["changing"] and line["candidate"] is not None

        until(named, "the candidate to stand on the line")
        assert state.struck() == 1
    assert school.validate(group["id"]).status_code == 200
    school.agrees()


@pytest.mark.req("R-27")
@pytest.mark.parametrize("retry_after", ["2", None], ids=["with Retry-After", "without Retry-After"])
def test_when_rdvpermis_asks_to_wait_the_person_is_told_until_when_and_nothing_is_asked_meanwhile(
    school: DrivingSchool, state: TheState, retry_after: str | None
) -> None:
    slots = school.slots(1)
    rule = {"kind": "429", "path": "/paniers$", "count": 1} | ({"retry_after": retry_after} if retry_after else {})
    with state.faults(rule):
        (result,) = school.hold(slots).json()["results"]
        assert (result["state"], result["problem"]["code"]) == ("refused", "RDVPERMIS_BUDGET")
        assert result["problem"]["retryAt"]
        before = state.truth(school.id)["calls"]
        (again,) = school.hold(slots).json()["results"]
        assert again["problem"]["code"] == "RDVPERMIS_BUDGET"
        assert state.truth(school.id)["calls"] == before
        assert state.struck() == 1
        held_again(school, slots)
    school.agrees()


@pytest.mark.long_only
@pytest.mark.req("R-16")
def test_a_slow_rdvpermis_is_waited_for(school: DrivingSchool, state: TheState) -> None:
    slots = school.slots(1)
    with state.faults({"kind": "latency", "latency_ms": 3000, "path": ADD}):
        since = time.monotonic()
        school.held(slots)
        assert time.monotonic() - since >= 3
    school.agrees()
