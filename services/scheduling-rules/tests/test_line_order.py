"""Two replicas of basket publish what befell a line, and one of their clocks is late: what is last in time counts at the end.

Facts of one line come in the order of the source's numbers; its replicas' clocks may put a later act before an earlier one.
"""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from scheduling_peers import Service
from test_lines import statuses

from resapermis.basket.v1 import basket_pb2 as basket
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events.event import Event

ORDER = "fault 9: what is published last is taken for what happened last (this counts: consumers must end right)"


def changed(to: basket.LineState.ValueType, at: datetime) -> tuple[LineChanged, Event]:
    event = LineChanged(line_id="line-1", school_id="school-1", slot_id="s1", to=to)
    event.department, event.month, event.category = "91", "2026-12", "B"
    return event, Event("id", "basket", 1, LineChanged.DESCRIPTOR.full_name, at, b"", "")


@pytest.mark.req("R-10", "R-11")
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=ORDER)
@pytest.mark.parametrize("in_one_batch", [False, True])
async def test_a_line_that_was_released_is_not_counted_by_a_hold_that_is_published_later(
    service: Service, *, in_one_batch: bool
) -> None:
    service.state.slot("s1")
    await statuses(service, "school-1")
    at = service.clock()
    published = [
        changed(basket.LINE_STATE_RELEASED, at + timedelta(seconds=2)),
        changed(basket.LINE_STATE_HELD, at + timedelta(seconds=1)),
    ]
    for batch in [published] if in_one_batch else [[one] for one in published]:  # in one transaction, or in two
        async with transaction(service.engine) as tx:
            await service.rooms.lines.on_lines_changed(tx, batch)
    async with transaction(service.engine) as tx:
        counted = (await tx.execute(sa.text("SELECT id FROM line"))).scalars().all()
    assert (counted, await statuses(service, "school-1")) == ([], [pb.SLOT_STATUS_FREE])
