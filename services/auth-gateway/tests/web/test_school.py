"""The school as its administrator keeps it; names of trainers pass through and are kept nowhere."""

from datetime import UTC, datetime
from typing import Any

import pytest

from resapermis.rdvpermis.v1 import rdvpermis_pb2
from resapermis.scheduling.v1 import school_pb2
from resapermis_kit.errors import Code, Failure

PEOPLE = rdvpermis_pb2.ListEmployeesResponse(
    employees=[
        rdvpermis_pb2.RdvEmployee(id="u-1", first_name="Zoé", last_name="Roux"),
        rdvpermis_pb2.RdvEmployee(id="u-2", first_name="Ali", last_name="Baba"),
    ]
)


async def _as_admin(over: Any, **answers: Any) -> tuple[Any, Any]:
    """A browser of the school's administrator, and scheduling-rules."""
    world, browser, services = await over(**answers)
    await browser.aclose()
    return world.browser(await world.session(role="school_admin")), services["scheduling-rules"]


def _trainer() -> school_pb2.Trainer:
    trainer = school_pb2.Trainer(id="u-1", department="974", categories=["B"], may_accompany=True)
    trainer.active_from.FromDatetime(datetime(2026, 11, 30, 20, tzinfo=UTC))  # midnight at Réunion
    trainer.active_until.FromDatetime(datetime(2027, 3, 31, 20, tzinfo=UTC))
    return trainer


@pytest.mark.req("R-28")
async def test_a_schools_licence_ends_after_its_last_day(over: Any) -> None:
    school = school_pb2.School(id="school-1", licence_number="E0294", department="94", declared_fte=2.5)
    school.licensed_until.FromDatetime(datetime(2027, 5, 31, 22, tzinfo=UTC))
    browser, rules = await _as_admin(
        over,
        scheduling_rules={
            "GetSchool": school_pb2.GetSchoolResponse(school=school),
            "SetLicence": school_pb2.SetLicenceResponse(school=school),
        },
    )
    async with browser:
        shown = (await browser.get("/api/v1/school")).json()
        await browser.put("/api/v1/school/licence", json={"licensedUntil": "2027-05-31"})
        await browser.put("/api/v1/school/licence", json={"licensedUntil": None})
    assert (shown["name"], shown["licensedUntil"], shown["declaredFte"]) == ("École du Test", "2027-05-31", 2.5)
    asked = rules.asked
    assert asked[1].licensed_until == school.licensed_until
    assert not asked[2].HasField("licensed_until")


@pytest.mark.req("R-28")
async def test_trainers_bear_rdvpermis_names_and_their_own_days(over: Any, capsys: Any) -> None:
    browser, rules = await _as_admin(
        over,
        scheduling_rules={
            "ListTrainers": school_pb2.ListTrainersResponse(trainers=[_trainer()]),
            "SetTrainer": school_pb2.SetTrainerResponse(trainer=_trainer()),
        },
        egress={"ListEmployees": PEOPLE},
    )
    body = {"department": "974", "categories": ["B"], "activeFrom": "2026-12-01", "activeUntil": "2027-03-31"}
    async with browser:
        page = (await browser.get("/api/v1/school/trainers")).json()
        kept = (await browser.put("/api/v1/school/trainers/u-1", json=body)).json()
        wrong = await browser.put("/api/v1/school/trainers/u-1", json=body | {"activeUntil": "2026-11-30"})
    (trainer,) = page["items"]
    assert (trainer["displayName"], trainer["activeFrom"], trainer["activeUntil"]) == (
        "Zoé Roux",
        "2026-12-01",
        "2027-03-31",
    )
    assert page["others"] == [{"id": "u-2", "displayName": "Ali Baba"}]
    assert kept == trainer
    asked = rules.asked[1].trainer
    assert (asked.active_from, asked.active_until) == (_trainer().active_from, _trainer().active_until)
    assert "Roux" not in str(rules.asked)
    assert wrong.status_code == 422
    printed = capsys.readouterr()
    assert "Roux" not in printed.out + printed.err


async def test_trainers_are_shown_without_names_while_rdvpermis_is_silent(over: Any) -> None:
    _, browser, _ = await over(
        scheduling_rules={"ListTrainers": school_pb2.ListTrainersResponse(trainers=[_trainer()])},
        egress={"ListEmployees": Failure(Code.CODE_RDVPERMIS_DOWN, "silent")},
    )
    async with browser:
        page = (await browser.get("/api/v1/school/trainers")).json()
    assert (page["items"][0]["displayName"], page["others"], page["namesMissing"]) == ("…u-1", [], True)


async def test_vehicles_are_added_and_changed(over: Any) -> None:
    vehicle = school_pb2.Vehicle(id="v-1", label="Clio 2", categories=["B"], gearbox="manual")
    browser, rules = await _as_admin(
        over,
        scheduling_rules={
            "ListVehicles": school_pb2.ListVehiclesResponse(vehicles=[vehicle]),
            "SetVehicle": school_pb2.SetVehicleResponse(vehicle=vehicle),
        },
    )
    body = {"label": "Clio 2", "categories": ["B", "B"], "gearbox": "manual"}
    async with browser:
        listed = (await browser.get("/api/v1/school/vehicles")).json()["items"]
        keyless = await browser.post("/api/v1/school/vehicles", json=body)
        added = await browser.post("/api/v1/school/vehicles", json=body, headers={"Idempotency-Key": "act-1"})
        changed = await browser.put("/api/v1/school/vehicles/v-1", json=body | {"retired": True})
    assert (keyless.status_code, keyless.json()["violations"][0]["field"]) == (400, "Idempotency-Key")
    assert (added.status_code, changed.status_code, [added.json()]) == (201, 200, listed)
    asked = rules.asked
    assert [(one.vehicle.id, list(one.vehicle.categories)) for one in asked[1:]] == [("", ["B"]), ("v-1", ["B"])]
    assert asked[2].vehicle.retired
    assert [one.request_id for one in asked[1:]] == ["act-1", ""]


@pytest.mark.req("D-17")
async def test_hours_are_declared_in_hundredths_and_their_fte_comes_back(over: Any) -> None:
    hours = school_pb2.Hours(trainer_id="u-1", month="2026-11", category="B", kind="practical", hundredths=12050)
    fte = school_pb2.Fte(department="94", category="B", hundredths=79, first_month="2026-08", last_month="2026-10")
    _, browser, services = await over(
        scheduling_rules={
            "DeclareHours": school_pb2.DeclareHoursResponse(),
            "ListHours": school_pb2.ListHoursResponse(hours=[hours], fte=[fte]),
        }
    )
    declared = {"trainerId": "u-1", "month": "2026-11", "category": "B", "kind": "practical", "hours": 120.5}
    async with browser:
        answer = (await browser.put("/api/v1/school/hours", json={"hours": [declared]})).json()
        finer = await browser.put("/api/v1/school/hours", json={"hours": [declared | {"hours": 1.005}]})
    assert services["scheduling-rules"].asked[0] == school_pb2.DeclareHoursRequest(hours=[hours])
    assert (answer["items"][0]["hours"], answer["fte"][0]["fte"]) == (120.5, 0.79)
    assert finer.json()["violations"][0]["field"] == "hours[0].hours"


@pytest.mark.req("R-21")
async def test_a_standing_gives_restrictions_in_words_and_when_they_end(over: Any) -> None:
    ours = school_pb2.StandingRestriction(
        id="b-1", category="B", reason="failure", waiver_proposed=True, waiver_proposed_by="a-1"
    )
    theirs = school_pb2.StandingRestriction(id="b-2", category="B", reason="MOTIF_JAMAIS_VU", from_rdvpermis=True)
    standing = school_pb2.Standing(candidate_id="c-1", restrictions=[ours, theirs])
    standing.next_possible_at["B"].FromDatetime(datetime(2027, 1, 10, tzinfo=UTC))
    _, browser, services = await over(
        scheduling_rules={
            "GetStanding": school_pb2.GetStandingResponse(standings=[standing]),
            "ProposeWaiver": school_pb2.ProposeWaiverResponse(),
            "ApproveWaiver": school_pb2.ApproveWaiverResponse(),
        }
    )
    async with browser:
        answer = await browser.get("/api/v1/candidates/c-1/standing")
        waiver = await browser.post("/api/v1/restrictions/b-1/waiver", json={"reason": "illness"})
        refused = await browser.post("/api/v1/restrictions/b-1/waiver-approval")
    shown = answer.json()
    assert [one["detail"] for one in shown["restrictions"]] == ["échec à un examen", "pénalité, selon RdvPermis"]
    assert (shown["restrictions"][0]["waiverProposed"], shown["restrictions"][0]["waiverProposedByMe"]) == (True, False)
    assert shown["nextPossibleAt"] == {"B": "2027-01-10T00:00:00Z"}
    assert "a-1" not in answer.text
    assert services["scheduling-rules"].asked[1] == school_pb2.ProposeWaiverRequest(
        restriction_id="b-1", reason="illness"
    )
    assert waiver.status_code == 204
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")  # a manager is no administrator


@pytest.mark.req("R-21")
async def test_an_administrator_approves_a_waiver(over: Any) -> None:
    world, browser, services = await over(scheduling_rules={"ApproveWaiver": school_pb2.ApproveWaiverResponse()})
    await browser.aclose()
    async with world.browser(await world.session(role="school_admin")) as admin:
        answer = await admin.post("/api/v1/restrictions/b-1/waiver-approval")
    assert (answer.status_code, answer.content) == (204, b"")
    assert services["scheduling-rules"].asked == [school_pb2.ApproveWaiverRequest(restriction_id="b-1")]


async def test_a_candidate_without_restrictions_has_an_empty_standing(over: Any) -> None:
    _, browser, _ = await over(scheduling_rules={"GetStanding": school_pb2.GetStandingResponse()})
    async with browser:
        answer = await browser.get("/api/v1/candidates/c-1/standing")
    assert answer.json() == {"candidateId": "c-1", "restrictions": [], "nextPossibleAt": {}}
