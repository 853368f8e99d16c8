"""The school: licence, trainers, vehicles, hours. Trainers' names come from RdvPermis and are kept nowhere."""

import structlog
from fastapi import APIRouter

from resapermis.rdvpermis.v1 import rdvpermis_pb2
from resapermis.scheduling.v1 import school_pb2
from resapermis_auth_gateway.web.days import end_of, midnight, plausible_day
from resapermis_auth_gateway.web.dependencies import Key, Visitor, Who, now_of
from resapermis_auth_gateway.web.sign_in.grant import USES
from resapermis_auth_gateway.web.wire.base import PathId
from resapermis_auth_gateway.web.wire.school import (
    DeclaredHours,
    EmployeeView,
    Hours,
    HoursPage,
    Licence,
    SchoolProfileView,
    TrainerPage,
    TrainerPlan,
    TrainerView,
    VehiclePage,
    VehiclePlan,
    VehicleView,
)
from resapermis_auth_gateway.web.wire.session import BackgroundWorkView
from resapermis_kit.errors import Failure, malformed

router = APIRouter(prefix="/school", tags=["school"])
log = structlog.get_logger()


def _profile(who: Visitor, school: school_pb2.School) -> SchoolProfileView:
    return SchoolProfileView.of(school, who.session.school_name, who.session.department)


async def _employees(who: Visitor) -> list[EmployeeView] | None:
    """RdvPermis' names for the school's own people; None while it cannot be asked: a page without names is shown."""
    try:
        answer = await who.ask(who.peers.rdvpermis.ListEmployees, rdvpermis_pb2.ListEmployeesRequest())
    except Failure as failure:
        log.warning("names.missing", error_code=failure.name)
        return None
    return [EmployeeView.of(one) for one in answer.employees]


@router.get("")
async def get_school(who: Who) -> SchoolProfileView:
    """The asker's school as RdvPermis describes it, and until when it is licensed."""
    answer = await who.ask(who.peers.school.GetSchool, school_pb2.GetSchoolRequest())
    return _profile(who, answer.school)


@router.get("/background-work")
async def get_background_work(who: Who) -> BackgroundWorkView:
    """Say whether work goes on while nobody of the school is signed in, on a grant that one of its people gave; else what waits.

    A grant that RdvPermis does not take now counts for nothing here.
    """
    who.may("school.read")
    found = await who.dependencies.grants.of_school(who.session.school_id)
    return BackgroundWorkView(
        granted=found.taken > 0,
        employees=found.taken,
        ends_at=found.ends_at,
        waits=[] if found.taken else list(USES),
        server_time=now_of(who),
    )


@router.put("/licence")
async def set_licence(who: Who, body: Licence) -> SchoolProfileView:
    """Keep the last day of the school's licence."""
    ends = end_of(body.licensed_until, who.session.department, "licensedUntil")
    command = school_pb2.SetLicenceRequest(licensed_until=ends)
    return _profile(who, (await who.ask(who.peers.school.SetLicence, command)).school)


@router.get("/trainers")
async def list_trainers(who: Who) -> TrainerPage:
    """List trainers, active and past, and the other employees; spends a call for their names."""
    answer = await who.ask(who.peers.school.ListTrainers, school_pb2.ListTrainersRequest())
    employees = await _employees(who)
    names = {one.id: one.display_name for one in employees or ()}
    trainers = {one.id for one in answer.trainers}
    return TrainerPage(
        items=[TrainerView.of(one, names) for one in answer.trainers],
        others=[one for one in employees or () if one.id not in trainers],
        names_missing=employees is None,
    )


@router.put("/trainers/{trainer_id}")
async def set_trainer(who: Who, trainer_id: PathId, body: TrainerPlan) -> TrainerView:
    """Add a trainer (RdvPermis' employee id), or change one from a day on; thresholds follow at once."""
    if body.active_until is not None and body.active_until < body.active_from:
        raise malformed("activeUntil", "on or after `activeFrom`")
    trainer = school_pb2.Trainer(
        id=trainer_id,
        department=body.department,
        categories=sorted(set(body.categories)),
        active_from=midnight(plausible_day(body.active_from, "activeFrom"), body.department),
        active_until=end_of(body.active_until, body.department, "activeUntil"),
        authorised_until=end_of(body.authorised_until, body.department, "authorisedUntil"),
    )
    command = school_pb2.SetTrainerRequest(trainer=trainer)
    kept = (await who.ask(who.peers.school.SetTrainer, command)).trainer
    return TrainerView.of(kept, {one.id: one.display_name for one in await _employees(who) or ()})


@router.get("/vehicles")
async def list_vehicles(who: Who) -> VehiclePage:
    """The school's vehicles for exams by label, retired ones too."""
    answer = await who.ask(who.peers.school.ListVehicles, school_pb2.ListVehiclesRequest())
    return VehiclePage(items=[VehicleView.of(one) for one in answer.vehicles])


async def _set_vehicle(who: Visitor, vehicle_id: str, body: VehiclePlan, key: str = "") -> VehicleView:
    vehicle = school_pb2.Vehicle(
        id=vehicle_id,
        label=body.label,
        categories=sorted(set(body.categories)),
        gearbox=body.gearbox,
        retired=body.retired,
    )
    command = school_pb2.SetVehicleRequest(vehicle=vehicle, request_id=key)
    return VehicleView.of((await who.ask(who.peers.school.SetVehicle, command)).vehicle)


@router.post("/vehicles", status_code=201)
async def add_vehicle(who: Who, key: Key, body: VehiclePlan) -> VehicleView:
    """Add a vehicle for exams, once by its Idempotency-Key."""
    return await _set_vehicle(who, "", body, key)


@router.put("/vehicles/{vehicle_id}")
async def set_vehicle(who: Who, vehicle_id: PathId, body: VehiclePlan) -> VehicleView:
    """Replace a vehicle's label, categories, gearbox and retirement; 404 for an unknown one."""
    return await _set_vehicle(who, vehicle_id, body)


async def _hours(who: Visitor) -> HoursPage:
    return HoursPage.of(await who.ask(who.peers.school.ListHours, school_pb2.ListHoursRequest()))


@router.get("/hours")
async def list_hours(who: Who) -> HoursPage:
    """List declared hours and the full-time trainers that follow from them."""
    return await _hours(who)


@router.put("/hours")
async def declare_hours(who: Who, body: Hours) -> HoursPage:
    """Declare trainers' hours; declared again, they replace. The answer is everything as it now stands."""
    hours = [
        school_pb2.Hours(
            trainer_id=one.trainer_id,
            month=one.month,
            category=one.category,
            kind=one.kind,
            hundredths=_hundredths(one, number),
        )
        for number, one in enumerate(body.hours)
    ]
    await who.ask(who.peers.school.DeclareHours, school_pb2.DeclareHoursRequest(hours=hours))
    return await _hours(who)


def _hundredths(declared: DeclaredHours, number: int) -> int:
    found = round(declared.hours * 100)
    if abs(declared.hours * 100 - found) > 1e-6:
        raise malformed(f"hours[{number}].hours", "at most two decimals")
    return found
