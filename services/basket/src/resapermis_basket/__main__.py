"""basket: `python -m resapermis_basket` serves, `… migrate` updates the database; see `commands`."""

import asyncio
import sys

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.basket.v1 import basket_pb2_grpc
from resapermis.basket.v1.events_pb2 import ComplianceDrifted, GroupExpiring, LineChanged, PenaltiesFound, ResultFound
from resapermis.booking.v1 import booking_pb2_grpc
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.scheduling.v1.events_pb2 import SlotWithdrawn
from resapermis_basket import commands
from resapermis_basket.acts import Parts
from resapermis_basket.booking_servicer import BookingServicer
from resapermis_basket.compliance import Compliance
from resapermis_basket.door import Door
from resapermis_basket.peers import Peers
from resapermis_basket.preparing import Preparing
from resapermis_basket.results import Results
from resapermis_basket.servicer import BasketServicer
from resapermis_basket.settings import Settings
from resapermis_basket.store import invariants
from resapermis_basket.sweeping import Sweeping
from resapermis_basket.workers import Unasked
from resapermis_kit.clock import new_id
from resapermis_kit.process import invariants as kit_invariants
from resapermis_kit.process import run
from resapermis_kit.process.process import Process

PACKAGE = "resapermis_basket"
DAY_SECONDS = 24 * 3600.0


async def look_at_the_past(engine: AsyncEngine) -> None:
    """All lines that ever were, once a day and at each start: seconds of one core for millions of them."""
    await kit_invariants.check(engine, invariants.EVER)


async def build(process: Process, settings: Settings) -> None:
    """Wire basket."""
    peers = Peers(
        process.peer("mandate"), process.peer("scheduling-rules"), process.peer("egress"), settings.egress_seconds
    )
    door = Door(settings.holds_at_once)
    parts = Parts(process.engine, process.outbox, peers, settings, new_id, door)
    process.server.add(
        basket_pb2_grpc.add_BasketServiceServicer_to_server,
        BasketServicer(parts),
        "resapermis.basket.v1.BasketService",
    )
    process.server.add(
        booking_pb2_grpc.add_BookingServiceServicer_to_server,
        BookingServicer(parts),
        "resapermis.booking.v1.BookingService",
    )
    unasked = Unasked(parts)
    process.every(settings.expire_every_seconds, "expire", unasked.expire_and_warn)
    process.every(settings.settle_every_seconds, "settle", unasked.look_and_give_back)
    process.every(settings.sweep_round_seconds, "sweep", Sweeping(parts).sweep)
    process.every(settings.results_round_seconds, "results", Results(parts).look)
    process.invariants |= {**invariants.LATELY, **invariants.IN_TIME}
    process.every(DAY_SECONDS, "invariants of the past", lambda: look_at_the_past(process.engine))
    process.after_restore.append(unasked.doubt_everything)
    process.every(settings.compliance_round_seconds, "compliance", Compliance(parts).nightly)
    process.every(settings.drop_round_seconds, "drop", Preparing(parts).drop)
    process.consume("scheduling-rules", {SlotWithdrawn: unasked.on_slot_withdrawn})
    process.consume("mandate", {MandateChanged: unasked.on_mandate_changed})


async def serve() -> None:
    """Run until told to stop."""
    settings = Settings()
    facts = [each.DESCRIPTOR for each in (LineChanged, GroupExpiring, ResultFound, PenaltiesFound, ComplianceDrifted)]
    await run.serve("basket", PACKAGE, settings, facts, lambda process: build(process, settings))


def main() -> None:
    """Entry point."""
    if commands.is_ours(sys.argv[1:]):
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # the answer alone on the terminal
        sys.exit(asyncio.run(commands.run(sys.argv[1:], Settings())))
    sys.exit(run.main(sys.argv[1:], PACKAGE, lambda: Settings().database_url, serve))


if __name__ == "__main__":
    main()
