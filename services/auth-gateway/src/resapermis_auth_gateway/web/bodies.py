"""What browsers may ask: each body parsed once, unknown fields refused."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$"
Id = Annotated[str, Field(pattern=ID_PATTERN, description="An id of ours or of RdvPermis, opaque.")]
Category = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,3}$", description="Licence group of RdvPermis: B, A, CE.")]
Department = Annotated[str, Field(pattern=r"^([0-9]{2}|2A|2B|97[1-6])$", description="94, 2A, 971.")]


def _no_control(value: str) -> str:
    if any(ord(char) < 32 or 0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise ValueError("no control characters")
    return value


Text = Annotated[str, AfterValidator(_no_control)]


class Body(BaseModel):
    """A question's body: camelCase outside, nothing that we do not know."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class NewCandidate(Body):
    """A candidate to write down."""

    last_name: Annotated[Text, Field(min_length=1, max_length=200)]
    first_name: Annotated[Text, Field(min_length=1, max_length=200)]
    neph: Annotated[Text, Field(min_length=1, max_length=40, description="NEPH as printed; leading zeros count.")]
    email: Annotated[Text, Field(min_length=3, max_length=254)] | None = None


class CandidateQuery(Body):
    """Whole words of a name, or a NEPH: never in an address."""

    query: Annotated[Text, Field(min_length=1, max_length=200)]


class NewMandate(Body):
    """A mandate to ask RdvPermis for."""

    candidate_id: Id
    category: Category
    gearbox: Literal["manual", "automatic"] | None = None


class Item(Body):
    """A slot to hold; for whom, who accompanies and in what, if that is known."""

    slot_id: Id
    candidate_id: Id | None = None
    trainer_id: Id | None = None
    vehicle_id: Id | None = None


class Hold(Body):
    """One action. How many slots it may have, R-GROUP says; the limit here only bounds the work of saying so."""

    items: Annotated[list[Item], Field(min_length=1, max_length=50)]
    all_or_nothing: bool = False


class Check(Body):
    """Slots and candidates to ask about, as a hold would name them."""

    items: Annotated[list[Item], Field(min_length=1, max_length=50)]


class Preparation(Body):
    """Whom to prepare an opening for, and where; `slotId` is one to ask RdvPermis about, where one is known."""

    category: Category
    department: Department
    candidate_ids: Annotated[list[Id], Field(max_length=12)] = []
    slot_id: Id | None = None


class Accompaniment(Body):
    """Who accompanies a candidate, and in what; null where nobody said."""

    trainer_id: Id | None
    vehicle_id: Id | None


class Naming(Body):
    """Who takes the exam; null takes the name off."""

    candidate_id: Id | None


class Validation(Body):
    """Which group to validate."""

    group_id: Id


class Cancellation(Body):
    """Why a booking is given up."""

    reason: Literal["candidate_ill", "not_ready", "school", "other"]


class Replacement(Body):
    """Who takes the exam instead."""

    candidate_id: Id


class Swap(Body):
    """The other booking, which takes this one's place."""

    other_booking_id: Id


Clock = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", description="08:30, at the centre.")]
Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="2026-12.")]
Kind = Literal["CIRCULATION", "PLATEAU"]
Weekday = Annotated[int, Field(ge=1, le=7, description="Monday is 1.")]
Label = Annotated[Text, Field(min_length=1, max_length=80)]
LocalMoment = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]$", description="2026-12-09T08:32, there."
    ),
]


class Favourite(Body):
    """A centre that the school prefers; 0 is the first choice."""

    centre_id: Id
    priority: Annotated[int, Field(ge=0, le=2)]


class Favourites(Body):
    """All favourite centres of a licence group."""

    category: Category
    favourites: Annotated[list[Favourite], Field(max_length=20)]


class Search(Body):
    """What to look for, whenever it comes."""

    department: Department | None = None
    category: Category
    centres: Annotated[list[Id], Field(max_length=50)] = []
    within_km: Annotated[int, Field(ge=1, le=300)] | None = None
    day_from: Clock | None = None
    day_to: Clock | None = None
    in_a_row: Annotated[int, Field(ge=1, le=8)] = 1
    open_now: bool = False
    opens_before: AwareDatetime | None = None
    kind: Kind | None = None
    weekdays: Annotated[list[Weekday], Field(max_length=7)] = []


class NewSavedSearch(Body):
    """A search to keep."""

    label: Label
    search: Search
    alert: bool = True


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
    """A vehicle used at exams."""

    label: Label
    categories: Annotated[list[Category], Field(max_length=20)]
    gearbox: Literal["manual", "automatic"]
    retired: bool = False


class DeclaredHours(Body):
    """A trainer's hours of a month, of one kind; said again, they replace."""

    trainer_id: Id
    month: Month
    category: Category
    kind: Literal["practical", "accompanied", "theory"]
    hours: Annotated[float, Field(ge=0, le=744, description="At most two decimals.")]


class Hours(Body):
    """Hours to declare."""

    hours: Annotated[list[DeclaredHours], Field(min_length=1, max_length=500)]


class Waiver(Body):
    """Why a restriction should be waived."""

    reason: Literal["illness", "accident", "bereavement", "centre_closed", "other_force_majeure"]


class Subject(Body):
    """Who or what is not free; the school itself has no id."""

    kind: Literal["candidate", "trainer", "vehicle", "school"]
    id: Id | None = None


class NewUnavailability(Body):
    """When somebody or something is not free, on the clock of `timeZone` (the school's if absent)."""

    subject: Subject
    starts_at: LocalMoment
    ends_at: LocalMoment
    rrule: Annotated[Text, Field(max_length=500, description="RFC 5545 RRULE, e.g. FREQ=WEEKLY;BYDAY=MO.")] | None = (
        None
    )
    time_zone: Annotated[Text, Field(min_length=1, max_length=64)] | None = None
