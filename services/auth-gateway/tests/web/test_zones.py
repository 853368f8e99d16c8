"""Hours that a school writes are meant on the clock of its department, overseas too."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from resapermis.scheduling.v1 import availability_pb2, school_pb2
from resapermis_auth_gateway.web.days import end_of, last_day, midnight
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_kit.database.transaction import transaction
from resapermis_places.table import PARIS, PLACES

OVERSEAS = {place.code: place.zone for place in PLACES.values() if place.zone != PARIS}


@pytest.mark.parametrize(("department", "zone"), OVERSEAS.items())
def test_a_day_begins_at_midnight_there(department: str, zone: str) -> None:
    begins = datetime(2026, 12, 9, tzinfo=ZoneInfo(zone))
    assert midnight(date(2026, 12, 9), department).ToDatetime(UTC) == begins
    assert end_of(date(2026, 12, 8), department, "until") == midnight(date(2026, 12, 9), department)
    assert last_day(begins, department) == date(2026, 12, 8)


@pytest.mark.req("R-18")
@pytest.mark.parametrize(("department", "zone"), OVERSEAS.items())
async def test_an_absence_that_names_no_zone_is_meant_on_the_clock_of_the_school(
    over: Any, department: str, zone: str
) -> None:
    world, _, services = await over(
        scheduling_rules={"AddUnavailability": availability_pb2.AddUnavailabilityResponse()}
    )
    signed = await world.session()
    async with transaction(world.dependencies.sessions.engine) as tx:
        await queries.set_session_school(tx, signed.id, "school-1", "École du Test", department)
    body = {"subject": {"kind": "school"}, "startsAt": "2026-12-09T09:00", "endsAt": "2026-12-09T10:00"}
    async with world.browser(signed) as browser:
        answer = await browser.post("/api/v1/unavailabilities", json=body, headers={"Idempotency-Key": "act-1"})
    asked = services["scheduling-rules"].asked[0].unavailability
    assert answer.status_code == 201
    assert asked.starts_at.ToDatetime(UTC) == datetime(2026, 12, 9, 9, tzinfo=ZoneInfo(zone))
    assert asked.time_zone == zone


@pytest.mark.req("R-28")
@pytest.mark.parametrize("department", OVERSEAS)
async def test_a_trainer_may_teach_in_every_overseas_department(over: Any, department: str) -> None:
    trainer = school_pb2.Trainer(id="u-1", department=department)
    world, _, services = await over(scheduling_rules={"SetTrainer": school_pb2.SetTrainerResponse(trainer=trainer)})
    plan = {"department": department, "categories": ["B"], "activeFrom": "2026-12-09"}
    async with world.browser(await world.session(role="school_admin")) as browser:
        answer = await browser.put("/api/v1/school/trainers/u-1", json=plan)
    assert answer.status_code == 200
    assert services["scheduling-rules"].asked[0].trainer.department == department
