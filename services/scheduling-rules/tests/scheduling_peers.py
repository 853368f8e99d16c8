"""What stands around scheduling-rules in its tests: a clock, and a small RdvPermis behind a servicer of egress."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import grpc
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc as rdv_grpc
from resapermis.scheduling.v1 import scheduling_pb2_grpc as grpc_
from resapermis_kit.errors import Code, Failure, from_rpc_error
from resapermis_kit.rpc.auth import HEADER, caller
from resapermis_scheduling_rules.domain.polls import Poll
from resapermis_scheduling_rules.peers import Asker
from resapermis_scheduling_rules.process import Rooms
from resapermis_testing.grpc_server import RunningServer

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""A Tuesday, ten in the morning in Paris."""
DAY = date(2026, 12, 9)


@contextmanager
def refusal(code: Code.ValueType) -> Iterator[None]:
    """The call within is refused with this code."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    assert from_rpc_error(caught.value).code == code


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class State(rdv_grpc.RdvPermisServiceServicer):
    """What RdvPermis would say, settable; counts what it is asked."""

    schools: dict[str, rdv.GetSchoolResponse] = field(default_factory=dict)
    centres: dict[str, list[rdv.RdvCentre]] = field(default_factory=dict)
    slots: dict[tuple[str, str], list[rdv.RdvSlot]] = field(default_factory=dict)
    threshold: rdv.GetThresholdResponse = field(default_factory=rdv.GetThresholdResponse)
    replacements: rdv.GetReplacementsResponse = field(
        default_factory=lambda: rdv.GetReplacementsResponse(per_month=5, left=5)
    )
    budget: rdv.GetBudgetResponse = field(default_factory=rdv.GetBudgetResponse)
    favourites: dict[str, list[rdv.RdvFavourite]] = field(default_factory=dict)
    """By category group."""
    failure: Failure | None = None
    """Of polls."""
    away: Failure | None = None
    """Of everything but polls."""
    gate: asyncio.Event | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """(school, centre, day) of each poll, in order."""

    def school(self, school_id: str = "school-1", department: str = "91", fte: float | None = 2.0) -> None:
        self.schools[school_id] = rdv.GetSchoolResponse(
            school_id=school_id, licence_number="E0209100010", department=department, declared_fte=fte
        )

    def centre(self, centre_id: str, department: str = "91") -> None:
        self.centres.setdefault(department, []).append(rdv.RdvCentre(id=centre_id, name=f"Centre {centre_id}"))

    def slot(
        self,
        slot_id: str,
        *,
        centre_id: str = "c1",
        day: date = DAY,
        hour: int = 9,
        minute: int = 0,
        word: str = "DISPONIBLE",
        published: datetime = NOW - timedelta(days=7),
        zone: str = "Europe/Paris",
    ) -> rdv.RdvSlot:
        starts = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        slot = rdv.RdvSlot(id=slot_id, centre_id=centre_id, status=word, category="B", kind="CIRCULATION")
        slot.starts_at.FromDatetime(starts)
        slot.ends_at.FromDatetime(starts + timedelta(minutes=32))
        slot.published_at.FromDatetime(published)
        self.slots.setdefault((centre_id, day.isoformat()), []).append(slot)
        return slot

    def _school(self, request: Any) -> str:
        person = caller().person
        return person.school_id if person is not None else request.on_behalf.school_id

    async def GetSchool(self, request: rdv.GetSchoolRequest, _context: Any) -> rdv.GetSchoolResponse:
        if self.away is not None:
            raise self.away
        return self.schools[self._school(request)]

    async def SearchCentres(self, request: rdv.SearchCentresRequest, _context: Any) -> rdv.SearchCentresResponse:
        if self.away is not None:
            raise self.away
        return rdv.SearchCentresResponse(centres=self.centres.get(request.department, []))

    async def SearchPlanning(self, request: rdv.SearchPlanningRequest, _context: Any) -> rdv.SearchPlanningResponse:
        self.asked.append((self._school(request), request.centre_id, request.date))
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return rdv.SearchPlanningResponse(slots=self.slots.get((request.centre_id, request.date), []))

    async def ListFavourites(self, _request: rdv.ListFavouritesRequest, _context: Any) -> rdv.ListFavouritesResponse:
        if self.away is not None:
            raise self.away
        return rdv.ListFavouritesResponse(favourites=[one for group in self.favourites.values() for one in group])

    async def SetFavourites(self, request: rdv.SetFavouritesRequest, _context: Any) -> rdv.SetFavouritesResponse:
        if self.away is not None:
            raise self.away
        self.favourites[request.category] = list(request.favourites)
        return rdv.SetFavouritesResponse(favourites=request.favourites)

    async def GetThreshold(self, _request: rdv.GetThresholdRequest, _context: Any) -> rdv.GetThresholdResponse:
        return self.threshold

    async def GetReplacements(self, _request: rdv.GetReplacementsRequest, _context: Any) -> rdv.GetReplacementsResponse:
        return self.replacements

    async def GetBudget(self, _request: rdv.GetBudgetRequest, _context: Any) -> rdv.GetBudgetResponse:
        return self.budget


@dataclass
class Service:
    """The service under test with what stands around it."""

    state: State
    engine: AsyncEngine
    clock: Clock
    egress: "rdv_grpc.RdvPermisServiceAsyncStub"
    rooms: Rooms
    running: RunningServer

    def stub(self, service: str = "auth-gateway") -> "grpc_.SchedulingServiceAsyncStub":
        """As seen by one of its callers."""
        return grpc_.SchedulingServiceStub(self.running.shared_channel("scheduling-rules", service))

    def who(self, school_id: str = "school-1") -> tuple[tuple[str, str], ...]:
        """Metadata of a manager."""
        return ((HEADER, self.running.principal(school_id=school_id)),)

    async def poll(self, centre_id: str = "c1", day: date = DAY, school_id: str = "school-1") -> str:
        """Bring one day into the mirror."""
        await self.rooms.centres.offer("91", "B", Asker(school_id))
        return await self.rooms.poller.poll(Poll(day, centre_id, "B", "91"), school_id)


MakeService = Callable[..., Awaitable[Service]]
