"""scheduling-rules as its peers see it: gRPC in, real PostgreSQL, RdvPermis behind a servicer of egress."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scheduling_peers import Clock, MakeService, Service, State
from school_desk import Desk

from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc as rdv_grpc
from resapermis.scheduling.v1 import scheduling_pb2_grpc as grpc_
from resapermis.scheduling.v1.availability_pb2_grpc import add_AvailabilityServiceServicer_to_server
from resapermis.scheduling.v1.school_pb2_grpc import add_SchoolServiceServicer_to_server
from resapermis_kit.events.outbox import Outbox
from resapermis_scheduling_rules import process
from resapermis_scheduling_rules.availability.ical.__main__ import answer as calendar_answer
from resapermis_scheduling_rules.availability.ical.reader_process import CalendarReader
from resapermis_scheduling_rules.availability_servicer import AvailabilityServicer
from resapermis_scheduling_rules.settings import Settings
from resapermis_testing.grpc_server import Serve
from resapermis_testing.postgres import MakeEngine
from resapermis_vault.keyset import new_keyset

PACKAGE = "resapermis_scheduling_rules"


class _Inside(ThreadPoolExecutor):
    """Does at once, where it is asked, what it is asked for."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(work(*arguments, **named))
        return done


@dataclass(frozen=True)
class ReaderInside(CalendarReader):
    """Reads calendars in this process: one of its own takes a fifth of a second of CPU (test_ical.py, test_reader_process.py)."""

    _threads: ThreadPoolExecutor = field(default_factory=_Inside)

    def _answer(self, question: bytes) -> bytes:
        return calendar_answer(BytesIO(question)).encode()


@pytest.fixture
async def make_service(
    make_engine: MakeEngine, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MakeService]:
    """Function: (first_poll_seconds, per_minute, most) -> running service."""
    monkeypatch.setattr(process, "CalendarReader", ReaderInside)
    closers: list[Callable[[], Awaitable[None]]] = []

    async def make(*, first_poll_seconds: float = 5.0, per_minute: int = 1000, most: int = 20) -> Service:
        state = State()  # type: ignore[abstract]  # the methods it leaves out answer UNIMPLEMENTED
        clock, engine = Clock(), await make_engine(PACKAGE)
        state.school()
        state.centre("c1")
        egress = await serve(
            "egress",
            (rdv_grpc.add_RdvPermisServiceServicer_to_server, state, "resapermis.rdvpermis.v1.RdvPermisService"),
        )
        channel = egress.channel("egress", "scheduling-rules")
        stub = rdv_grpc.RdvPermisServiceStub(channel)
        options = Settings.model_construct(
            first_poll_seconds=first_poll_seconds, polls_per_minute=per_minute, plan_polls=most, calendar_seconds=50
        )
        rooms = process.assemble(engine, stub, Outbox("scheduling-rules"), new_keyset(), clock, options)
        running = await serve(
            "scheduling-rules",
            (
                grpc_.add_SchedulingServiceServicer_to_server,
                rooms.scheduling,
                "resapermis.scheduling.v1.SchedulingService",
            ),
        )
        closers.extend([channel.close, rooms.poller.close, rooms.single_flight.close])
        return Service(state, engine, clock, stub, rooms, running)

    yield make
    for close in reversed(closers):
        await close()


@pytest.fixture
async def service(make_service: MakeService) -> Service:
    """A service with school-1 of department 91 and its centre c1."""
    return await make_service()


@pytest.fixture
async def desk(service: Service, serve: Serve) -> Desk:
    """The school's own services, beside the service."""
    rooms = service.rooms
    tokens = iter(f"token-{n}" for n in range(1, 100))
    availability = AvailabilityServicer(
        service.engine,
        Outbox("scheduling-rules"),
        rooms.schools,
        rooms.unavailabilities,
        service.clock,
        lambda: next(tokens),
    )
    running = await serve(
        "scheduling-rules",
        (add_SchoolServiceServicer_to_server, rooms.school, "resapermis.scheduling.v1.SchoolService"),
        (
            add_AvailabilityServiceServicer_to_server,
            availability,
            "resapermis.scheduling.v1.AvailabilityService",
        ),
    )
    return Desk(service, running, rooms.school_tasks, rooms.unavailabilities)
