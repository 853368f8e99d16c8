"""Events of others that concern our lines: a slot withdrawn, a mandate ended.

Handlers only write them down: a batch of events touches many schools, whose locks it must not take.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import structlog

from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.mandate.v1.mandate_pb2 import MANDATE_STATE_ACTIVE
from resapermis.scheduling.v1.events_pb2 import SlotWithdrawn
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Line, State, give_back_later, in_doubt, move
from resapermis_basket.judgement import refusals
from resapermis_basket.reconcile.decision import Decide, decide_by_school
from resapermis_basket.reconcile.queries import (
    ReceivedEvent,
    forget_event,
    in_basket_of_candidate,
    keep_event,
    live_on_slot,
    pending_events,
    reconcile_soon,
)
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.event import Event

log = structlog.get_logger()


async def on_slot_withdrawn(tx: Tx, withdrawn: SlotWithdrawn, event: Event) -> None:
    """The State took a slot back (charter 4.2), or it looks so to a school that does not have it."""
    await keep_event(tx, ReceivedEvent(UUID(event.id), slot_id=withdrawn.slot_id))


async def on_mandate_changed(tx: Tx, changed: MandateChanged, event: Event) -> None:
    """A mandate is no longer active: what is held for its candidate is given back and published."""
    if getattr(changed, "from") == MANDATE_STATE_ACTIVE != changed.to:
        ended = ReceivedEvent(UUID(event.id), "", changed.school_id, UUID(changed.candidate_id), changed.category)
        await keep_event(tx, ended)


async def act_on_events(dependencies: Dependencies) -> None:
    """Act on what was received, oldest first; an event stays until each line that it is about could be acted on.

    What breaks on one event stops none of the others: the first such error is raised at the end.
    """
    async with transaction(dependencies.engine) as tx:
        received = await pending_events(tx)
    errors: list[Exception] = []
    for one in received:
        try:
            await _act(dependencies, one)
        except Exception as error:  # noqa: BLE001 - raised below, when the others were tried
            log.warning("received_event.failed", event_id=str(one.id), error_type=type(error).__qualname__)
            errors.append(error)
    if errors:
        raise errors[0]


async def _act(dependencies: Dependencies, event: ReceivedEvent) -> None:
    done = await (_act_on_slot(dependencies, event) if event.slot_id else _act_on_mandate(dependencies, event))
    if done:
        async with transaction(dependencies.engine) as tx:
            await forget_event(tx, event.id)


async def _act_on_slot(dependencies: Dependencies, withdrawn: ReceivedEvent) -> bool:
    """RdvPermis is the referee: its basket and exams are read sooner, which ends what is not there."""
    async with transaction(dependencies.engine) as tx:
        line = await live_on_slot(tx, withdrawn.slot_id)
        if line is not None and line.state is State.BOOKED:
            # Perhaps only taken, as others see it: reconciliation finds out.
            within = timedelta(seconds=dependencies.settings.reconcile_hint_seconds)
            await reconcile_soon(tx, line.school_id, within)
            return True
    return await _decide_on_held(
        dependencies, [line] if line is not None else [], lambda line, now: replace(line, next_poll_at=now)
    )


async def _act_on_mandate(dependencies: Dependencies, ended: ReceivedEvent) -> bool:
    async with transaction(dependencies.engine) as tx:
        lines = await in_basket_of_candidate(tx, ended)
    return await _decide_on_held(
        dependencies,
        lines,
        lambda line, now: give_back_later(move(line, State.RELEASED, now, refusals.no_mandate()), now),
    )


async def _decide_on_held(dependencies: Dependencies, lines: Sequence[Line], decide: Decide) -> bool:
    """Decide on held lines about which nothing is in doubt; whether that was each of these lines, as it was read.

    Of the others RdvPermis is being asked, or they have just changed: they are read again in the next round.
    """
    if any(in_doubt(line) for line in lines):
        return False
    try:
        return await decide_by_school(dependencies, lines, decide) >= len(lines)
    except Failure as failure:
        if failure.code != Code.CODE_STALE:
            raise
        return False
