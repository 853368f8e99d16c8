"""A school's records beside its bookings: people, vehicles, hours, absences, calendars, favourites, searches."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from journey import CATEGORY, PARIS, DrivingSchool, exam_day, problem, until

from resapermis_testing.certificates import NOBODY

pytestmark = pytest.mark.xdist_group("stack")
CALENDAR = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Somebody//EN\r
BEGIN:VEVENT\r
UID:dentist-1\r
DTSTAMP:20261101T080000Z\r
DTSTART;TZID=Europe/Paris:{day}T090000\r
DTEND;TZID=Europe/Paris:{day}T110000\r
SUMMARY:Dentiste de Zéphyrine Quiquampoix\r
END:VEVENT\r
END:VCALENDAR\r
"""


@pytest.mark.req("R-28", "D-17", "R-10", "S-22")
def test_the_administrator_keeps_licence_trainers_vehicles_and_hours(school: DrivingSchool) -> None:
    school.slots(1)  # RdvPermis was polled: the school is known
    shown = school.get("/api/v1/school")
    assert (shown["id"], shown["department"]) == (school.id, school.department)
    last = (datetime.now(PARIS) + timedelta(days=400)).date()
    kept = school.act("PUT", "/api/v1/school/licence", {"licensedUntil": str(last)})
    assert kept["licensedUntil"] == school.get("/api/v1/school")["licensedUntil"] == str(last)

    page = school.get("/api/v1/school/trainers")
    assert (page["items"], page["namesMissing"]) == ([], False)
    someone = page["others"][0]
    assert " " in someone["displayName"], "a name as RdvPermis has it"
    plan = {"department": school.department, "categories": [CATEGORY], "activeFrom": "2026-01-05"}
    trainer = school.act("PUT", f"/api/v1/school/trainers/{someone['id']}", plan)
    assert (trainer["displayName"], trainer["mayAccompany"]) == (someone["displayName"], True)
    assert [one["id"] for one in school.get("/api/v1/school/trainers")["items"]] == [someone["id"]]

    vehicle = {"label": "Clio 2", "categories": [CATEGORY], "gearbox": "manual"}
    made = school.act("POST", "/api/v1/school/vehicles", vehicle)
    assert school.get("/api/v1/school/vehicles")["items"] == [made]

    (slot,) = school.slots(1)
    line = school.held([slot], [school.candidate()])["lines"][0]
    who = {"trainerId": someone["id"], "vehicleId": made["id"]}
    named = school.act("PUT", f"/api/v1/basket/items/{line['id']}/accompaniment", who)
    assert (named["trainerId"], named["vehicleId"]) == (someone["id"], made["id"])

    month, hours = datetime.now(PARIS).replace(day=1), []
    for _ in range(4):  # the three that count, whether the 24th has passed or not
        month = (month - timedelta(days=1)).replace(day=1)
        month_of_one = {
            "trainerId": someone["id"],
            "month": f"{month:%Y-%m}",
            "category": CATEGORY,
            "kind": "practical",
        }
        hours.insert(0, month_of_one | {"hours": 120.5})
    declared = school.act("PUT", "/api/v1/school/hours", {"hours": hours})
    assert declared["items"] == hours
    assert declared["nextAt"]
    until(
        lambda: "hours" in {one["fteSource"] for one in school.get("/api/v1/thresholds")["items"]},
        "the threshold that follows from the hours",
    )


@pytest.mark.req("R-17", "R-18", "D-03")
def test_absences_are_declared_read_from_a_calendar_and_met(school: DrivingSchool) -> None:
    booked = school.booking()
    day = exam_day()
    asked = {"subject": {"kind": "candidate", "id": booked["candidate"]["id"]}}
    asked |= {"startsAt": f"{day}T07:00", "endsAt": f"{day}T19:00"}

    def met() -> bool:
        made = school.act("POST", "/api/v1/unavailabilities", asked)
        school.act("DELETE", f"/api/v1/unavailabilities/{made['unavailability']['id']}", expect=(204,))
        return bool(made["metLineIds"] == [booked["id"]])

    until(met, "the absence to meet the booking")
    school.act("POST", "/api/v1/unavailabilities", asked)
    until(lambda: school.notices("booking.conflict", booked["id"]), "the notice of the conflict")

    trainer = school.get("/api/v1/school/trainers")["others"][0]["id"]
    school.act(
        "PUT",
        f"/api/v1/school/trainers/{trainer}",
        {"department": school.department, "categories": [CATEGORY], "activeFrom": "2026-01-05"},
    )
    answer = school.web.post(
        f"/api/v1/unavailabilities/import?subject=trainer&subjectId={trainer}",
        content=CALENDAR.format(day=f"{day:%Y%m%d}").encode(),
        headers={
            "Content-Type": "text/calendar",
            "X-CSRF-Token": school.csrf,
            "Origin": str(school.web.base_url).rstrip("/"),
        },
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["kept"] == 1
    window = {"from": str(day), "to": str(day), "subject": "trainer", "subjectId": trainer}
    (busy,) = school.get("/api/v1/unavailabilities", **window)["items"]
    assert (busy["startsAt"], busy["endsAt"], busy["imported"]) == (f"{day}T09:00", f"{day}T11:00", True)

    address = school.act("POST", f"/api/v1/calendar-feeds/{trainer}", None)["address"]
    with httpx2.Client(timeout=20, verify=NOBODY) as stranger:
        feed = stranger.get(address)
        assert (feed.status_code, feed.text.startswith("BEGIN:VCALENDAR")) == (200, True)
        assert "Quiquampoix" not in feed.text
        school.act("DELETE", f"/api/v1/calendar-feeds/{trainer}", expect=(204,))
        problem(stranger.get(address), 404, "NOT_FOUND")


@pytest.mark.req("R-20", "R-24", "R-34")
def test_favourites_and_searches_are_kept_and_parameters_shown(school: DrivingSchool) -> None:
    school.slots(1)
    centre = f"ce-{school.wire_department}-1"
    chosen = {"category": CATEGORY, "favourites": [{"centreId": centre, "priority": 0}]}
    assert [one["centreId"] for one in school.act("PUT", "/api/v1/favourite-centres", chosen)["items"]] == [centre]
    assert [one["centreId"] for one in school.get("/api/v1/favourite-centres", pollNow="true")["items"]] == [centre]

    wanted = {"department": school.department, "category": CATEGORY, "dayFrom": "08:00", "weekdays": [1, 2]}
    saved = school.act("POST", "/api/v1/saved-searches", {"label": "Matin", "search": wanted})
    (listed,) = school.get("/api/v1/saved-searches")["items"]
    assert (listed["id"], listed["search"]["dayFrom"], listed["search"]["weekdays"]) == (saved["id"], "08:00", [1, 2])
    school.act("DELETE", f"/api/v1/saved-searches/{saved['id']}", expect=(204,))
    assert school.get("/api/v1/saved-searches")["items"] == []

    near = school.get(
        "/api/v1/slots", category=CATEGORY, withinKm="60", dayFrom="08:00", dayTo="12:00", **{"from": str(exam_day())}
    )
    assert near["items"]
    assert all(one["distanceKm"] <= 60 for one in near["items"])
    names = {one["name"]: one["state"] for one in school.get("/api/v1/rules/parameters")["items"]}
    assert names["group"] == "in_force"
    assert datetime.fromisoformat(near["serverTime"]) <= datetime.now(UTC) + timedelta(minutes=1)
