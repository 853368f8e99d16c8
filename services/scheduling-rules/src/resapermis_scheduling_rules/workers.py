"""What happens unasked: basket's events are taken in, the planner polls, old rows go."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.basket.v1 import basket_pb2 as basket
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events.event import Event
from resapermis_kit.events.outbox import Outbox
from resapermis_places.days import month_of
from resapermis_scheduling_rules.availability import events as availability_events
from resapermis_scheduling_rules.availability.commands import conflicts_of_bookings
from resapermis_scheduling_rules.domain.availability import CountedLine
from resapermis_scheduling_rules.domain.quota import ThresholdKey
from resapermis_scheduling_rules.domain.slots import Status
from resapermis_scheduling_rules.evaluation import restrictions, thresholds
from resapermis_scheduling_rules.evaluation.restriction_queries import forget_restrictions
from resapermis_scheduling_rules.mirror import queries
from resapermis_scheduling_rules.school import queries as schools
from resapermis_scheduling_rules.watchlist import queries as watchlist

log = structlog.get_logger()
COUNTED = {
    basket.LINE_STATE_ASKING,
    basket.LINE_STATE_HELD,
    basket.LINE_STATE_CONFIRMING,
    basket.LINE_STATE_BOOKED,
    basket.LINE_STATE_DONE,
}
"""Live and kept lines. What replaces or swaps a booked line is a line of its own."""
BOOKED = {basket.LINE_STATE_BOOKED, basket.LINE_STATE_DONE}
OURS = COUNTED - {basket.LINE_STATE_ASKING}
FREED = {basket.LINE_STATE_EXPIRED, basket.LINE_STATE_RELEASED, basket.LINE_STATE_CANCELLED}
LOST = {basket.LINE_STATE_WITHDRAWN, basket.LINE_STATE_REJECTED}
"""Ended, and no longer ours; whether the slot is free the next poll shows, which a hold of ours no longer contradicts."""
TAKEN_BY_OTHERS = {"SLOT_TAKEN", "RDVPERMIS_SLOT_GONE"}


class Lines:
    """Handles basket's LineChanged: marks slots in the mirror, counts lines, publishes thresholds that they reach."""

    def __init__(self, outbox: Outbox, now: Clock) -> None:
        """Thresholds reached are published through `outbox`."""
        self._outbox, self._now = outbox, now

    async def on_lines_changed(self, tx: Tx, batch: Sequence[tuple[LineChanged, Event]]) -> None:
        """Mark slots in the mirror, count lines for their thresholds, and publish the thresholds that they reach.

        Of a slot and of a line the batch's last word stands, so each is written once, in few statements for all.
        """
        marks: dict[str, queries.SlotMark] = {}
        counted: dict[str, CountedLine | None] = {}
        to_publish: set[tuple[str, ThresholdKey]] = set()
        for message, event in batch:
            mark = _mark(message, event.occurred_at)
            if mark is not None:
                marks[message.slot_id] = mark
            place = ThresholdKey(message.department, message.month, message.category)
            if (
                message.to == basket.LINE_STATE_REFUSED
                and message.reason.removeprefix("CODE_") == "RDVPERMIS_THRESHOLD"
            ):
                await schools.note_reached(tx, message.school_id, place, event.occurred_at)
            if message.to in OURS:
                to_publish.add((message.school_id, place))
            counted[message.line_id] = _kept(message, place, event.occurred_at) if message.to in COUNTED else None
        await queries.mark_slots(tx, marks.values())
        await schools.uncount_lines(tx, [line_id for line_id, line in counted.items() if line is None])
        await schools.keep_lines(tx, [line for line in counted.values() if line is not None])
        await restrictions.restrict_after(tx, batch)
        await self._publish_conflicts(
            tx, {message.line_id: message.school_id for message, _ in batch if _arrived(message)}
        )
        await thresholds.announce(self._outbox, tx, to_publish, self._now())

    async def _publish_conflicts(self, tx: Tx, booked: Mapping[str, str]) -> None:
        """Publish a conflict for each of these new bookings (line to school) that meets an unavailability; some were made elsewhere."""
        if booked:
            now = self._now()
            met = await conflicts_of_bookings(tx, booked, now)
            await self._outbox.add(tx, now, *(availability_events.conflict(one) for one in met))


def _arrived(message: LineChanged) -> bool:
    return message.to == basket.LINE_STATE_BOOKED and getattr(message, "from") != basket.LINE_STATE_BOOKED


def _kept(message: LineChanged, place: ThresholdKey, at: datetime) -> CountedLine:
    return CountedLine(
        id=message.line_id,
        school_id=message.school_id,
        place=place,
        at=at,
        slot_id=message.slot_id,
        candidate_id=message.candidate_id,
        trainer_id=message.trainer_id,
        vehicle_id=message.vehicle_id,
        centre_id=message.centre_id,
        kind=message.kind,
        starts_at=message.starts_at.ToDatetime(UTC) if message.HasField("starts_at") else None,
        ends_at=message.ends_at.ToDatetime(UTC) if message.HasField("ends_at") else None,
        booked_at=at if message.to in BOOKED else None,
    )


def _mark(message: LineChanged, at: datetime) -> queries.SlotMark | None:
    """What a change of a line states of its slot; None: nothing."""
    if message.to in OURS:
        until = message.expires_at.ToDatetime(UTC) if message.HasField("expires_at") else None
        live = message.to in {basket.LINE_STATE_HELD, basket.LINE_STATE_CONFIRMING}
        return queries.SlotMark(message.slot_id, Status.TAKEN, message.school_id, until if live else None, at)
    if message.to in FREED:
        return queries.SlotMark(message.slot_id, Status.FREE, None, None, at)
    if message.to in LOST:
        return queries.SlotMark(message.slot_id, Status.TAKEN, None, None, at)
    # Refused without having asked RdvPermis: by what we know already, or think, and so no news of the slot.
    refused_there = (getattr(message, "from"), message.to) == (basket.LINE_STATE_ASKING, basket.LINE_STATE_REFUSED)
    if refused_there and message.reason.removeprefix("CODE_") in TAKEN_BY_OTHERS:
        return queries.SlotMark(message.slot_id, Status.TAKEN, None, None, at)
    return None


RESULT_VALID = timedelta(days=5 * 365)
"""How long a passed exam is kept: the validity of a result."""


async def forget(engine: AsyncEngine, now: datetime) -> None:
    """Delete what is long past: polls and slots after 30 days, counts after a year."""
    async with transaction(engine) as tx:
        await queries.forget_past(tx, now)
        await watchlist.forget_watchlist(tx, now)
        await schools.forget_months(tx, month_of((now - timedelta(days=365)).date()))
        await forget_restrictions(tx, now - timedelta(days=365), now - RESULT_VALID)
