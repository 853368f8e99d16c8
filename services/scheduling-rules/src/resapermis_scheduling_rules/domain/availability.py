"""Who and what is occupied at an hour: candidate, trainer, vehicle, school; travel between centres included."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from math import ceil

from resapermis_scheduling_rules.domain.distance import travel_minutes
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import ThresholdKey
from resapermis_scheduling_rules.domain.slots import Point, Slot


class ResourceKind(StrEnum):
    """The kinds of persons and things that an exam needs free at its hour."""

    CANDIDATE = "candidate"
    TRAINER = "trainer"
    VEHICLE = "vehicle"
    SCHOOL = "school"


class OccupationCause(StrEnum):
    """Why a resource is occupied: a declared or imported unavailability, or another booking."""

    UNAVAILABLE = "unavailable"
    BOOKING = "booking"


@dataclass(frozen=True, slots=True)
class Occupation:
    """A span in which one resource is occupied; `centre_id` and `point` of a booking alone."""

    whose: ResourceKind
    what: OccupationCause
    id: str
    """Of the unavailability, or basket's line."""
    starts_at: datetime
    ends_at: datetime
    centre_id: str = ""
    """Where, of a booking."""
    point: Point | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something at the same hour as a slot, travel counted in."""

    whose: ResourceKind
    what: OccupationCause
    id: str
    starts_at: datetime
    ends_at: datetime
    travel_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Trainer:
    """A trainer of the school, by RdvPermis' employee id."""

    id: str
    department: str = ""
    categories: tuple[str, ...] = ()
    """Category groups taught; empty: not given, any."""
    active_from: datetime | None = None
    active_until: datetime | None = None
    authorised_until: datetime | None = None
    """End of the teaching authorisation; None where it is not known."""

    def accompanies(self, slot: Slot) -> bool:
        """Whether they work for the school at the slot's hour and teach its category; their authorisation apart."""
        started = self.active_from is None or self.active_from <= slot.starts_at
        still = self.active_until is None or slot.starts_at < self.active_until
        return started and still and (not self.categories or slot.category in self.categories)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle that the school uses at exams."""

    id: str
    gearbox: str
    """ "manual" or "automatic"."""
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CountedLine:
    """A line of basket that is live or booked: what it counts for, and whom and what it occupies."""

    id: str
    school_id: str
    place: ThresholdKey
    at: datetime
    """As of when."""
    slot_id: str = ""
    candidate_id: str = ""
    trainer_id: str = ""
    vehicle_id: str = ""
    centre_id: str = ""
    kind: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    booked_at: datetime | None = None
    """As of when it is booked; None while it is only held or asked for."""


@dataclass(frozen=True, slots=True)
class LineResources:
    """Candidate, trainer and vehicle that a line would occupy, and the slot that says when."""

    slot: Slot
    candidate_id: str = ""
    trainer_id: str = ""
    vehicle_id: str = ""
    line_id: str = ""
    """The line's own id in basket, where it has one."""
    own_lines: frozenset[str] = frozenset()
    """Basket's lines that the action itself decides about: as they are kept, they are no conflict with it."""
    beside: tuple[Occupation, ...] = ()
    """What the other lines of the action would occupy of the same trainer and vehicle."""


@dataclass(frozen=True, slots=True)
class LineAvailability:
    """What the school's own records hold about a want."""

    conflicts: tuple[Conflict, ...] = ()
    trainer: Trainer | None = None
    """None where nobody accompanies, or nobody of this id works at the school."""
    vehicle: Vehicle | None = None
    """None where none was given, or the school has none of this id in use."""


NOTHING_KNOWN = LineAvailability()


def occupied(slot: Slot, parameters: Parameters) -> tuple[datetime, datetime]:
    """From when to when an exam keeps people busy, UTC: its own hours, never less than `exam_minutes`."""
    return slot.starts_at, max(slot.ends_at, slot.starts_at + timedelta(minutes=parameters.exam_minutes))


def of_one_action(wants: Sequence[LineResources]) -> list[LineResources]:
    """Lines of one action, in the same order: each meets what the others would occupy, none what its own lines occupy until now.

    So two bookings may change places, and a trainer is not taken to two centres by one press of a button.
    """
    own = frozenset(want.line_id for want in wants if want.line_id)
    return [
        replace(want, own_lines=own, beside=tuple(_beside(want, [*wants[:n], *wants[n + 1 :]])))
        for n, want in enumerate(wants)
    ]


def _beside(want: LineResources, others: Sequence[LineResources]) -> Iterator[Occupation]:
    for other in others:
        shared = (
            (ResourceKind.TRAINER, want.trainer_id, other.trainer_id),
            (ResourceKind.VEHICLE, want.vehicle_id, other.vehicle_id),
        )
        for whose, mine, theirs in shared:
            if mine and mine == theirs:
                slot = other.slot
                where = (slot.centre.id, slot.centre.point)
                yield Occupation(
                    whose, OccupationCause.BOOKING, other.line_id or slot.id, slot.starts_at, slot.ends_at, *where
                )


def conflicts(slot: Slot, busy: Iterable[Occupation], parameters: Parameters) -> tuple[Conflict, ...]:
    """What of `busy` meets an exam in `slot`; `busy` in any order.

    Unavailability and bookings at another centre keep the margin on each side; a booking elsewhere keeps the drive
    when that is longer, the margin where the drive is not known. A booking at the same centre only its own hours:
    pupils of one trainer follow each other there in one vehicle. The answer's order is that of time, then id.
    """
    starts, ends = occupied(slot, parameters)
    found = []
    for one in busy:
        gap, travel = _gap(slot, one, parameters)
        if one.starts_at < ends + gap and starts < one.ends_at + gap:
            found.append(Conflict(one.whose, one.what, one.id, one.starts_at, one.ends_at, travel))
    return tuple(sorted(found, key=lambda each: (each.starts_at, each.whose, each.id)))


def _gap(slot: Slot, one: Occupation, parameters: Parameters) -> tuple[timedelta, int]:
    """Time to keep free between the exam and something else, and the drive counted into it."""
    margin = parameters.available_margin_minutes
    if one.what is OccupationCause.UNAVAILABLE:
        return timedelta(minutes=margin), 0
    if one.centre_id == slot.centre.id:
        return timedelta(), 0
    here = slot.centre.point
    travel = travel_minutes(here, one.point, parameters) if here is not None and one.point is not None else 0
    return timedelta(minutes=max(margin, travel)), travel


def longest_gap(parameters: Parameters, most_km: float) -> timedelta:
    """How far around an exam something can matter, when nothing lies further away than `most_km` kilometres."""
    drive = ceil(Decimal(str(round(most_km, 3))) * parameters.travel_detour * 60 / max(1, parameters.travel_kmh))
    return timedelta(minutes=max(parameters.available_margin_minutes, drive))
