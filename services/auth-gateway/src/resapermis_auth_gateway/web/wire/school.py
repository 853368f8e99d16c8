"""A school as its administrator keeps it; trainers' names are RdvPermis' and only pass through."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from resapermis.rdvpermis.v1 import rdvpermis_pb2
from resapermis.scheduling.v1 import school_pb2
from resapermis_auth_gateway.web.days import last_day
from resapermis_auth_gateway.web.wire.base import (
    Body,
    Category,
    Department,
    Flag,
    Id,
    Label,
    Month,
    View,
    optional_figure,
    optional_instant,
)
from resapermis_places.days import local_day


class Licence(Body):
    """The last day of the school's licence; null where it is not known."""

    licensed_until: date | None


class TrainerPlan(Body):
    """How a trainer works, from a day to a last day."""

    department: Department
    categories: Annotated[list[Category], Field(max_length=20)]
    active_from: date
    active_until: date | None = None
    authorised_until: date | None = None


class VehiclePlan(Body):
    """How a vehicle is kept: label, categories that it is fit for, gearbox, and whether it is retired."""

    label: Label
    categories: Annotated[list[Category], Field(max_length=20)]
    gearbox: Literal["manual", "automatic"]
    retired: Flag = False


class DeclaredHours(Body):
    """A trainer's hours of a month, of one kind; declared again, they replace."""

    trainer_id: Id
    month: Month
    category: Category
    kind: Literal["practical", "accompanied", "theory"]
    hours: Annotated[float, Field(ge=0, le=744, description="At most two decimals.")]


class Hours(Body):
    """Hours to declare; each item replaces what was declared for its trainer, month and kind."""

    hours: Annotated[list[DeclaredHours], Field(min_length=1, max_length=500)]


class SchoolProfileView(View):
    """What RdvPermis says of the school, and until which day, included, it is licensed."""

    id: str
    name: str
    licence_number: str | None = None
    department: str | None = None
    licensed_until: date | None = None
    declared_fte: float | None = None
    seen_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None

    @classmethod
    def of(cls, school: school_pb2.School, name: str, department: str) -> "SchoolProfileView":
        """From scheduling.v1.School; name and department are those of the session."""
        return cls(
            id=school.id,
            name=name,
            licence_number=school.licence_number or None,
            department=school.department or None,
            licensed_until=last_day(optional_instant(school, "licensed_until"), school.department or department),
            declared_fte=optional_figure(school, "declared_fte"),
            seen_at=optional_instant(school, "seen_at"),
            latitude=optional_figure(school, "latitude_degrees"),
            longitude=optional_figure(school, "longitude_degrees"),
        )


class EmployeeView(View):
    """Somebody who works at the school, as RdvPermis names them."""

    id: str
    display_name: str

    @classmethod
    def of(cls, employee: rdvpermis_pb2.RdvEmployee) -> "EmployeeView":
        """From rdvpermis.v1.RdvEmployee."""
        return cls(id=employee.id, display_name=f"{employee.first_name} {employee.last_name}".strip() or employee.id)


class TrainerView(View):
    """A trainer; days are the department's, last days included. "…3f9a" where the name cannot be read now."""

    id: str
    display_name: str
    department: str
    categories: list[str]
    active_from: date | None = None
    active_until: date | None = None
    authorised_until: date | None = None
    may_accompany: bool

    @classmethod
    def of(cls, trainer: school_pb2.Trainer, names: Mapping[str, str]) -> "TrainerView":
        """From scheduling.v1.Trainer, with RdvPermis' name from `names`; ends become last days, included."""
        begins = optional_instant(trainer, "active_from")
        return cls(
            id=trainer.id,
            display_name=names.get(trainer.id) or f"…{trainer.id[-4:]}",
            department=trainer.department,
            categories=list(trainer.categories),
            active_from=None if begins is None else local_day(begins, trainer.department),
            active_until=last_day(optional_instant(trainer, "active_until"), trainer.department),
            authorised_until=last_day(optional_instant(trainer, "authorised_until"), trainer.department),
            may_accompany=trainer.may_accompany,
        )


class TrainerPage(View):
    """Trainers, active and past; and the other employees, who may become one. `namesMissing`: RdvPermis was silent."""

    items: list[TrainerView]
    others: list[EmployeeView]
    names_missing: bool


class VehicleView(View):
    """A vehicle that the school uses at exams, retired ones too."""

    id: str
    label: str
    categories: list[str]
    gearbox: str
    retired: bool

    @classmethod
    def of(cls, vehicle: school_pb2.Vehicle) -> "VehicleView":
        """From scheduling.v1.Vehicle."""
        return cls(
            id=vehicle.id,
            label=vehicle.label,
            categories=list(vehicle.categories),
            gearbox=vehicle.gearbox,
            retired=vehicle.retired,
        )


class VehiclePage(View):
    """All vehicles of the school by label, retired ones too."""

    items: list[VehicleView]


class HoursView(View):
    """A trainer's declared hours of a month, of one kind."""

    trainer_id: str
    month: str
    category: str
    kind: str
    hours: float


class FteView(View):
    """Full-time trainers computed from the hours of three months."""

    department: str
    category: str
    fte: float
    first_month: str
    last_month: str
    computed_at: datetime | None = None


class HoursPage(View):
    """Hours of the last months, what follows from them, and when it is next computed."""

    items: list[HoursView]
    fte: list[FteView]
    next_at: datetime | None = None

    @classmethod
    def of(cls, answer: school_pb2.ListHoursResponse) -> "HoursPage":
        """From scheduling.v1.ListHoursResponse; hundredths become hours and full-time trainers."""
        return cls(
            items=[
                HoursView(
                    trainer_id=one.trainer_id,
                    month=one.month,
                    category=one.category,
                    kind=one.kind,
                    hours=one.hundredths / 100,
                )
                for one in answer.hours
            ],
            fte=[
                FteView(
                    department=one.department,
                    category=one.category,
                    fte=one.hundredths / 100,
                    first_month=one.first_month,
                    last_month=one.last_month,
                    computed_at=optional_instant(one, "computed_at"),
                )
                for one in answer.fte
            ],
            next_at=optional_instant(answer, "next_at"),
        )
