"""A school's whole job around an opening, a result and the State's own pages, on the running platform."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import httpx2
import pytest
from journey import CATEGORY, PARIS, DrivingSchool, Person, Schools, TheState, exam_day, until

from devstack.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")
LEADS_SECONDS = (8, 20, 45)
"""How long before an exam its slot is put on line: as short as this machine can find, hold and validate it in."""
FOUND_SECONDS = 60.0
"""A busy machine included: a result is polled each second here, and a reconciliation is due as soon as it is wanted."""
Found = TypeVar("Found")


def _changed(school: DrivingSchool, line_id: str) -> dict[str, Any] | None:
    """A coming booking once RdvPermis' answer about it is known."""
    shown = school.get("/api/v1/bookings", filter="upcoming")["items"]
    return next((line for line in shown if line["id"] == line_id and not line["changing"]), None)


@pytest.mark.req("R-13", "R-16", "R-26", "R-30")
def test_an_opening_is_prepared_held_named_validated_swapped_and_cancelled(
    school: DrivingSchool, state: TheState
) -> None:
    people = [school.candidate(), school.candidate()]
    slots = school.slots(2)
    wanted = {"category": CATEGORY, "department": school.department, "candidateIds": [one.id for one in people]}
    ready = school.act("POST", "/api/v1/basket/preparation", wanted)
    assert (ready["tokenFresh"], ready["rdvpermisReachable"], ready["basketProblem"]) == (True, True, None)
    assert [one["ready"] for one in ready["candidates"]] == [True, True]
    assert ready["basketExpiresAt"]

    opened = state.calls(school.id, "POST /paniers")
    group = school.held(slots)
    assert state.calls(school.id, "POST /paniers") == opened == 1, "the hold uses the basket opened before"
    lines = {line["slot"]["id"]: line for line in group["lines"]}
    for slot, person in zip(slots, people, strict=True):
        path = f"/api/v1/basket/items/{lines[slot]['id']}/candidate"
        assert school.act("PUT", path, {"candidateId": person.id})["candidate"]["id"] == person.id
    answer = school.validate(group["id"])
    assert answer.status_code == 200, answer.text
    school.agrees()

    one, two = (lines[slot]["id"] for slot in slots)
    before = {slot: exam["candidate"] for slot, exam in state.exams(school.id).items()}
    offered = school.get(f"/api/v1/bookings/{one}/swappable", date=str(exam_day()))["items"]
    assert [line["id"] for line in offered] == [two]
    swapped = school.act("POST", f"/api/v1/bookings/{one}/swap", {"otherBookingId": two})["items"]
    for line in swapped:
        until(lambda line=line: _changed(school, line["id"]), "the swap to be known")
    after = {slot: exam["candidate"] for slot, exam in state.exams(school.id).items()}
    assert after == {slots[0]: before[slots[1]], slots[1]: before[slots[0]]}
    until(lambda: school.notices("booking.swapped", one), "the notice of the swap")
    school.agrees()

    given_up = swapped[0]["id"]
    price = school.get(f"/api/v1/bookings/{given_up}/cancellation")
    assert (price["possible"], price["late"], price["restrictedDays"]) == (True, False, 0)
    assert datetime.fromisoformat(price["freeUntil"]) > datetime.now(UTC)
    school.act("POST", f"/api/v1/bookings/{given_up}/cancellation", {"reason": "not_ready"})
    until(lambda: state.booked(school.id) == [swapped[1]["slot"]["id"]], "the cancellation at RdvPermis")
    until(lambda: school.notices("booking.cancelled", given_up), "the notice of the cancellation")
    school.agrees()


def _booked_just_before(school: DrivingSchool, state: TheState, person: Person) -> tuple[dict[str, Any], int]:
    """A booking of an exam that begins in so many seconds."""
    centre = f"ce-{school.wire_department}-1"
    for lead in LEADS_SECONDS:
        starts = datetime.now(UTC) + timedelta(seconds=lead)
        slot = state.publish_soon(centre, starts, seconds=1)
        day = str(starts.astimezone(PARIS).date())
        asked = {"department": school.department, "category": CATEGORY, "centre": centre, "pollNow": "true"}

        def seen_or_begun(asked: Any = asked, day: str = day, slot: str = slot, starts: datetime = starts) -> bool:
            items = school.get("/api/v1/slots", **asked, **{"from": day, "to": day})["items"]
            return any(one["id"] == slot and one["allowed"] for one in items) or datetime.now(UTC) >= starts

        until(seen_or_begun, "the slot in the search", lead + 20)
        held = school.hold([slot], [person])
        if held.status_code == 201:
            validated = school.validate(held.json()["group"]["id"])
            if validated.status_code == 200 and validated.json()["group"]["lines"][0]["state"] == "booked":
                return dict(validated.json()["group"]["lines"][0]), lead
        assert datetime.now(UTC) >= starts, f"refused before the exam began: {held.text}"
    raise AssertionError("no exam could be booked before it began")


@pytest.mark.req("R-21", "R-22", "N-06")
@pytest.mark.timeout(300)
def test_a_result_is_found_told_and_gives_the_next_possible_date(
    school: DrivingSchool, state: TheState, mailbox: httpx2.Client
) -> None:
    person = school.candidate()
    line, lead = _booked_just_before(school, state, person)
    state.publish_result(line["examId"], points=12)

    def result() -> dict[str, Any] | None:
        past = school.get("/api/v1/bookings", filter="past")["items"]
        return next((one for one in past if one["id"] == line["id"] and one["result"]), None)

    found = until(result, "the result on the booking", lead + FOUND_SECONDS, pause_seconds=0.5)
    assert (found["state"], found["result"]["outcome"], found["result"]["points"]) == ("done", "failed", 12)

    def next_date() -> dict[str, Any] | None:
        standing = school.get(f"/api/v1/candidates/{person.id}/standing")
        return standing if {one["reason"] for one in standing["restrictions"]} & {"failure", "ECHEC"} else None

    standing = until(next_date, "the next possible date")
    wait = datetime.fromisoformat(standing["nextPossibleAt"][CATEGORY]) - datetime.now(UTC)
    assert timedelta(days=19) < wait < timedelta(days=23), standing
    until(lambda: school.notices("result.found", line["id"]), "the notice of the result")
    counted = school.get("/api/v1/bookings/results")["items"]
    assert sum(one["failed"] for one in counted) == 1

    def written() -> bool:
        mails = [mail for mail in mailbox.get("/api/mails").json() if person.email in mail["to"]]
        return any(mail["subject"] == "Le résultat de votre examen est publié" for mail in mails)

    until(written, "the candidate's mail about the result")


def _reconciled(stack: Stack, school: DrivingSchool, ask: Callable[[], Found | None], what: str) -> Found:
    """Wait as if it were ten minutes later each time: the school's reconciliation with RdvPermis is due."""

    async def ten_minutes_later() -> None:
        connection = await asyncpg.connect(stack.database_url("basket"), timeout=10)
        try:
            due = "UPDATE watched SET next_reconciliation_at = now() WHERE school_id = $1"
            await connection.execute(due, school.id)
        finally:
            await connection.close()

    def asked() -> Found | None:
        answer = ask()
        if not answer:  # each time: a reconciliation that was under way may have read too early
            asyncio.run(ten_minutes_later())
        return answer

    found: Found = until(asked, what, FOUND_SECONDS, pause_seconds=0.5)
    return found


@pytest.mark.req("R-31")
def test_what_is_booked_and_cancelled_by_hand_at_rdvpermis_is_found_and_notified(
    stack: Stack, school: DrivingSchool, state: TheState
) -> None:
    person = school.candidate()
    (slot,) = school.slots(1)
    exam = state.book_by_hand(school.id, slot, person)
    line = _reconciled(stack, school, lambda: school.lines().get(slot), "the booking made by hand")
    assert (line["state"], line["foundElsewhere"], line["candidate"]["id"]) == ("booked", True, person.id)
    notices = until(lambda: school.notices("booking.found", line["id"]), "the notice of what was found")
    assert "chez RdvPermis" in notices[0]["text"]["fr"]
    school.agrees()
    taken = {one["month"]: one["taken"] for one in school.get("/api/v1/thresholds")["items"] if one["category"] == "B"}
    assert taken[f"{exam_day():%Y-%m}"] == 1

    state.cancel_by_hand(exam)
    _reconciled(stack, school, lambda: slot not in school.lines(), "the cancellation made by hand")
    gone = until(lambda: school.notices("booking.cancelled", line["id"]), "the notice of the cancellation")
    assert gone[0]["text"]["fr"].startswith("Annulé chez RdvPermis")
    school.agrees()


@pytest.mark.req("R-09", "R-14")
def test_a_refusal_is_explained_with_what_to_do_and_when_before_anything_is_asked(
    schools: Schools, state: TheState
) -> None:
    local, stranger = schools.new(), schools.new()
    assert local.department != stranger.department
    person = stranger.candidate()
    (slot,) = local.slots(1)
    until(
        lambda: slot in {one["id"] for one in stranger.search(department=local.department, poll_now=True)["items"]},
        "the slot in the other school's search",
    )
    opened = state.calls(stranger.id, "POST /paniers")
    asked = {"items": [{"slotId": slot, "candidateId": person.id}]}
    checked = stranger.act("POST", "/api/v1/basket/check", asked)
    assert not checked["allowed"]
    (line,) = checked["lines"]
    (need,) = [one for one in line["needs"] if one["rule"] == "R-TERRITORY"]
    assert (need["remedy"], need["action"]) == ("wait", "Attendez l'heure indiquée.")
    assert need["detail"].startswith("Réservé aux écoles du département du centre. Possible à partir du ")
    opens = datetime.fromisoformat(need["opensAt"])
    assert timedelta(hours=47) < opens - datetime.now(UTC) < timedelta(hours=49)
    five = stranger.act("POST", "/api/v1/basket/check", {"items": [{"slotId": f"{slot}-{n}"} for n in range(5)]})
    assert "R-GROUP" in {one["rule"] for one in five["actionNeeds"]}
    assert state.calls(stranger.id, "POST /paniers") == opened
    assert state.held(stranger.id) == []
    assert stranger.get("/api/v1/basket")["groups"] == []
    assert local.hold([slot]).status_code == 201, "what one may not, another may"
