"""Components of ours stop, fall, are cut: what is asked meanwhile is refused whole, nothing is lost, all recovers by itself."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import httpx2
import pytest
from journey import DrivingSchool, Schools, TheState, key, problem, until

from devstack.background import BackgroundStack
from devstack.components import NATS, POSTGRES, SERVICES

pytestmark = pytest.mark.xdist_group("stack")
SHOWN_AT_ONCE = {"auth-gateway"}
"""The one that people reach; each of the others falls in `make test-long`.

Basket falls in the middle of holds here, and what audit and notification miss while they are away is shown with NATS away.
"""
READS = (
    "/auth/session",
    "/api/v1/basket",
    "/api/v1/bookings",
    "/api/v1/candidates",
    "/api/v1/mandates",
    "/api/v1/notifications",
    "/api/v1/audit/records",
    "/api/v1/thresholds",
)


def booked_again(school: DrivingSchool, slots: list[str], seconds: float = 20) -> None:
    """The whole way through the platform works again."""
    person = until(lambda: _tried(school.candidate), "a candidate to be written down again", seconds)
    press = key()

    def held() -> httpx2.Response | None:
        """A browser repeats its request until it knows what became of it; refused, a person presses anew."""
        nonlocal press
        answer = school.hold(slots, [person], press)
        if answer.status_code == 207 and all(one["state"] != "asking" for one in answer.json()["results"]):
            press = key()
        return _only(answer, 201)

    answer = until(held, "a hold to succeed again", seconds)
    group_id = answer.json()["group"]["id"]
    until(lambda: _only(school.validate(group_id), 200), "a validation to succeed again", seconds)


def _only(answer: httpx2.Response, status: int) -> httpx2.Response | None:
    return answer if answer.status_code == status else None


def _tried(act: Any) -> Any:
    try:
        return act()
    except Exception as error:  # noqa: BLE001 - a person who tries again does not read tracebacks
        return None if type(error).__name__ == "Broken" else pytest.fail(f"{type(error).__name__}: {error}")


@pytest.mark.long_only
@pytest.mark.req("P-04")
def test_while_postgresql_is_away_everything_says_so_and_afterwards_nothing_is_missing(
    platform: BackgroundStack, school: DrivingSchool, state: TheState
) -> None:
    booked = school.booking()
    slots = school.slots(3)
    group = school.held(slots[:1])
    line_id = group["lines"][0]["id"]
    before = state.truth(school.id)
    writes: list[tuple[str, str, Any]] = [
        ("POST", "/api/v1/basket/items", {"items": [{"slotId": slots[1]}]}),
        ("PUT", f"/api/v1/basket/items/{line_id}/candidate", {"candidateId": None}),
        ("DELETE", f"/api/v1/basket/items/{line_id}", {}),
        ("POST", "/api/v1/basket/validation", {"groupId": group["id"]}),
        ("POST", "/api/v1/candidates", {"lastName": "A", "firstName": "B", "neph": "1"}),
        ("POST", f"/api/v1/bookings/{booked['id']}/cancellation", {"reason": "school"}),
        ("POST", "/auth/logout", {}),
    ]
    platform.stop(POSTGRES)
    try:
        for method, path, body in writes:
            answer = school.send(method, path, body)
            problem(answer, 503, "UNAVAILABLE")
            assert int(answer.headers["retry-after"]) >= 1, path
        for path in READS:
            answer = school.web.get(path)
            problem(answer, 503, "UNAVAILABLE")
            assert int(answer.headers["retry-after"]) >= 1, path
        until(lambda: school.web.get("/readyz").status_code == 503, "the web face to know that it is not ready")
        assert school.web.get("/healthz").status_code == 200
    finally:
        platform.start(POSTGRES)
    until(lambda: _only(school.web.get("/api/v1/basket"), 200), "the basket to be read again", 10)
    after = state.truth(school.id)
    assert (after["baskets"], after["exams"]) == (before["baskets"], before["exams"])
    school.agrees()
    upcoming = school.get("/api/v1/bookings", filter="upcoming")["items"]
    assert [line["id"] for line in upcoming] == [booked["id"]]
    booked_again(school, slots[2:])
    school.agrees()


@pytest.mark.req("P-04", "N-04", "T-01")
def test_while_nats_is_away_bookings_go_on_and_notices_and_records_follow_once_each(
    platform: BackgroundStack, school: DrivingSchool
) -> None:
    people = [school.candidate(), school.candidate()]
    slots = school.slots(2)
    platform.stop(NATS)
    try:
        group = school.held(slots, people)
        platform.stop("basket")
        platform.start("basket")  # begun while NATS is away, it is ready all the same
        answer = school.validate(group["id"])
        assert answer.status_code == 200, answer.text
    finally:
        platform.start(NATS)
    lines = [line["id"] for line in group["lines"]]

    def noticed() -> bool:
        return all(school.notices("booking.confirmed", line) for line in lines)

    until(noticed, "the notices of both bookings", 30)

    def recorded() -> list[dict[str, Any]] | None:
        found = [r for r in school.records("booking.confirm") if r["leafIndex"] is not None]
        return found if {r["object"]["id"] for r in found} >= set(lines) else None

    until(recorded, "the records of both bookings", 30)
    marker = school.booking()  # what comes later is there: nothing earlier is on its way any more
    until(lambda: school.notices("booking.confirmed", marker["id"]), "a later notice")
    for line in lines:
        assert len(school.notices("booking.confirmed", line)) == 1
        acts = [(r["action"], r["outcome"], str(r["facts"])) for r in school.records(object_id=line)]
        assert len(acts) == len(set(acts)), acts
        assert [action for action, _, _ in acts].count("booking.confirm") == 1
        assert "basket.hold" in {action for action, _, _ in acts}
    school.agrees()


@pytest.mark.req("R-16", "P-04")
@pytest.mark.parametrize("schools_at_once", [2, pytest.param(5, marks=pytest.mark.long_only)])
def test_basket_killed_in_the_middle_of_many_holds_sells_nothing_twice_and_ends_agreeing_with_the_state(
    platform: BackgroundStack, schools: Schools, state: TheState, schools_at_once: int
) -> None:
    crowd = schools.several(schools_at_once)
    wanted = [(school, slot, key()) for school in crowd for slot in school.slots(4)]
    slow = state.faults({"kind": "latency", "latency_ms": 1000, "path": "/creneaux"})
    with ThreadPoolExecutor(len(wanted)) as pool, slow:
        holds: list[Future[httpx2.Response]] = [
            pool.submit(school.hold, [slot], (), press) for school, slot, press in wanted
        ]
        until(state.struck, "RdvPermis to have been asked for one, which it answers a second later")
        platform.kill("basket")
        wait(holds)
        platform.start("basket")
        first = [hold.result() for hold in holds]
        statuses = {answer.status_code for answer in first}
        assert statuses <= {201, 207, 503, 504}, [answer.text for answer in first]
        assert statuses & {503, 504}, "some were cut off"

        def settled(school: DrivingSchool, slot: str, press: str) -> httpx2.Response:
            """The browser repeats its request with the same key until it has the answer."""

            def once() -> httpx2.Response | None:
                answer = school.hold([slot], key=press)
                if answer.status_code not in {201, 207}:
                    assert answer.json()["code"] in {"IN_PROGRESS", "UNAVAILABLE"}, answer.text
                    return None
                return None if answer.json()["group"]["lines"][0]["state"] == "asking" else answer

            found: httpx2.Response = until(once, f"the outcome of {slot}", 30, pause_seconds=1)
            return found

        answers = list(pool.map(lambda one: settled(*one), wanted))
    for school in crowd:
        mine = [slot for one, slot, _ in wanted if one is school]
        held = state.held(school.id)
        assert len(held) == len(set(held))
        assert set(held) <= set(mine)
        school.agrees()
    got = {slot for (_, slot, _), answer in zip(wanted, answers, strict=True) if answer.status_code == 201}
    assert got == {slot for school in crowd for slot in state.held(school.id)}


@pytest.mark.req("P-04")
@pytest.mark.parametrize(
    "component",
    [
        service.name if service.name in SHOWN_AT_ONCE else pytest.param(service.name, marks=pytest.mark.long_only)
        for service in SERVICES
        if service.name != "basket"
    ],
)
def test_a_service_that_was_killed_is_refused_for_meanwhile_and_works_again_once_back(
    platform: BackgroundStack, school: DrivingSchool, component: str
) -> None:
    # What an earlier test felled may not have been found again by everybody.
    slots = until(lambda: _tried(lambda: school.slots(2)), "slots to be found", 10)
    person = school.candidate()
    platform.kill(component)
    try:
        if component != "auth-gateway":
            since = time.monotonic()
            answer = school.hold(slots[:1], [person])
            assert answer.status_code in {201, 207, 503}, answer.text
            if answer.status_code == 503:
                problem(answer, 503, "UNAVAILABLE")
            assert time.monotonic() - since < 10
    finally:
        platform.start(component)
    shown = until(lambda: _only(school.web.get("/api/v1/basket"), 200), "the basket to be shown", 5)
    assert shown.json()["groups"] is not None
    booked_again(school, slots[1:], 30)  # a line whose answer was cut is read first

    def agreed() -> bool:
        return all(line["state"] in {"held", "booked"} for line in school.lines().values())

    until(agreed, "no line to be in doubt", 20)
    school.agrees()


@pytest.mark.long_only
@pytest.mark.req("P-04", "R-11")
def test_a_slot_pressed_for_in_vain_while_egress_was_away_is_to_be_had_once_it_is_back(
    platform: BackgroundStack, school: DrivingSchool
) -> None:
    slots, person = school.slots(1), school.candidate()
    platform.kill("egress")
    try:
        (line,) = school.hold(slots, [person]).json()["results"]
        assert line["state"] in {"refused", "asking"}  # as no call could leave, or one was on its way when egress fell
        (other,) = school.hold(slots, [person]).json()["results"]
        assert other["state"] == "refused"
        assert line["state"] == "refused" or other["problem"]["code"] == "SLOT_TAKEN"
        # It is published after the refusal: who consumes it has it by now.
        until(lambda: school.records(object_id=other["lineId"]), "the refusal to be recorded")
    finally:
        platform.start("egress")
    until(lambda: not school.lines(), "the line in doubt to be settled")
    until(lambda: _only(school.hold(slots, [person]), 201), "the slot to be had", 10)
