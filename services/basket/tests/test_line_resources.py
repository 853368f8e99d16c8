"""Trainers and vehicles: one place at a time, judged, once (R-17)."""

import asyncio
from datetime import timedelta

import pytest
from basket_peers import START, Basket, LineChanged, Record, candidate
from test_line_change import LOST, booked, cancel, replace
from test_swap import swap

from resapermis.audit.v1.events_pb2 import Outcome
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_kit.errors import Code, Failure


async def set_resources(basket: Basket, line: pb.Line, trainer: str = "", vehicle: str = "", key: str = "") -> pb.Line:
    request = pb.SetLineResourcesRequest(
        request_id=key or basket.key(), line_id=line.id, trainer_id=trainer, vehicle_id=vehicle
    )
    return (await basket.ask("SetLineResources", request)).line


@pytest.mark.req("R-17")
async def test_trainer_and_vehicle_are_put_on_a_line_and_published_once(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    after = await set_resources(basket, line, "t1", "v1", key="a")
    assert (after.trainer_id, after.vehicle_id, after.state) == ("t1", "v1", pb.LINE_STATE_BOOKED)
    assert await set_resources(basket, line, "t1", "v1", key="a") == after
    published = (await basket.published(LineChanged))[-1]
    assert (published.trainer_id, published.vehicle_id) == ("t1", "v1")
    records = [record.action for record in await basket.published(Record)]
    assert records.count("basket.set_line_resources") == 1
    assert (await set_resources(basket, line)).trainer_id == ""


@pytest.mark.req("R-17")
async def test_nobody_is_at_two_exams_at_once(basket: Basket) -> None:
    basket.world.starts["s3"] = START + timedelta(minutes=32)
    one, other, later = await booked(basket, ("s1", 1), ("s2", 2), ("s3", 3))
    await set_resources(basket, one, "t1", "v1")
    for trainer, vehicle in (("t1", ""), ("", "v1")):
        with pytest.raises(Failure) as refused:
            await set_resources(basket, other, trainer, vehicle)
        assert (refused.value.code, refused.value.verdicts[0].rule) == (Code.CODE_RULE_REFUSED, "R-AVAILABLE")
        assert (await basket.published(Record))[-1].outcome == Outcome.OUTCOME_REFUSED
    assert (await set_resources(basket, later, "t1", "v1")).trainer_id == "t1"
    await cancel(basket, one)
    assert (await set_resources(basket, other, "t1", "v1")).vehicle_id == "v1"


@pytest.mark.req("R-17")
async def test_of_many_lines_at_one_hour_one_gets_the_trainer(basket: Basket) -> None:
    lines = await booked(basket, ("s1", 1), ("s2", 2), ("s3", 3), ("s4", 4))
    results = await asyncio.gather(*(set_resources(basket, line, "t1") for line in lines), return_exceptions=True)
    assert sum(isinstance(one, pb.Line) for one in results) == 1
    assert {one.code for one in results if isinstance(one, Failure)} == {Code.CODE_RULE_REFUSED}


@pytest.mark.req("R-17")
async def test_two_schools_may_name_the_same_vehicle_word(basket: Basket) -> None:
    await set_resources(basket, (await booked(basket, ("s1", 1)))[0], "", "car-1")
    request = pb.HoldSlotsRequest(request_id="h")
    request.lines.add(slot_id="s2", vehicle_id="car-1")
    group = (await basket.ask("HoldSlots", request, "school-2")).group
    assert group.lines[0].state == pb.LINE_STATE_HELD


@pytest.mark.req("R-17")
async def test_a_hold_with_a_trainer_who_is_elsewhere_is_refused_for_that_line_alone(basket: Basket) -> None:
    await set_resources(basket, (await booked(basket, ("s1", 1)))[0], "t1")
    request = pb.HoldSlotsRequest(request_id="h")
    request.lines.add(slot_id="s2", trainer_id="t1")
    request.lines.add(slot_id="s3", trainer_id="t2", vehicle_id="v2")
    lines = (await basket.ask("HoldSlots", request)).group.lines
    assert [line.state for line in lines] == [pb.LINE_STATE_REFUSED, pb.LINE_STATE_HELD]
    assert lines[0].refusal.verdicts[0].rule == "R-AVAILABLE"
    assert (lines[1].trainer_id, lines[1].vehicle_id) == ("t2", "v2")
    assert {line.trainer_id for line in basket.world.evaluated[-1].lines} == {"t1", "t2"}
    await basket.check()


@pytest.mark.req("R-17", "R-28")
async def test_the_rules_are_asked_about_the_line_resources_alone(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    basket.world.rules_against["s1"] = Verdict(rule="R-THRESHOLD", allowed=False)
    basket.world.bad_trainers.add("t9")
    with pytest.raises(Failure) as refused:
        await set_resources(basket, line, "t9")
    assert [verdict.rule for verdict in refused.value.verdicts] == ["R-LICENSED"]
    assert (await set_resources(basket, line, "t1")).trainer_id == "t1"


@pytest.mark.req("R-12", "R-17")
async def test_lines_that_ended_began_or_are_in_doubt_take_nobody_along(basket: Basket) -> None:
    one, other, third = await booked(basket, ("s1", 1), ("s2", 2), ("s3", 3))
    await cancel(basket, one)
    basket.rdvpermis.before["CancelExam"] = LOST
    await cancel(basket, other)
    await basket.rows("UPDATE basket_line SET starts_at = now() WHERE slot_id = 's3' RETURNING 1")
    codes = (Code.CODE_ILLEGAL_TRANSITION, Code.CODE_UNKNOWN_OUTCOME, Code.CODE_RULE_REFUSED)
    for line, code in zip((one, other, third), codes, strict=True):
        with pytest.raises(Failure) as refused:
            await set_resources(basket, line, "t1")
        assert refused.value.code == code


@pytest.mark.req("R-17", "R-26")
async def test_line_resources_stay_with_the_hour_when_candidates_change(basket: Basket) -> None:
    one, other = await booked(basket, ("s1", 1), ("s2", 2))
    await set_resources(basket, one, "t1", "v1")
    (one, other) = await swap(basket, one, other)
    assert (one.trainer_id, one.candidate_id, other.trainer_id) == ("t1", candidate(2), "")
    assert (await replace(basket, one, 5)).vehicle_id == "v1"
