"""Everything that is known about the lines of an action: one statement, however many lines, on the path of every hold."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.statement import Statement
from resapermis_scheduling_rules.domain import (
    Bar,
    Busy,
    Centre,
    Parameters,
    Point,
    Situation,
    Slot,
    Standing,
    Status,
    Trainer,
    Vehicle,
    Want,
    What,
    Whose,
    conflicts,
    longest_gap,
)
from resapermis_scheduling_rules.store.standings import STANDINGS, standing

MOST_KM = 1500.0
"""Nobody drives further between two exams; France's mainland and Corsica lie within it."""
LONGEST_EXAM = timedelta(days=1)
# Parameters come as sub-selects, so that a plan made for these lines seems no cheaper than one made for all: PostgreSQL then
# keeps the latter, instead of planning a dozen joins anew, which takes four times as long as executing them. Each answer is
# an array of records, whose values come in their own types.
_SCHOOL = "(SELECT CAST(:school_id AS text))"
_EXAM, _NEAR, _FAR, _LONGEST = (
    f"(SELECT CAST(:{name} AS interval))" for name in ("exam", "near", "far", "longest_exam")
)
_KNOWN = Statement(f"""
WITH asked AS (
  SELECT line.n, line.candidate, line.trainer, line.vehicle, slot.*,
         centre.name, centre.latitude, centre.longitude,
         slot.starts_at AS begins, greatest(slot.ends_at, slot.starts_at + {_EXAM}) AS ends
  FROM unnest(
    (SELECT CAST(:slots AS text[])), (SELECT CAST(:candidates AS text[])),
    (SELECT CAST(:trainers AS text[])), (SELECT CAST(:vehicles AS text[]))
  ) WITH ORDINALITY AS line (slot, candidate, trainer, vehicle, n)
  JOIN slot ON slot.id = line.slot JOIN centre ON centre.id = slot.centre_id
), probe AS (
  SELECT n, whose, id, begins, ends FROM (
    SELECT n, begins, ends, candidate, trainer, vehicle FROM asked
  ) AS line CROSS JOIN LATERAL (
    VALUES ('candidate', candidate), ('trainer', trainer), ('vehicle', vehicle), ('school', '')
  ) AS subject (whose, id)
  WHERE whose = 'school' OR id <> ''
)
SELECT ARRAY({STANDINGS}) AS standings,
  ARRAY(
    SELECT ROW(n, id, centre_id, name, department, latitude, longitude,
               starts_at, ends_at, category, kind, published_at, status, seen_at, school_id)
    FROM asked
  ) AS slots,
  ARRAY(
    SELECT ROW(candidate_id, category, id, reason, since, until, kind, line_id IS NULL, approved_by IS NOT NULL)
    FROM bar
    WHERE school_id = {_SCHOOL} AND candidate_id = ANY(CAST((SELECT CAST(:candidates AS text[])) AS text[]))
      AND (until IS NULL OR until > (SELECT CAST(:now AS timestamptz)))
    ORDER BY until, id
  ) AS bars,
  ARRAY(
    SELECT ROW(probe.n, probe.whose, met.unavailability_id, lower(met.during), upper(met.during))
    FROM probe JOIN occurrence AS met
      ON met.school_id = {_SCHOOL} AND met.kind = probe.whose AND met.subject_id = probe.id
      AND met.during && tstzrange(probe.begins - {_NEAR}, probe.ends + {_NEAR})
  ) AS unavailable,
  ARRAY(
    SELECT ROW(probe.n, probe.whose, line.id, line.starts_at, line.ends_at, line.centre_id, centre.latitude, centre.longitude)
    FROM probe JOIN line
      ON line.school_id = {_SCHOOL}
      AND line.starts_at < probe.ends + {_FAR} AND line.ends_at > probe.begins - {_FAR}
      AND line.starts_at > probe.begins - {_FAR} - {_LONGEST}
      AND CASE probe.whose WHEN 'candidate' THEN line.candidate_id WHEN 'trainer' THEN line.trainer_id
          WHEN 'vehicle' THEN line.vehicle_id END = probe.id
    LEFT JOIN centre ON centre.id = line.centre_id
  ) AS booked,
  ARRAY(
    SELECT ROW(asked.n, term.id, term.department, term.categories, term.active_from, term.active_until, term.authorised_until)
    FROM asked CROSS JOIN LATERAL (
      SELECT * FROM trainer WHERE trainer.school_id = {_SCHOOL} AND trainer.id = asked.trainer
      ORDER BY trainer.active_from <= asked.starts_at DESC, abs(extract(epoch FROM trainer.active_from - asked.starts_at))
      LIMIT 1
    ) AS term
  ) AS trainers,
  ARRAY(
    SELECT ROW(asked.n, vehicle.id, vehicle.gearbox, vehicle.categories)
    FROM asked JOIN vehicle
      ON vehicle.school_id = {_SCHOOL} AND vehicle.id = asked.vehicle AND NOT vehicle.retired
  ) AS vehicles
""")  # noqa: S608 - our own words


class Line(NamedTuple):
    """What of a line of an action is looked up; empty where nobody is named."""

    slot_id: str
    candidate_id: str = ""
    trainer_id: str = ""
    vehicle_id: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the statement found."""

    standing: Standing | None
    """Of the school; None where it was never seen."""
    slots: Mapping[str, Slot]
    """By id; those that no look ever brought are missing."""
    bars: Mapping[tuple[str, str], Sequence[Bar]]
    """Of each candidate and category, those that have not ended, longest last; lifted ones too."""
    busy: Mapping[int, Sequence[Busy]]
    """By place of the line in the action: all that may matter around its hour, and more."""
    trainers: Mapping[int, Trainer]
    """As above. The term in force at the slot's hour, else the nearest before it, else the first to come."""
    vehicles: Mapping[int, Vehicle]

    def situation(self, n: int, want: Want, parameters: Parameters) -> Situation:
        """What stands in the way of line `n`, its trainer and its vehicle; `parameters`: of the slot's place."""
        others = [one for one in self.busy.get(n, ()) if one.id not in want.own_lines]
        met = conflicts(want.slot, [*others, *want.beside], parameters)
        return Situation(met, self.trainers.get(n), self.vehicles.get(n))


async def known(engine: AsyncEngine, school_id: str, lines: Sequence[Line], widest: Parameters, now: datetime) -> Known:
    """Look up these lines of a school's action.

    `widest`: of the parameters in force anywhere, those that reach furthest around an exam (`Rulebook.widest`). Which
    apply to a line, only its slot's place tells; so what is found around its hour may be more than what meets it.
    """
    values = {
        "school_id": school_id,
        "school_ids": [school_id],
        "slots": [line.slot_id for line in lines],
        "candidates": [line.candidate_id for line in lines],
        "trainers": [line.trainer_id for line in lines],
        "vehicles": [line.vehicle_id for line in lines],
        "now": now,
        "exam": timedelta(minutes=widest.exam_minutes),
        "near": timedelta(minutes=widest.available_margin_minutes),
        "far": longest_gap(widest, MOST_KM),
        "longest_exam": LONGEST_EXAM,
    }
    (row,) = await _KNOWN.run(engine, values)
    busy: dict[int, list[Busy]] = defaultdict(list)
    for n, whose, id_, starts_at, ends_at in row.unavailable:
        busy[n - 1].append(Busy(Whose(whose), What.UNAVAILABLE, id_, starts_at, ends_at))
    for n, whose, id_, starts_at, ends_at, centre_id, *place in row.booked:
        busy[n - 1].append(Busy(Whose(whose), What.BOOKING, id_, starts_at, ends_at, centre_id or "", _point(*place)))
    return Known(
        next((standing(record, now) for record in row.standings), None),
        {slot.id: slot for slot in map(_slot, row.slots)},
        _bars(row.bars),
        busy,
        {
            n - 1: Trainer(id_, department, tuple(categories), *times)
            for n, id_, department, categories, *times in row.trainers
        },
        {n - 1: Vehicle(id_, gearbox, tuple(categories)) for n, id_, gearbox, categories in row.vehicles},
    )


def _slot(record: Any) -> Slot:
    _, id_, centre_id, name, department, latitude, longitude, starts_at, ends_at, category, kind, *seen = record
    published_at, status, seen_at, holder = seen
    centre = Centre(centre_id, name, department, latitude, longitude)
    return Slot(id_, centre, starts_at, ends_at, category, kind, published_at, Status(status), seen_at, holder or "")


def _bars(records: Sequence[Any]) -> dict[tuple[str, str], list[Bar]]:
    found: dict[tuple[str, str], list[Bar]] = defaultdict(list)
    for candidate_id, category, id_, reason, since, until, kind, from_rdvpermis, lifted in records:
        found[candidate_id, category].append(Bar(str(id_), reason, since, until, kind, from_rdvpermis, lifted))
    return found


def _point(latitude: float | None, longitude: float | None) -> Point | None:
    return None if latitude is None or longitude is None else Point(latitude, longitude)
