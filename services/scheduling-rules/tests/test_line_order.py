"""Two replicas of basket publish what befell a line, and their clocks differ: what happened last counts at the end.

Who releases a line has seen that it is held, so writes behind it; neither an event's id nor its time need say so.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from scheduling_peers import Service
from test_lines import statuses

from resapermis.basket.v1 import basket_pb2 as basket
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events.event import Event
from resapermis_kit.events.numbering import number_unpublished
from resapermis_kit.events.outbox import Outbox

Received = tuple[LineChanged, Event]


async def published(
    service: Service, *states: tuple[basket.LineState.ValueType, float], slot_id: str = "s1"
) -> Sequence[Received]:
    """The events of a line that comes into these states, each written by a replica whose clock is so many seconds ahead."""
    at = service.clock()
    for number, (to, ahead) in enumerate(states):
        there = at + timedelta(seconds=ahead)
        event_id = UUID(int=int(there.timestamp() * 1000) << 80 | 0x7 << 76 | 0x2 << 62 | number)
        change = LineChanged(line_id="line-1", school_id="school-1", slot_id=slot_id, to=to)
        change.department, change.month, change.category = "91", "2026-12", "B"
        async with transaction(service.engine) as tx:
            await Outbox("basket", new_event_id=lambda named=event_id: named).add(tx, there, change)  # type: ignore[misc] # bound at once
    async with transaction(service.engine) as tx:
        rows = await number_unpublished(tx)
    name = LineChanged.DESCRIPTOR.full_name
    return [
        (LineChanged.FromString(row.payload), Event(str(row.id), "basket", row.number, name, row.occurred_at, b"", ""))
        for row in sorted(rows, key=lambda row: row.number)
        if row.type == name
    ]


async def receive(service: Service, events: Sequence[Received], *, in_one_batch: bool) -> None:
    for batch in [events] if in_one_batch else [[one] for one in events]:  # in one transaction, or in several
        async with transaction(service.engine) as tx:
            await service.rooms.lines.on_lines_changed(tx, batch)


async def counted(service: Service) -> list[tuple[str, bool]]:
    """Lines that count for a threshold, and whether they are booked."""
    async with transaction(service.engine) as tx:
        return [tuple(row) for row in await tx.execute(sa.text("SELECT id, booked_at IS NOT NULL FROM line"))]


@pytest.mark.req("R-10", "R-11")
@pytest.mark.parametrize("in_one_batch", [False, True])
async def test_a_line_that_was_released_by_a_replica_whose_clock_is_late_is_not_counted(
    service: Service, *, in_one_batch: bool
) -> None:
    service.state.slot("s1")
    await statuses(service, "school-1")
    events = await published(service, (basket.LINE_STATE_HELD, 30), (basket.LINE_STATE_RELEASED, 0))
    await receive(service, events, in_one_batch=in_one_batch)
    assert (await counted(service), await statuses(service, "school-1")) == ([], [pb.SLOT_STATUS_FREE])


@pytest.mark.req("R-10", "R-11")
@pytest.mark.parametrize("in_one_batch", [False, True])
async def test_a_line_that_was_booked_by_a_replica_whose_clock_is_late_is_booked(
    service: Service, *, in_one_batch: bool
) -> None:
    service.state.slot("s1")
    await statuses(service, "school-1")
    events = await published(
        service, (basket.LINE_STATE_HELD, 30), (basket.LINE_STATE_CONFIRMING, 20), (basket.LINE_STATE_BOOKED, 0)
    )
    await receive(service, events, in_one_batch=in_one_batch)
    assert (await counted(service), await statuses(service, "school-1")) == (
        [("line-1", True)],
        [pb.SLOT_STATUS_OURS],
    )
