"""scheduling.v1.SchoolService: thin; acts are in staff_commands.py, FTE in fte.py."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import school_pb2 as pb
from resapermis.scheduling.v1.school_pb2_grpc import SchoolServiceServicer
from resapermis_kit.clock import Clock, NewId, new_id
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import caller
from resapermis_places.days import local_day
from resapermis_scheduling_rules.evaluation.standing import CandidateStandings
from resapermis_scheduling_rules.peers import asker
from resapermis_scheduling_rules.school import queries as schools
from resapermis_scheduling_rules.school import staff_queries, wire
from resapermis_scheduling_rules.school.fte import next_night, oldest_month
from resapermis_scheduling_rules.school.schools import Schools
from resapermis_scheduling_rules.school.staff_commands import StaffCommands
from resapermis_scheduling_rules.wire import moment, timestamp


class SchoolServicer(SchoolServiceServicer):
    """The caller's school, always that of the principal."""

    def __init__(
        self,
        engine: AsyncEngine,
        schools: Schools,
        people: StaffCommands,
        standings: CandidateStandings,
        now: Clock,
        make_id: NewId = new_id,
    ) -> None:
        """`schools` brings a school that was never seen from RdvPermis."""
        self._engine, self._schools, self._people, self._standings = engine, schools, people, standings
        self._now, self._new_id = now, make_id

    async def GetSchool(self, request: pb.GetSchoolRequest, context: Any) -> pb.GetSchoolResponse:
        """What RdvPermis states, and what the administrator keeps."""
        return pb.GetSchoolResponse(school=await self._school())

    async def SetLicence(self, request: pb.SetLicenceRequest, context: Any) -> pb.SetLicenceResponse:
        """Keep the end of the school's licence, with its record; absent: not known."""
        known = request.HasField("licensed_until")
        until = moment(request.licensed_until, "licensed_until") if known else None
        await self._schools.standing(asker())
        await self._people.set_licence(caller().school(), until)
        self._schools.forget(asker().school_id)
        return pb.SetLicenceResponse(school=await self._school())

    async def ListTrainers(self, request: pb.ListTrainersRequest, context: Any) -> pb.ListTrainersResponse:
        """Terms of all trainers, past ones too."""
        now = self._now()
        async with transaction(self._engine) as tx:
            terms = await staff_queries.terms(tx, caller().school().school_id)
        return pb.ListTrainersResponse(trainers=[wire.trainer(term, now) for term in terms])

    async def SetTrainer(self, request: pb.SetTrainerRequest, context: Any) -> pb.SetTrainerResponse:
        """Add a trainer, or change one from a day on."""
        now = self._now()
        term = wire.term_of(request.trainer, now)
        await self._schools.standing(asker())
        await self._people.set_trainer(caller().school(), term)
        self._schools.forget(asker().school_id)
        return pb.SetTrainerResponse(trainer=wire.trainer(term, now))

    async def ListVehicles(self, request: pb.ListVehiclesRequest, context: Any) -> pb.ListVehiclesResponse:
        """The school's vehicles, retired ones too."""
        async with transaction(self._engine) as tx:
            known = await staff_queries.vehicles_of(tx, caller().school().school_id)
        return pb.ListVehiclesResponse(vehicles=[wire.vehicle(one) for one in known])

    async def SetVehicle(self, request: pb.SetVehicleRequest, context: Any) -> pb.SetVehicleResponse:
        """Add a vehicle, or change the one whose id is given."""
        vehicle = wire.vehicle_of(request.vehicle, str(self._new_id()))
        if request.vehicle.id:
            await self._people.change_vehicle(caller().school(), vehicle)
        else:
            vehicle = await self._people.add_vehicle(caller().school(), vehicle, request)
        return pb.SetVehicleResponse(vehicle=wire.vehicle(vehicle))

    async def DeclareHours(self, request: pb.DeclareHoursRequest, context: Any) -> pb.DeclareHoursResponse:
        """Keep declared hours; the FTE follows at once."""
        standing = await self._schools.standing(asker())
        hours = wire.hours_of(request.hours, self._now(), standing.school.department)
        await self._people.declare(caller().school(), hours)
        self._schools.forget(asker().school_id)
        return pb.DeclareHoursResponse()

    async def ListHours(self, request: pb.ListHoursRequest, context: Any) -> pb.ListHoursResponse:
        """Hours that count or will, the FTE computed from them, and the next night."""
        now = self._now()
        home = (await self._schools.standing(asker())).school.department
        async with transaction(self._engine) as tx:
            hours = await staff_queries.hours_since(tx, asker().school_id, oldest_month(local_day(now, home)))
            computed = await staff_queries.ftes_of(tx, asker().school_id)
        return pb.ListHoursResponse(
            hours=[wire.hours(one) for one in hours],
            fte=[wire.fte(one, at) for one, at in computed],
            next_at=timestamp(next_night(now, home)),
        )

    async def GetStanding(self, request: pb.GetStandingRequest, context: Any) -> pb.GetStandingResponse:
        """Restrictions of the school's candidates, and when each may be booked again."""
        return await self._standings.get(caller().school(), request.candidate_ids)

    async def ProposeWaiver(self, request: pb.ProposeWaiverRequest, context: Any) -> pb.ProposeWaiverResponse:
        """Ask that a restriction be waived for force majeure."""
        await self._standings.propose(caller().school(), request.restriction_id, request.reason)
        return pb.ProposeWaiverResponse()

    async def ApproveWaiver(self, request: pb.ApproveWaiverRequest, context: Any) -> pb.ApproveWaiverResponse:
        """Waive what another person asked to be waived."""
        await self._standings.approve(caller().school(), request.restriction_id)
        return pb.ApproveWaiverResponse()

    async def _school(self) -> pb.School:
        await self._schools.standing(asker())
        async with transaction(self._engine) as tx:
            known = await schools.school(tx, asker().school_id)
        if known is None:
            raise Failure(Code.CODE_UNAVAILABLE, "the school could not be read back; try again")
        return wire.school(*known)
