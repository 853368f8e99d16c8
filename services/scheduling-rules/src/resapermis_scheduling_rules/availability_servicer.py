"""scheduling.v1.AvailabilityService: thin; the acts are in availability/commands.py, calendars read in ical/, feeds made in feed.py."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import availability_pb2 as pb
from resapermis.scheduling.v1.availability_pb2_grpc import AvailabilityServiceServicer
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.auth import caller
from resapermis_places.table import zone_of
from resapermis_scheduling_rules import events
from resapermis_scheduling_rules.availability import feed, queries, wire
from resapermis_scheduling_rules.availability.commands import UnavailabilityCommands
from resapermis_scheduling_rules.peers import asker
from resapermis_scheduling_rules.school import staff_queries
from resapermis_scheduling_rules.school.schools import Schools
from resapermis_scheduling_rules.wire import word

LONGEST_TOKEN = 128


class AvailabilityServicer(AvailabilityServiceServicer):
    """Who of the caller's school is not free, always that of the principal; and trainers' private calendars."""

    def __init__(
        self,
        engine: AsyncEngine,
        outbox: Outbox,
        schools: Schools,
        unavailabilities: UnavailabilityCommands,
        now: Clock,
        new_token: Callable[[], str],
    ) -> None:
        """`new_token` makes 256 random bits, URL-safe."""
        self._engine, self._outbox, self._schools, self._unavailabilities = engine, outbox, schools, unavailabilities
        self._now, self._new_token = now, new_token

    async def AddUnavailability(
        self, request: pb.AddUnavailabilityRequest, context: Any
    ) -> pb.AddUnavailabilityResponse:
        """Keep when somebody or something is not free, once by its request id; answers the bookings that it meets."""
        return await self._unavailabilities.add(caller().school(), request, await self._home())

    async def RemoveUnavailability(
        self, request: pb.RemoveUnavailabilityRequest, context: Any
    ) -> pb.RemoveUnavailabilityResponse:
        """Delete a declaration with its times. NOT_FOUND: the school has none of this id."""
        await self._unavailabilities.remove(caller().school(), word(request.id, "id"))
        return pb.RemoveUnavailabilityResponse()

    async def ListUnavailabilities(
        self, request: pb.ListUnavailabilitiesRequest, context: Any
    ) -> pb.ListUnavailabilitiesResponse:
        """Occurrences in a window, of one subject or of all."""
        subject = wire.subject_of(request.subject, "subject") if request.HasField("subject") else None
        since, until = wire.window_of(request, self._now())
        found = await self._unavailabilities.window(caller().school().school_id, subject, since, until)
        return pb.ListUnavailabilitiesResponse(occurrences=[wire.occurrence(one) for one in found])

    async def ImportCalendar(self, request: pb.ImportCalendarRequest, context: Any) -> pb.ImportCalendarResponse:
        """Keep a calendar's busy times in place of the subject's earlier import; ask first where that loses something."""
        subject = wire.subject_of(request.subject, "subject")
        zone = zone_of(await self._home())
        found = await self._unavailabilities.import_calendar(
            caller().school(), subject, request.calendar, zone, despite_losses=request.despite_losses
        )
        return wire.imported(found.read, replaced=found.replaced)

    async def CreateFeed(self, request: pb.CreateFeedRequest, context: Any) -> pb.CreateFeedResponse:
        """Make a trainer's private address; the only answer that contains it."""
        who, trainer_id, token, now = (
            caller().school(),
            word(request.trainer_id, "trainer_id"),
            self._new_token(),
            self._now(),
        )
        async with transaction(self._engine) as tx:
            if not await staff_queries.terms(tx, who.school_id, trainer_id):
                raise Failure(Code.CODE_NOT_FOUND, "the school has no trainer by this id")
            await queries.keep_feed(tx, who.school_id, trainer_id, feed.digest(token), who.account_id, now)
            await self._outbox.add(tx, now, events.person_record(who, "feed.create", "trainer", trainer_id, {}))
        return pb.CreateFeedResponse(token=token)

    async def RevokeFeed(self, request: pb.RevokeFeedRequest, context: Any) -> pb.RevokeFeedResponse:
        """End a trainer's private calendar address. NOT_FOUND: the trainer has none."""
        who, trainer_id = caller().school(), word(request.trainer_id, "trainer_id")
        async with transaction(self._engine) as tx:
            if not await queries.revoke_feed(tx, who.school_id, trainer_id):
                raise Failure(Code.CODE_NOT_FOUND, "this trainer has no address")
            await self._outbox.add(tx, self._now(), events.person_record(who, "feed.revoke", "trainer", trainer_id, {}))
        return pb.RevokeFeedResponse()

    async def GetFeed(self, request: pb.GetFeedRequest, context: Any) -> pb.GetFeedResponse:
        """The calendar behind an address; one that ended never was."""
        unknown = Failure(Code.CODE_NOT_FOUND, "no such calendar")
        if not 1 <= len(request.token) <= LONGEST_TOKEN:
            raise unknown
        async with transaction(self._engine) as tx:
            owner = await queries.feed_owner(tx, feed.digest(request.token))
            if owner is None:
                raise unknown
            exams = await queries.exams(tx, *owner, self._now() - feed.PAST, feed.MOST)
        return pb.GetFeedResponse(calendar=feed.calendar(exams))

    async def _home(self) -> str:
        return (await self._schools.standing(asker())).school.department
