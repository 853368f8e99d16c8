"""Basket's events: the mirror shows our own holds at once, thresholds count them, a reached threshold is published once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from scheduling_peers import DAY, Service

from resapermis.basket.v1 import basket_pb2 as basket
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1.events_pb2 import ThresholdReached
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events.event import Event
from resapermis_kit.events.outbox import outbox
from resapermis_testing.eventually import eventually


async def change(
    service: Service, line_id: str, to: basket.LineState.ValueType, slot_id: str = "s1", **more: Any
) -> None:
    """Basket says that a line of school-1 changed, a second later."""
    service.clock.move(seconds=1)
    event = LineChanged(
        line_id=line_id,
        school_id="school-1",
        slot_id=slot_id,
        to=to,
        department="91",
        month="2026-12",
        category="B",
        **more,
    )
    if to == basket.LINE_STATE_HELD:
        event.expires_at.FromDatetime(service.clock() + timedelta(minutes=15))
    received = Event("id", "basket", 1, LineChanged.DESCRIPTOR.full_name, service.clock(), b"", "")
    async with transaction(service.engine) as tx:
        await service.rooms.lines.on_lines_changed(tx, [(event, received)])


async def statuses(service: Service, school_id: str) -> list[pb.SlotStatus.ValueType]:
    request = pb.SearchSlotsRequest(department="91", category="B")
    getattr(request, "from").FromDatetime(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC))
    request.to.FromDatetime(datetime(DAY.year, DAY.month, DAY.day, 20, tzinfo=UTC))
    answer = await service.stub().SearchSlots(request, metadata=service.who(school_id))
    return [one.slot.status for one in answer.slots]


@pytest.mark.req("R-11")
async def test_our_own_holds_show_at_once(service: Service) -> None:
    service.state.school("school-2")
    service.state.slot("s1")
    assert await statuses(service, "school-1") == [pb.SLOT_STATUS_FREE]
    await change(service, "line-1", basket.LINE_STATE_HELD)
    assert await statuses(service, "school-1") == [pb.SLOT_STATUS_OURS]
    assert await statuses(service, "school-2") == [pb.SLOT_STATUS_TAKEN]
    await change(service, "line-1", basket.LINE_STATE_RELEASED)
    assert await statuses(service, "school-2") == [pb.SLOT_STATUS_FREE]
    asked = {"from": basket.LINE_STATE_ASKING}
    await change(service, "line-2", basket.LINE_STATE_REFUSED, reason="SLOT_TAKEN", **asked)
    assert await statuses(service, "school-1") == [pb.SLOT_STATUS_TAKEN]


@pytest.mark.req("R-11")
async def test_what_basket_refused_without_asking_rdvpermis_shows_nothing_of_the_slot(service: Service) -> None:
    # A hold whose answer was lost, and presses meanwhile: refused because our own line may have the slot.
    service.state.slot("s1")
    assert await statuses(service, "school-1") == [pb.SLOT_STATUS_FREE]
    await change(service, "line-1", basket.LINE_STATE_ASKING)
    await change(service, "line-2", basket.LINE_STATE_REFUSED, reason="SLOT_TAKEN")
    asked = {"from": basket.LINE_STATE_ASKING}
    await change(service, "line-1", basket.LINE_STATE_REFUSED, reason="RDVPERMIS_DOWN", **asked)
    assert await statuses(service, "school-1") == [pb.SLOT_STATUS_FREE]


@pytest.mark.req("R-11")
async def test_who_has_a_slot_stays_known_when_another_press_is_refused_for_it(service: Service) -> None:
    service.state.slot("s1")
    await statuses(service, "school-1")
    await change(service, "line-1", basket.LINE_STATE_HELD)
    await change(service, "line-2", basket.LINE_STATE_REFUSED, reason="SLOT_TAKEN")
    assert await statuses(service, "school-1") == [pb.SLOT_STATUS_OURS]


@pytest.mark.req("R-10", "R-11")
async def test_holds_count_while_they_live_and_the_threshold_is_published_once(service: Service) -> None:
    service.state.school(fte=1.2)  # floor(4.5 x 1.2) = 5
    service.state.slot("s1")
    await statuses(service, "school-1")
    for n in range(5):
        await change(service, f"line-{n}", basket.LINE_STATE_ASKING, f"other-{n}")
        await change(service, f"line-{n}", basket.LINE_STATE_HELD, f"other-{n}")
        await change(service, f"line-{n}", basket.LINE_STATE_BOOKED, f"other-{n}")
    await change(service, "line-4", basket.LINE_STATE_CANCELLED, "other-4")
    await change(service, "line-5", basket.LINE_STATE_HELD, "other-5")
    async with transaction(service.engine) as tx:
        rows = await tx.execute(sa.select(outbox.c.type, outbox.c.payload).order_by(outbox.c.id))
        published = [ThresholdReached.FromString(row.payload) for row in rows if row.type.endswith("ThresholdReached")]
    assert [(one.taken, one.limit) for one in published] == [(4, 5), (5, 5)]
    answer = await service.stub().ListThresholds(pb.ListThresholdsRequest(), metadata=service.who())
    december = next(one for one in answer.thresholds if one.month == "2026-12")
    assert (december.limit, december.paced_limit, december.taken, december.fte) == (5, 3, 5, 1.2)
    assert december.next_change_at.ToDatetime(UTC) > service.clock()
    assert [one.month for one in answer.thresholds] == ["2026-11", "2026-12", "2027-01"]


@pytest.mark.req("R-10")
async def test_a_threshold_that_rdvpermis_refused_for_shows_until_it_is_forgotten(service: Service) -> None:
    service.state.slot("s1")
    await statuses(service, "school-1")
    service.clock.move(seconds=6)
    await change(service, "line-1", basket.LINE_STATE_REFUSED, reason="RDVPERMIS_THRESHOLD")
    assert await statuses(service, "school-1") == [pb.SLOT_STATUS_THRESHOLD_REACHED]
    service.clock.move(minutes=11)
    assert await statuses(service, "school-1") == [pb.SLOT_STATUS_FREE]


@pytest.mark.req("R-10", "R-11")
@pytest.mark.parametrize("to", [basket.LINE_STATE_WITHDRAWN, basket.LINE_STATE_REJECTED])
async def test_a_slot_that_we_have_no_longer_is_free_once_a_poll_sees_it_so(
    service: Service, to: basket.LineState.ValueType
) -> None:
    """Well before the hold would have ended: a hold that lives is believed against such a poll, one that ended is not."""
    service.state.slot("s1")
    await statuses(service, "school-1")
    await change(service, "line-1", basket.LINE_STATE_HELD)
    await change(service, "line-1", to)
    assert await statuses(service, "school-1") == [pb.SLOT_STATUS_TAKEN]
    service.clock.move(minutes=6)

    async def seen_free() -> bool:
        return await statuses(service, "school-1") == [pb.SLOT_STATUS_FREE]

    await eventually(seen_free)


ReadStep = tuple[str, basket.LineState.ValueType, str]
STEPS: list[ReadStep] = [
    ("line-1", basket.LINE_STATE_ASKING, "s1"),
    ("line-1", basket.LINE_STATE_HELD, "s1"),
    ("line-2", basket.LINE_STATE_HELD, "s2"),
    ("line-1", basket.LINE_STATE_RELEASED, "s1"),
    ("line-3", basket.LINE_STATE_HELD, "s1"),
    ("line-4", basket.LINE_STATE_REFUSED, "s3"),
    ("line-3", basket.LINE_STATE_CONFIRMING, "s1"),
    ("line-2", basket.LINE_STATE_EXPIRED, "s2"),
]


async def _outcome(service: Service, batches: list[list[ReadStep]]) -> Any:
    """Tell the same steps, batch by batch; return what the mirror and the counts then say."""
    at = service.clock()
    for number, batch in enumerate(batches):
        received = []
        for place, (line_id, to, slot_id) in enumerate(batch):
            event = LineChanged(line_id=line_id, school_id="school-1", slot_id=slot_id, to=to, reason="SLOT_TAKEN")
            event.department, event.month, event.category = "91", "2026-12", "B"
            setattr(event, "from", basket.LINE_STATE_ASKING)
            moment = at + timedelta(seconds=1 + number + place)
            received.append((event, Event("id", "basket", 1, LineChanged.DESCRIPTOR.full_name, moment, b"", "")))
        async with transaction(service.engine) as tx:
            await service.rooms.lines.on_lines_changed(tx, received)
    async with transaction(service.engine) as tx:
        slots = (await tx.execute(sa.text("SELECT id, status, school_id FROM slot ORDER BY id"))).all()
        lines = (await tx.execute(sa.text("SELECT id FROM line ORDER BY id"))).scalars().all()
    return [tuple(row) for row in slots], list(lines)


@pytest.mark.req("R-10", "R-11")
@pytest.mark.parametrize("size", [1, 3, len(STEPS)])
async def test_events_in_one_batch_change_the_same_as_one_by_one(service: Service, size: int) -> None:
    for slot_id in ("s1", "s2", "s3"):
        service.state.slot(slot_id)
    await statuses(service, "school-1")
    outcome = await _outcome(service, [STEPS[first : first + size] for first in range(0, len(STEPS), size)])
    assert outcome == ([("s1", "TAKEN", "school-1"), ("s2", "FREE", None), ("s3", "TAKEN", None)], ["line-3"])
