"""Everything that is known about the lines of actions: one statement, however many of either, on the path of every hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

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
from resapermis_scheduling_rules.school.queries import STANDINGS, standing

MOST_KM = 1500.0
"""Nobody drives further between two exams; France's mainland and Corsica lie within it."""
LONGEST_EXAM = timedelta(days=1)
# Parameters come as sub-selects, so that a plan made for these lines seems no cheaper than one made for all: PostgreSQL then
# keeps the latter, instead of planning a dozen joins again, which takes four times as long as executing them. Lines of all
# actions stand in one list; what is found names by `n` whose line it is for, in records, whose values come in their own types.
# Each table is asked line by line, for records of the line's own asker (`OFFSET 0` keeps it so): left to itself, PostgreSQL
# goes through whole indexes when a table was small when it planned.
_EXAM, _NEAR, _FAR, _LONGEST = (
    f"(SELECT CAST(:{name} AS interval))" for name in ("exam", "near", "far", "longest_exam")
)
_KNOWN = Statement(f"""
WITH asked AS (
  SELECT line.n, line.asker, line.at, line.candidate, line.trainer, line.vehicle, slot.*, centre.*,
         slot.starts_at AS begins, greatest(slot.ends_at, slot.starts_at + {_EXAM}) AS ends
  FROM unnest(
    (SELECT CAST(:askers AS text[])), (SELECT CAST(:moments AS timestamptz[])), (SELECT CAST(:slots AS text[])),
    (SELECT CAST(:candidates AS text[])), (SELECT CAST(:trainers AS text[])), (SELECT CAST(:vehicles AS text[]))
  ) WITH ORDINALITY AS line (asker, at, slot, candidate, trainer, vehicle, n)
  CROSS JOIN LATERAL (SELECT * FROM slot WHERE slot.id = line.slot OFFSET 0) AS slot
  CROSS JOIN LATERAL (
    SELECT name, latitude, longitude FROM centre WHERE centre.id = slot.centre_id OFFSET 0
  ) AS centre
)
SELECT ARRAY({STANDINGS}) AS standings,
  ARRAY(
    SELECT ROW(n, id, centre_id, name, department, latitude, longitude,
               starts_at, ends_at, category, kind, published_at, status, seen_at, school_id)
    FROM asked
  ) AS slots,
  ARRAY(
    SELECT ROW(asked.n, restriction.id, reason, since, until, restriction.kind, line_id IS NULL, approved_by IS NOT NULL)
    FROM asked CROSS JOIN LATERAL (
      SELECT * FROM restriction
      WHERE restriction.candidate_id = asked.candidate AND restriction.category = asked.category AND restriction.school_id = asked.asker
        AND (restriction.until IS NULL OR restriction.until > asked.at)
      OFFSET 0
    ) AS restriction
    WHERE asked.candidate <> ''
    ORDER BY until, restriction.id
  ) AS restrictions,
  ARRAY(
    SELECT ROW(asked.n, whose, met.unavailability_id, lower(met.during), upper(met.during))
    FROM asked CROSS JOIN LATERAL (
      VALUES ('candidate', candidate), ('trainer', trainer), ('vehicle', vehicle), ('school', '')
    ) AS subject (whose, named) CROSS JOIN LATERAL (
      SELECT * FROM occurrence
      WHERE occurrence.school_id = asked.asker AND occurrence.kind = whose AND occurrence.subject_id = named
        AND during && tstzrange(asked.begins - {_NEAR}, asked.ends + {_NEAR})
      OFFSET 0
    ) AS met
    WHERE whose = 'school' OR named <> ''
  ) AS unavailable,
  ARRAY(
    SELECT ROW(asked.n, whose, met.id, met.starts_at, met.ends_at, met.centre_id, there.latitude, there.longitude)
    FROM asked CROSS JOIN LATERAL (
      SELECT * FROM line
      WHERE line.school_id = asked.asker
        AND line.starts_at < asked.ends + {_FAR} AND line.ends_at > asked.begins - {_FAR}
        AND line.starts_at > asked.begins - {_FAR} - {_LONGEST}
      OFFSET 0
    ) AS met CROSS JOIN LATERAL (
      VALUES ('candidate', candidate, met.candidate_id), ('trainer', trainer, met.trainer_id),
             ('vehicle', vehicle, met.vehicle_id)
    ) AS subject (whose, named, met_there) LEFT JOIN LATERAL (
      SELECT latitude, longitude FROM centre WHERE centre.id = met.centre_id OFFSET 0
    ) AS there ON true
    WHERE named = met_there AND named <> ''
  ) AS booked,
  ARRAY(
    SELECT ROW(asked.n, term.id, term.department, term.categories, term.active_from, term.active_until, term.authorised_until)
    FROM asked CROSS JOIN LATERAL (
      SELECT * FROM trainer WHERE trainer.school_id = asked.asker AND trainer.id = asked.trainer
      ORDER BY trainer.active_from <= asked.starts_at DESC, abs(extract(epoch FROM trainer.active_from - asked.starts_at))
      LIMIT 1
    ) AS term
    WHERE asked.trainer <> ''
  ) AS trainers,
  ARRAY(
    SELECT ROW(asked.n, vehicle.id, vehicle.gearbox, vehicle.categories)
    FROM asked CROSS JOIN LATERAL (
      SELECT * FROM vehicle
      WHERE vehicle.school_id = asked.asker AND vehicle.id = asked.vehicle AND NOT vehicle.retired
      OFFSET 0
    ) AS vehicle
    WHERE asked.vehicle <> ''
  ) AS vehicles
""")  # noqa: S608 - our own words


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
    (row,) = await _KNOWN.run(engine, values | {"school_ids": list({action.school_id for action in asked})})
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
