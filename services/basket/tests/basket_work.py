"""What tests have basket's leader tasks do, and the events that others publish."""

from datetime import UTC, datetime

from basket_peers import Basket, candidate

from resapermis.mandate.v1 import mandate_pb2
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.scheduling.v1.events_pb2 import SlotWithdrawn
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_basket.reconcile.expiry import expire_holds, finish_begun_exams, warn_of_expiry
from resapermis_basket.reconcile.received_events import act_on_events, on_mandate_changed, on_slot_withdrawn
from resapermis_basket.reconcile.release import give_back
from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.event import Event
from resapermis_testing.eventually import eventually

KILLED = "the process was killed here"
LOST = Failure(Code.CODE_UNKNOWN_OUTCOME, "the answer was lost")


async def settle_and_give_back(dependencies: Dependencies) -> None:
    """One round of everything that is done every second."""
    await act_on_events(dependencies)
    await settle_doubts(dependencies)
    await give_back(dependencies)
    await finish_begun_exams(dependencies)


async def expire_and_warn(dependencies: Dependencies) -> None:
    """One round of what is done several times a second."""
    await expire_holds(dependencies)
    await warn_of_expiry(dependencies)


async def settled(basket: Basket, **wanted: str) -> None:
    """Run the reconciler until the slots are in these states."""

    async def reached() -> bool:
        await settle_doubts(basket.dependencies)
        return {slot: state for slot, state in (await basket.states()).items() if slot in wanted} == wanted

    await eventually(reached)
    await basket.check()


async def decided(basket: Basket, slot: str) -> str:
    """Run the reconciler until RdvPermis' answer about a slot is known; the state that came of it."""

    async def known() -> bool:
        await settle_doubts(basket.dependencies)
        return (await basket.states())[slot] not in {"asking", "confirming"}

    await eventually(known)
    return str((await basket.states())[slot])


async def due_now(basket: Basket) -> None:
    """As if the last call's deadline and grace were over."""
    await basket.rows("UPDATE basket_line SET next_poll_at = now() WHERE next_poll_at IS NOT NULL RETURNING 1")


def event_of(kind: type, number: int = 1) -> Event:
    return Event(str(new_id()), "peer", number, kind.DESCRIPTOR.full_name, datetime.now(UTC), b"", "")


async def slot_withdrawn(basket: Basket, *slots: str) -> None:
    """The event comes that the State took slots back."""
    async with transaction(basket.engine) as tx:
        for slot in slots:
            await on_slot_withdrawn(tx, SlotWithdrawn(slot_id=slot), event_of(SlotWithdrawn))


async def mandate_ended(basket: Basket, number: int, school: str = "school-1") -> None:
    """The event comes that the school's mandate of this candidate was revoked."""
    ended = MandateChanged(candidate_id=candidate(number), school_id=school, category="B")
    setattr(ended, "from", mandate_pb2.MANDATE_STATE_ACTIVE)
    ended.to = mandate_pb2.MANDATE_STATE_REVOKED
    async with transaction(basket.engine) as tx:
        await on_mandate_changed(tx, ended, event_of(MandateChanged))
