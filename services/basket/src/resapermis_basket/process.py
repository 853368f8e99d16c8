"""The process of basket: where everything meets, and what it does unasked (leader tasks, consumed events)."""

from collections.abc import Awaitable, Callable
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.basket.v1 import basket_pb2_grpc
from resapermis.booking.v1 import booking_pb2_grpc
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.scheduling.v1.events_pb2 import SlotWithdrawn
from resapermis_basket import invariants
from resapermis_basket.booking.results import poll_results
from resapermis_basket.booking_servicer import BookingServicer
from resapermis_basket.compliance.check import check_nightly
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.hold.command import HoldCommand
from resapermis_basket.opening.preparation import drop_unused
from resapermis_basket.peers import Peers
from resapermis_basket.reconcile.doubts import doubt_everything, doubts
from resapermis_basket.reconcile.expiry import begun_exams, expiring_holds, warn_of_expiry
from resapermis_basket.reconcile.outside_changes import Reconciliation
from resapermis_basket.reconcile.received_events import act_on_events, on_mandate_changed, on_slot_withdrawn
from resapermis_basket.reconcile.release import releases
from resapermis_basket.servicer import BasketServicer
from resapermis_basket.settings import Settings
from resapermis_kit.clock import new_id
from resapermis_kit.process import invariants as kit_invariants
from resapermis_kit.process import run_loop
from resapermis_kit.process.process import Process

PACKAGE = "resapermis_basket"
DAY_SECONDS = 24 * 3600.0
NIGHT_SECONDS = 4 * 3600.0
"""For what goes over all lines that ever were and, cut off, would begin with the first again."""


async def build(process: Process, settings: Settings) -> None:
    """Put basket together: the only place where everything meets."""
    peers = Peers(
        process.peer("mandate"), process.peer("scheduling-rules"), process.peer("egress"), settings.egress_seconds
    )
    dependencies = Dependencies(process.engine, process.outbox, peers, settings, new_id)
    holds = HoldCommand(dependencies)
    process.server.add(
        basket_pb2_grpc.add_BasketServiceServicer_to_server,
        BasketServicer(dependencies, holds),
        "resapermis.basket.v1.BasketService",
    )
    process.server.add(
        booking_pb2_grpc.add_BookingServiceServicer_to_server,
        BookingServicer(dependencies),
        "resapermis.booking.v1.BookingService",
    )
    add_workers(process, dependencies, holds.queue.idle)


async def serve() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = Settings()
    await run_loop.serve("basket", PACKAGE, settings, lambda process: build(process, settings))


def add_workers(process: Process, dependencies: Dependencies, idle: Callable[[float], Awaitable[None]]) -> None:
    """Have `process` run them: each task in one replica at a time, each event once. `idle` waits until no hold is at work."""
    settings = dependencies.settings
    reconciliation = Reconciliation(dependencies, idle)
    # Each by itself, so that what waits for RdvPermis, or for a lock, holds up none of the others.
    process.leader_tasks += [
        partial(expiring_holds(dependencies).run, settings.expire_every_seconds),
        partial(doubts(dependencies).run, settings.settle_every_seconds),
        partial(releases(dependencies).run, settings.settle_every_seconds),
        partial(begun_exams(dependencies).run, settings.settle_every_seconds),
    ]
    process.every(settings.expire_every_seconds, "warn", partial(warn_of_expiry, dependencies))
    process.every(settings.settle_every_seconds, "received events", partial(act_on_events, dependencies))
    process.every(settings.reconcile_round_seconds, "reconcile", reconciliation.round)
    process.every(settings.results_round_seconds, "results", partial(poll_results, dependencies))
    nightly = partial(check_nightly, dependencies)
    process.every(settings.compliance_round_seconds, "compliance", nightly, most_seconds=NIGHT_SECONDS)
    process.every(settings.drop_round_seconds, "drop", partial(drop_unused, dependencies))
    past = partial(check_all_lines, process.engine)
    process.every(DAY_SECONDS, "invariants of the past", past, most_seconds=NIGHT_SECONDS)
    process.invariants |= {**invariants.LATELY, **invariants.IN_TIME}
    process.after_restore.append(partial(doubt_everything, dependencies))
    process.consume("scheduling-rules", {SlotWithdrawn: on_slot_withdrawn})
    process.consume("mandate", {MandateChanged: on_mandate_changed})


async def check_all_lines(engine: AsyncEngine) -> None:
    """All lines that ever were, once a day and at each start: seconds of one core for millions of them."""
    await kit_invariants.check(engine, invariants.EVER)
