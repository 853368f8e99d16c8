"""Events of others that concern our lines: a slot withdrawn, a mandate ended.

Handlers only write them down: a batch of events touches many schools, whose locks it must not take.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.mandate.v1.mandate_pb2 import MANDATE_STATE_ACTIVE
from resapermis.scheduling.v1.events_pb2 import SlotWithdrawn
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Line, State, give_back_later, move
from resapermis_basket.judgement import refusals
from resapermis_basket.reconcile.decision import decide_by_school
from resapermis_basket.reconcile.queries import (
    ReceivedEvent,
    booked_on_slot,
    forget_event,
    held_of_candidate,
    held_on_slot,
    keep_event,
    pending_events,
    reconcile_soon,
)
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events.event import Event


async def on_slot_withdrawn(tx: Tx, withdrawn: SlotWithdrawn, event: Event) -> None:
    """The State took a slot back (charter 4.2), or it looks so to a school that does not have it."""
    await keep_event(tx, ReceivedEvent(UUID(event.id), slot_id=withdrawn.slot_id))


async def on_mandate_changed(tx: Tx, changed: MandateChanged, event: Event) -> None:
    """A mandate is no longer active: what is held for its candidate is given back and published."""
    if getattr(changed, "from") == MANDATE_STATE_ACTIVE != changed.to:
        ended = ReceivedEvent(UUID(event.id), "", changed.school_id, UUID(changed.candidate_id), changed.category)
        await keep_event(tx, ended)


async def act_on_events(dependencies: Dependencies) -> None:
    """Act on what was received, oldest first."""
    async with transaction(dependencies.engine) as tx:
        received = await pending_events(tx)
    for one in received:
        await (_act_on_slot(dependencies, one) if one.slot_id else _act_on_mandate(dependencies, one))
        async with transaction(dependencies.engine) as tx:
            await forget_event(tx, one.id)


async def _act_on_slot(dependencies: Dependencies, withdrawn: ReceivedEvent) -> None:
    """RdvPermis is the referee: its basket and exams are read sooner, which ends what is not there."""
    async with transaction(dependencies.engine) as tx:
        line = await held_on_slot(tx, withdrawn.slot_id)
        booked = await booked_on_slot(tx, withdrawn.slot_id)
        if booked is not None:  # perhaps only taken, as others see it: reconciliation finds out
            within = timedelta(seconds=dependencies.settings.reconcile_hint_seconds)
            await reconcile_soon(tx, booked.school_id, within)

    def doubted(line: Line, now: datetime) -> Line:
        return replace(line, next_poll_at=now) if line.state is State.HELD and not line.changing else line

    await decide_by_school(dependencies, [line] if line is not None else [], doubted)


async def _act_on_mandate(dependencies: Dependencies, ended: ReceivedEvent) -> None:
    async with transaction(dependencies.engine) as tx:
        lines = await held_of_candidate(tx, ended)

    def released(line: Line, now: datetime) -> Line:
        return give_back_later(move(line, State.RELEASED, now, refusals.no_mandate()), now)

    await decide_by_school(dependencies, lines, released)
