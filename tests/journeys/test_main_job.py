"""The main job, and the race for one slot."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from journey import DrivingSchool, Schools, TheState, key, problem, until

from resapermis_audit import verify

pytestmark = pytest.mark.xdist_group("stack")


@pytest.mark.req("S-01", "R-16", "R-30", "T-01", "T-03", "N-03", "N-04")
def test_a_slot_is_held_named_booked_told_and_provable(
    school: DrivingSchool, state: TheState, mailbox: httpx2.Client
) -> None:
    person = school.candidate()
    (slot,) = school.slots(1)
    group = school.held([slot])
    (line,) = group["lines"]
    assert line["state"] == "held"
    assert line["candidate"] is None
    problem(school.validate(group["id"]), 409, "LINE_UNNAMED")

    named = school.act("PUT", f"/api/v1/basket/items/{line['id']}/candidate", {"candidateId": person.id})
    assert named["candidate"]["displayName"] == f"{person.first_name} {person.last_name}"
    press = key()
    booked = school.validate(group["id"], press)
    assert booked.status_code == 200, booked.text
    again = school.validate(group["id"], press)
    assert again.json()["results"] == booked.json()["results"]
    assert state.booked(school.id) == [slot]
    school.agrees()

    def proved() -> bool:
        wanted = {"basket.hold", "booking.confirm"}
        found = [r for r in school.get("/api/v1/audit/records", limit=100)["items"] if r["leafIndex"] is not None]
        if not wanted <= {record["action"] for record in found}:
            return False
        verifier_key = school.get("/api/v1/audit/checkpoint")["verifierKey"]
        for record in found:
            if record["action"] in wanted:
                verify.check(school.get(f"/api/v1/audit/records/{record['id']}/proof"), verifier_key)
        return True

    until(proved, "the records of the hold and the booking, each with its proof")
    until(lambda: school.notices("booking.confirmed", line["id"]), "the notice of the booking")

    def written() -> bool:
        mails = [mail for mail in mailbox.get("/api/mails").json() if person.email in mail["to"]]
        with_calendar = [mail for mail in mails if any(name.endswith(".ics") for name, _, _ in mail["attachments"])]
        return len(with_calendar) == 1 and person.last_name not in with_calendar[0]["subject"]

    until(written, "the candidate's mail with its calendar entry, its subject naming nobody")


@pytest.mark.req("C1")
def test_of_many_schools_at_once_exactly_one_gets_the_slot(schools: Schools, state: TheState) -> None:
    department = "095"
    rivals = [schools.of(department, number) for number in (1, 2, 3, 4, 5, 6, 7, 8)]
    rivals += [schools.of("078", 1), schools.of("077", 1)]
    since_days = datetime.now(UTC) - timedelta(days=3)  # open to all departments
    (slot,) = rivals[0].slots(1, at=since_days)
    for rival in rivals[-2:]:
        rival.search(department="95", centre=f"ce-{department}-1")
    with ThreadPoolExecutor(len(rivals)) as pool:
        answers = list(pool.map(lambda rival: rival.hold([slot]), rivals))
    results = [answer.json()["results"][0] for answer in answers]
    assert sorted(answer.status_code for answer in answers) == [201, *[207] * (len(rivals) - 1)]
    winner = next(rival for rival, result in zip(rivals, results, strict=True) if result["state"] == "held")
    lost = [result for result in results if result["state"] != "held"]
    assert {result["state"] for result in lost} == {"refused"}
    assert {result["problem"]["code"] for result in lost} <= {"SLOT_TAKEN", "RDVPERMIS_SLOT_GONE"}
    assert all(result["problem"]["detail"] for result in lost)
    for rival in rivals:
        assert state.held(rival.id) == ([slot] if rival is winner else [])
        rival.agrees()
