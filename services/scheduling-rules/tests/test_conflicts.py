"""What a school says about its people counts in every judgement: declared here, refused there, by name of whose time it is."""

from datetime import timedelta
from typing import Any

import pytest
from scheduling_peers import NOW
from school_desk import Desk, stamp
from test_availability import NINE, SCHOOL, line, trainer

from resapermis.scheduling.v1 import availability_pb2, school_pb2
from resapermis.scheduling.v1 import scheduling_pb2 as pb

HOUR = timedelta(hours=1)


async def refusals(desk: Desk, purpose: str = "hold", **more: Any) -> dict[str, dict[str, str]]:
    """Facts of each rule that refuses the slot at nine on 9 December, for candidate p9, trainer t1 and vehicle v1."""
    wanted: dict[str, Any] = {"slot_id": "s1", "candidate_id": "p9", "mandate_active": True, "mandate_category": "B"}
    asked = pb.EvaluateLine(**(wanted | {"trainer_id": "t1", "mandate_gearbox": "manual"} | more))
    request = pb.EvaluateRequest(lines=[asked], purpose=purpose)
    answer = await desk.around.stub("basket").Evaluate(request, metadata=desk.around.who())
    return {one.rule: dict(one.facts) for one in answer.lines[0].verdicts if not one.allowed}


@pytest.fixture
async def slot(desk: Desk) -> Desk:
    """A slot at nine at the centre c1, and a trainer of the school."""
    desk.around.state.slot("s1")
    await desk.around.poll()
    await desk.trainer(authorised_until=stamp(2027, 6, 1))
    return desk


@pytest.mark.req("R-17", "R-18")
@pytest.mark.parametrize("purpose", ["hold", "validate"])
async def test_what_is_declared_is_refused_until_it_is_taken_back(slot: Desk, purpose: str) -> None:
    assert await refusals(slot, purpose) == {}
    added = await slot.away(trainer(), NINE - HOUR, NINE)
    found = (await refusals(slot, purpose))["R-AVAILABLE"]
    assert (found["whose"], found["what"], found["id"]) == ("trainer", "unavailable", added.unavailability.id)
    assert await refusals(slot, purpose, trainer_id="") == {}
    remove = availability_pb2.RemoveUnavailabilityRequest(id=added.unavailability.id)
    await slot.availability.RemoveUnavailability(remove, metadata=slot.who())
    assert await refusals(slot, purpose) == {}
    await slot.away(SCHOOL, NINE - 12 * HOUR, NINE + 12 * HOUR)
    assert (await refusals(slot, purpose))["R-AVAILABLE"]["whose"] == "school"


@pytest.mark.req("R-17")
async def test_one_is_in_one_place_at_a_time_and_a_line_is_not_in_its_own_way(slot: Desk) -> None:
    await line(slot.around, "line-1", at=NINE + timedelta(minutes=20), candidate_id="p1")
    assert (await refusals(slot))["R-AVAILABLE"]["id"] == "line-1"
    assert await refusals(slot, "validate", line_id="line-1") == {}
    assert await refusals(slot, trainer_id="") == {}
    await line(slot.around, "line-1", at=NINE + timedelta(minutes=32), candidate_id="p1")
    assert await refusals(slot) == {}  # the next pupil, in the same centre


@pytest.mark.req("R-28")
async def test_who_may_not_accompany_any_more_accompanies_nothing_new(slot: Desk) -> None:
    await slot.trainer(authorised_until=stamp(at=NOW))
    assert set(await refusals(slot)) == {"R-LICENSED"}
    await slot.trainer(authorised_until=stamp(2030, 1, 1))
    assert await refusals(slot) == {}
    await slot.trainer(active_until=stamp(2026, 12, 1), authorised_until=stamp(2030, 1, 1))
    assert await refusals(slot) != {}


@pytest.mark.req("R-28")
async def test_a_school_whose_licence_has_ended_takes_nothing(slot: Desk) -> None:
    await slot.school.SetLicence(school_pb2.SetLicenceRequest(licensed_until=stamp(at=NOW)), metadata=slot.who())
    assert set(await refusals(slot)) == {"R-LICENSED"}
