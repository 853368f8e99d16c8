"""The process of basket."""

from resapermis.basket.v1 import basket_pb2_grpc
from resapermis.basket.v1.events_pb2 import ComplianceDrifted, GroupExpiring, LineChanged, PenaltiesFound, ResultFound
from resapermis.booking.v1 import booking_pb2_grpc
from resapermis_basket.booking_servicer import BookingServicer
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.hold.queue import Admission
from resapermis_basket.peers import Peers
from resapermis_basket.servicer import BasketServicer
from resapermis_basket.settings import Settings
from resapermis_basket.workers import add_workers
from resapermis_kit.clock import new_id
from resapermis_kit.process import run_loop
from resapermis_kit.process.process import Process

PACKAGE = "resapermis_basket"
EVENTS = (LineChanged, GroupExpiring, ResultFound, PenaltiesFound, ComplianceDrifted)


async def build(process: Process, settings: Settings) -> None:
    """Put basket together: the only place where everything meets."""
    peers = Peers(
        process.peer("mandate"), process.peer("scheduling-rules"), process.peer("egress"), settings.egress_seconds
    )
    dependencies = Dependencies(process.engine, process.outbox, peers, settings, new_id)
    admission = Admission(settings.holds_at_once)
    process.server.add(
        basket_pb2_grpc.add_BasketServiceServicer_to_server,
        BasketServicer(dependencies, admission),
        "resapermis.basket.v1.BasketService",
    )
    process.server.add(
        booking_pb2_grpc.add_BookingServiceServicer_to_server,
        BookingServicer(dependencies),
        "resapermis.booking.v1.BookingService",
    )
    add_workers(process, dependencies, admission)


async def serve() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = Settings()
    descriptors = [event.DESCRIPTOR for event in EVENTS]
    await run_loop.serve("basket", PACKAGE, settings, descriptors, lambda process: build(process, settings))
