"""Everything that is known about the lines of actions: one statement, however many of either, on the path of every hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.sql_file import sql_file
from resapermis_kit.database.statement import Statement
from resapermis_scheduling_rules.domain.availability import (
    LineAvailability,
    LineResources,
    Occupation,
    OccupationCause,
    ResourceKind,
    Trainer,
    Vehicle,
    conflicts,
    longest_gap,
)
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.restrictions import Restriction
from resapermis_scheduling_rules.domain.slots import Centre, Point, Slot, Status
from resapermis_scheduling_rules.domain.standing import SchoolStanding
from resapermis_scheduling_rules.school.queries import standing

MOST_KM = 1500.0
"""Nobody drives further between two exams; France's mainland and Corsica lie within it."""
LONGEST_EXAM = timedelta(days=1)
_FACTS = Statement(sql_file("resapermis_scheduling_rules.evaluation", "statements.sql")["facts"])


class Line(NamedTuple):
    """What is looked up for a line of an action: ids, empty where nobody is named."""

    slot_id: str
    candidate_id: str = ""
    trainer_id: str = ""
    vehicle_id: str = ""


@dataclass(frozen=True, slots=True)
class AskedAction:
    """A booking action to look facts up for: its school, its lines, the moment it is judged at."""

    school_id: str
    lines: Sequence[Line]
    widest: Parameters
    """Of the parameters in force anywhere, those that reach furthest around an exam (`Rulebook.widest`). Which apply to a
    line, only its slot's place tells; so what is found around its hour may be more than what meets it."""
    at: datetime


@dataclass(slots=True)
class ActionFacts:
    """What is known about one action; lines are referred to by their place in it."""

    standing: SchoolStanding | None = None
    """Of the school; None where it was never seen."""
    slots: dict[str, Slot] = field(default_factory=dict)
    """By id; those that no poll ever brought are missing."""
    restrictions: dict[int, list[Restriction]] = field(default_factory=dict)
    """By place of the line in the action: its candidate's in the slot's category that have not ended, longest last;
    waived ones too."""
    busy: dict[int, list[Occupation]] = field(default_factory=dict)
    """As above: all that may matter around its hour, and more."""
    trainers: dict[int, Trainer] = field(default_factory=dict)
    """As above. The term in force at the slot's hour, else the nearest before it, else the first to come."""
    vehicles: dict[int, Vehicle] = field(default_factory=dict)

    def situation(self, n: int, want: LineResources, parameters: Parameters) -> LineAvailability:
        """What stands in the way of line `n`, its trainer and its vehicle; `parameters`: of the slot's place."""
        others = [one for one in self.busy.get(n, ()) if one.id not in want.own_lines]
        met = conflicts(want.slot, [*others, *want.beside], parameters)
        return LineAvailability(met, self.trainers.get(n), self.vehicles.get(n))


async def read_facts(engine: AsyncEngine, asked: Sequence[AskedAction]) -> Sequence[ActionFacts]:
    """Look up the lines of these actions; each action's answer is the same as if it were asked alone.

    But for `busy`: it reaches as far as the widest of all asks for, which `situation` narrows to what meets.
    """
    # Of a line by its place in the statement: whose answer it goes to, and its place in that action.
    places: list[tuple[ActionFacts, int]] = []
    values: dict[str, Any] = {name: [] for name in ("askers", "moments", "slots", "candidates", "trainers", "vehicles")}
    answers = []
    for action in asked:
        answer = ActionFacts()
        answers.append(answer)
        for n, line in enumerate(action.lines):
            places.append((answer, n))
            values["askers"].append(action.school_id)
            values["moments"].append(action.at)
            values["slots"].append(line.slot_id)
            values["candidates"].append(line.candidate_id)
            values["trainers"].append(line.trainer_id)
            values["vehicles"].append(line.vehicle_id)
    exam, near, far = (max(reach) for reach in zip(*(_reach(action.widest) for action in asked), strict=True))
    values |= {"exam": exam, "near": near, "far": far, "longest_exam": LONGEST_EXAM}
    (row,) = await _FACTS.run(engine, values | {"school_ids": list({action.school_id for action in asked})})
    for n, *record in row.slots:
        answer, _ = places[n - 1]
        slot = _slot(record)
        answer.slots[slot.id] = slot
    for n, id_, *restriction in row.restrictions:
        answer, place = places[n - 1]
        answer.restrictions.setdefault(place, []).append(Restriction(str(id_), *restriction))
    for n, whose, id_, starts_at, ends_at in row.unavailable:
        answer, place = places[n - 1]
        met = Occupation(ResourceKind(whose), OccupationCause.UNAVAILABLE, id_, starts_at, ends_at)
        answer.busy.setdefault(place, []).append(met)
    for n, whose, id_, starts_at, ends_at, centre_id, *point in row.booked:
        answer, place = places[n - 1]
        met = Occupation(
            ResourceKind(whose), OccupationCause.BOOKING, id_, starts_at, ends_at, centre_id or "", _point(*point)
        )
        answer.busy.setdefault(place, []).append(met)
    for n, id_, department, categories, *times in row.trainers:
        answer, place = places[n - 1]
        answer.trainers[place] = Trainer(id_, department, tuple(categories), *times)
    for n, id_, gearbox, categories in row.vehicles:
        answer, place = places[n - 1]
        answer.vehicles[place] = Vehicle(id_, gearbox, tuple(categories))
    standings = {record[0][0]: record for record in row.standings}
    for action, answer in zip(asked, answers, strict=True):
        record = standings.get(action.school_id)
        answer.standing = None if record is None else standing(record, action.at)
    return answers


@lru_cache(maxsize=64)
def _reach(widest: Parameters) -> tuple[timedelta, timedelta, timedelta]:
    """How long an exam takes at least; how far around it somebody unavailable matters, and a booking."""
    exam, near = timedelta(minutes=widest.exam_minutes), timedelta(minutes=widest.available_margin_minutes)
    return exam, near, longest_gap(widest, MOST_KM)


def _slot(record: Sequence[Any]) -> Slot:
    id_, centre_id, name, department, latitude, longitude, starts_at, ends_at, category, kind, *seen = record
    published_at, status, seen_at, holder = seen
    centre = Centre(centre_id, name, department, latitude, longitude)
    return Slot(id_, centre, starts_at, ends_at, category, kind, published_at, Status(status), seen_at, holder or "")


def _point(latitude: float | None, longitude: float | None) -> Point | None:
    return None if latitude is None or longitude is None else Point(latitude, longitude)
