"""Thresholds in full: what is used, held, left and by when; FTE from hours beside RdvPermis' number; what differs."""

from datetime import UTC, timedelta

import pytest
from scheduling_peers import Service
from school_desk import FULL, Desk, stamp

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1.events_pb2 import ThresholdDiffers, ThresholdReached
from resapermis_kit.database.transaction import transaction
from resapermis_scheduling_rules.domain.availability import CountedLine
from resapermis_scheduling_rules.domain.quota import ThresholdKey
from resapermis_scheduling_rules.school import queries as schools


async def december(service: Service, *usage: pb.Usage) -> pb.Threshold:
    request = pb.ListThresholdsRequest(usage=usage)
    answer = await service.stub().ListThresholds(request, metadata=service.who())
    return next(one for one in answer.thresholds if (one.month, one.category) == ("2026-12", "B"))


def taken(lines: int, held: int = 0) -> pb.Usage:
    return pb.Usage(department="91", month="2026-12", category="B", taken=lines, held=held)


async def let_time_pass(service: Service) -> None:
    """Long enough that RdvPermis' figures and our memories are read anew."""
    service.clock.move(minutes=11)


@pytest.mark.req("R-10", "R-11")
async def test_what_is_used_held_elsewhere_and_left_today_and_in_all(service: Service) -> None:
    service.state.threshold.limit, service.state.threshold.taken = 8, 1
    service.state.replacements.left = 3
    await service.poll()
    await december(service)
    await let_time_pass(service)
    one = await december(service, taken(4, held=2))
    assert (one.limit, one.paced_limit, one.own_limit, one.rdvpermis_limit, one.difference) == (8, 4, 9, 8, -1)
    assert (one.taken, one.held, one.elsewhere, one.left, one.left_today) == (5, 2, 1, 3, 0)
    assert (one.replacements_left, one.replacements_per_month, one.warn_percent) == (3, 5, 80)
    assert (one.fte, one.fte_source) == (2.0, "declared")
    assert one.next_change_at.ToDatetime(UTC) > service.clock()


@pytest.mark.req("R-10", "D-17")
async def test_hours_declared_here_go_before_rdvpermis_number_of_trainers(desk: Desk) -> None:
    service = desk.around
    await service.poll()
    assert (await december(service)).fte_source == "declared"
    await desk.trainer("t1")
    await desk.declare(*FULL)
    one = await december(service)
    assert (one.fte, one.own_limit, one.limit, one.fte_source) == (1.0, 4, 4, "hours")
    assert one.fte_as_of.ToDatetime(UTC) == service.clock()


@pytest.mark.req("R-10", "R-28")
async def test_a_trainer_who_leaves_lowers_the_threshold_at_once(desk: Desk) -> None:
    service = desk.around
    await service.poll()
    for name in ("t1", "t2"):
        await desk.trainer(name)
        await desk.declare(*FULL, trainer_id=name)
    assert (await december(service)).limit == 9
    gone = desk.around.clock() - timedelta(days=1)
    await desk.trainer("t2", active_until=stamp(at=gone))
    assert (await december(service)).limit == 4


@pytest.mark.req("R-10")
async def test_a_difference_with_rdvpermis_is_published_once(desk: Desk) -> None:
    service = desk.around
    service.state.threshold.limit = 7
    await service.poll()
    for _ in range(3):
        await december(service)
        await let_time_pass(service)
    (one, *others) = [one for one in await desk.published(ThresholdDiffers) if one.month == "2026-12"]
    assert (one.school_id, one.department, one.category, one.ours, one.theirs) == ("school-1", "91", "B", 9, 7)
    assert others == []


@pytest.mark.req("R-10", "R-28")
async def test_a_school_whose_trainer_leaves_is_warned_that_its_threshold_is_reached(desk: Desk) -> None:
    service = desk.around
    await service.poll()
    for name in ("t1", "t2"):
        await desk.trainer(name)
        await desk.declare(*FULL, trainer_id=name)
    place = ThresholdKey("91", "2026-12", "B")
    async with transaction(service.engine) as tx:
        await schools.keep_lines(tx, [CountedLine(f"line-{n}", "school-1", place, service.clock()) for n in range(4)])
    assert await desk.published(ThresholdReached) == []
    await desk.trainer("t2", active_until=stamp(at=service.clock() - timedelta(days=1)))
    assert [(one.month, one.taken, one.limit) for one in await desk.published(ThresholdReached)] == [("2026-12", 4, 4)]


@pytest.mark.req("R-10")
async def test_where_both_state_the_same_nothing_is_published(desk: Desk) -> None:
    desk.around.state.threshold.limit = 9
    await desk.around.poll()
    await december(desk.around)
    await let_time_pass(desk.around)
    assert not (await december(desk.around)).HasField("difference")
    assert await desk.published(ThresholdDiffers) == []


@pytest.mark.req("R-10")
async def test_an_unknown_fte_is_answered_as_unknown(service: Service) -> None:
    service.state.school(fte=None)
    await service.poll()
    one = await december(service)
    assert (one.limit, one.fte_source) == (0, "unknown")
    assert not one.HasField("own_limit")
    assert not one.HasField("fte_as_of")
