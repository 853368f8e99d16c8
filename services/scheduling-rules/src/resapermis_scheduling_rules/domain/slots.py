"""Slots, their centres, and the school that wants them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from resapermis_places.days import local_month
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import ThresholdKey

LONGEST_WINDOW = timedelta(days=56)


class Status(StrEnum):
    """How a slot stands. The mirror keeps FREE, TAKEN, WITHDRAWN and OTHER; the other two are an asker's view of it."""

    FREE = "FREE"
    OURS = "OURS"
    TAKEN = "TAKEN"
    THRESHOLD_REACHED = "THRESHOLD_REACHED"
    WITHDRAWN = "WITHDRAWN"
    OTHER = "OTHER"


STATUS_OF_WORD: Mapping[str, Status] = {
    "DISPONIBLE": Status.FREE,
    "NON_RÉSERVÉ": Status.FREE,
    "RÉSERVÉ_PAR_MON_AUTO_ÉCOLE": Status.OURS,
    "RÉSERVÉ_PAR_AUTRE_AUTO_ÉCOLE": Status.TAKEN,
    "RÉSERVÉ": Status.TAKEN,
    "SEUIL_ATTEINT": Status.THRESHOLD_REACHED,
    "ANNULÉ": Status.WITHDRAWN,
}
"""RdvPermis' statutDeReservation as seen in public client code; a word not listed is OTHER: shown, not bookable."""


def status_of(word: str) -> Status:
    """Status of RdvPermis' statutDeReservation, verbatim; OTHER for a word not listed."""
    return STATUS_OF_WORD.get(word, Status.OTHER)


@dataclass(frozen=True, slots=True)
class Point:
    """A place on earth: latitude and longitude in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Centre:
    """An exam centre as RdvPermis lists it; coordinates may be missing."""

    id: str
    name: str
    department: str
    latitude: float | None = None
    longitude: float | None = None

    @property
    def point(self) -> Point | None:
        """Its coordinates; None where RdvPermis gives none."""
        return None if self.latitude is None or self.longitude is None else Point(self.latitude, self.longitude)


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as the mirror has it, seen by everyone alike."""

    id: str
    centre: Centre
    starts_at: datetime
    ends_at: datetime
    category: str
    kind: str
    published_at: datetime
    status: Status
    seen_at: datetime
    holder: str = ""
    """School that has it, where known."""

    @property
    def department(self) -> str:
        """Code of the department of its centre."""
        return self.centre.department

    @property
    def month(self) -> str:
        """Month it counts for, as "2026-12": that of the exam, at the centre's own hour."""
        return local_month(self.starts_at, self.centre.department)

    @property
    def place(self) -> ThresholdKey:
        """The threshold it counts for: department, month of the exam, category group."""
        return ThresholdKey(self.department, self.month, self.category)

    def status_for(self, school_id: str, *, threshold_reached: bool) -> Status:
        """How it stands for one school: OURS where it is known to have it, THRESHOLD_REACHED for a free one it may not take."""
        if self.status is Status.TAKEN and self.holder == school_id:
            return Status.OURS
        if self.status is Status.FREE and threshold_reached:
            return Status.THRESHOLD_REACHED
        return self.status

    def opens_to_all_at(self, parameters: Parameters) -> datetime:
        """When R-TERRITORY ends: `territory_hours` of real time after publication, whatever clocks do between; UTC."""
        return self.published_at + timedelta(hours=parameters.territory_hours)


@dataclass(frozen=True, slots=True)
class School:
    """A driving school, as RdvPermis knows it."""

    id: str
    department: str
    licence_number: str = ""
    fte: Decimal | None = None
    """Full-time trainers; None where RdvPermis does not state it."""
    licensed_until: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    """Where it is; both or neither."""

    @property
    def point(self) -> Point | None:
        """Its coordinates; None where RdvPermis gives none."""
        return None if self.latitude is None or self.longitude is None else Point(self.latitude, self.longitude)
