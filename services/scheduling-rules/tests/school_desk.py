"""A school's own services with what stands around them: trainers, hours, calendars."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import sqlalchemy as sa
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from scheduling_peers import Service

from resapermis.audit.v1.events_pb2 import Record
from resapermis.scheduling.v1 import availability_pb2, availability_pb2_grpc, school_pb2, school_pb2_grpc
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events.outbox import outbox
from resapermis_kit.rpc.auth import HEADER
from resapermis_scheduling_rules.availability.commands import UnavailabilityCommands
from resapermis_scheduling_rules.school.staff_commands import SchoolTasks
from resapermis_testing.grpc_server import RunningServer

if TYPE_CHECKING:
    from collections.abc import Sequence


FULL = [(month, "B", "practical", 151.67) for month in ("2026-07", "2026-08", "2026-09")]
"""One full time in the months that count on 24 November."""


def stamp(*when: int, at: datetime | None = None) -> Timestamp:
    """A time as a message: year, month, day, hour … UTC."""
    message = Timestamp()
    message.FromDatetime(at if at is not None else datetime(*when, tzinfo=UTC))  # type: ignore[arg-type,misc]
    return message


@dataclass
class Desk:
    """An administrator of school-1 at work."""

    around: Service
    running: RunningServer
    school_tasks: SchoolTasks
    unavailabilities: UnavailabilityCommands

    @property
    def school(self) -> "school_pb2_grpc.SchoolServiceAsyncStub":
        """As the gateway sees it."""
        return school_pb2_grpc.SchoolServiceStub(self.running.shared_channel("scheduling-rules"))

    @property
    def availability(self) -> "availability_pb2_grpc.AvailabilityServiceAsyncStub":
        """As the gateway sees it."""
        return availability_pb2_grpc.AvailabilityServiceStub(self.running.shared_channel("scheduling-rules"))

    def who(self, *roles: str, **overrides: Any) -> tuple[tuple[str, str], ...]:
        """Metadata of an administrator, or of whoever is given."""
        return ((HEADER, self.running.principal(roles=roles or ("school_admin",), **overrides)),)

    async def trainer(self, trainer_id: str = "t1", **more: Any) -> school_pb2.Trainer:
        """Set a trainer: department 91, B, from 2026-01-01 on unless given otherwise."""
        wanted: dict[str, Any] = {"department": "91", "categories": ["B"], "active_from": stamp(2026, 1, 1)} | more
        request = school_pb2.SetTrainerRequest(trainer=school_pb2.Trainer(id=trainer_id, **wanted))
        return (await self.school.SetTrainer(request, metadata=self.who())).trainer

    async def declare(self, *hours: "tuple[str, str, str, float]", trainer_id: str = "t1") -> None:
        """Declare (month, category, kind, hours)."""
        rows = [
            school_pb2.Hours(
                trainer_id=trainer_id, month=month, category=category, kind=kind, hundredths=round(n * 100)
            )
            for month, category, kind, n in hours
        ]
        await self.school.DeclareHours(school_pb2.DeclareHoursRequest(hours=rows), metadata=self.who())

    async def away(
        self, subject: availability_pb2.Subject, starts: datetime, ends: datetime, request_id: str = "", **more: Any
    ) -> availability_pb2.AddUnavailabilityResponse:
        """Declare somebody as not free."""
        wanted = availability_pb2.Unavailability(
            subject=subject, starts_at=stamp(at=starts), ends_at=stamp(at=ends), **more
        )
        request = availability_pb2.AddUnavailabilityRequest(
            request_id=request_id or str(uuid4()), unavailability=wanted
        )
        return await self.availability.AddUnavailability(request, metadata=self.who("school_manager"))

    async def listed(
        self, since: datetime, until: datetime, subject: availability_pb2.Subject | None = None
    ) -> "Sequence[availability_pb2.Unavailability]":
        """What stands in a window."""
        request = availability_pb2.ListUnavailabilitiesRequest(subject=subject, to=stamp(at=until))
        getattr(request, "from").FromDatetime(since)
        return (await self.availability.ListUnavailabilities(request, metadata=self.who("trainer"))).occurrences

    async def bring(
        self, subject: availability_pb2.Subject, calendar: bytes, *, despite_losses: bool = False
    ) -> availability_pb2.ImportCalendarResponse:
        """Import a calendar."""
        request = availability_pb2.ImportCalendarRequest(
            subject=subject, calendar=calendar, despite_losses=despite_losses
        )
        return await self.availability.ImportCalendar(request, metadata=self.who("school_manager"))

    async def ftes(self) -> dict[tuple[str, str], int]:
        """Hundredths by department and category."""
        answer = await self.school.ListHours(school_pb2.ListHoursRequest(), metadata=self.who())
        return {(one.department, one.category): one.hundredths for one in answer.fte}

    async def published(self, kind: type[Message]) -> "Sequence[Any]":
        """What stands in the outbox, of one kind, oldest first."""
        name = kind.DESCRIPTOR.full_name
        async with transaction(self.around.engine) as tx:
            rows = await tx.execute(sa.select(outbox.c.payload).where(outbox.c.type == name).order_by(outbox.c.id))
            return [kind.FromString(payload) for payload in rows.scalars()]

    async def acts(self) -> list[tuple[str, str, str]]:
        """(actor, action, object) of every record."""
        return [(one.actor.id, one.action, one.object_id) for one in await self.published(Record)]
