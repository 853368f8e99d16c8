"""What occupies the people and vehicles of an action at its hours, and who they are: one statement for all its lines."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.statement import Row, Statement
from resapermis_scheduling_rules.domain import (
    Busy,
    Parameters,
    Point,
    Situation,
    Trainer,
    Vehicle,
    Want,
    What,
    Whose,
    conflicts,
    longest_gap,
    occupied,
)

MOST_KM = 1500.0
"""Nobody drives further between two exams; France's mainland and Corsica lie within it."""
LONGEST_EXAM = timedelta(days=1)
# Arrays come as sub-selects, so that a plan made for these lines seems no cheaper than one made for all: PostgreSQL then
# keeps the latter, instead of planning four joins anew, which takes longer than executing them.
_FIND = Statement("""
WITH want AS (
  SELECT * FROM unnest(
    (SELECT CAST(:n AS int[])), (SELECT CAST(:candidate AS text[])), (SELECT CAST(:trainer AS text[])), (SELECT CAST(:vehicle AS text[])),
    (SELECT CAST(:at AS timestamptz[])), (SELECT CAST(:near_since AS timestamptz[])), (SELECT CAST(:near_until AS timestamptz[])),
    (SELECT CAST(:far_since AS timestamptz[])), (SELECT CAST(:far_until AS timestamptz[]))
  ) AS want (n, candidate, trainer, vehicle, at, near_since, near_until, far_since, far_until)
), probe AS (
  SELECT n, whose, id, near_since, near_until, far_since, far_until FROM want
  CROSS JOIN LATERAL (
    VALUES ('candidate', candidate), ('trainer', trainer), ('vehicle', vehicle), ('school', '')
  ) AS subject (whose, id)
  WHERE whose = 'school' OR id <> ''
)
SELECT 'unavailable' AS what, probe.n, probe.whose, met.unavailability_id AS id,
       lower(met.during) AS starts_at, upper(met.during) AS ends_at,
       NULL AS word, CAST(NULL AS float) AS latitude, CAST(NULL AS float) AS longitude,
       CAST(NULL AS text[]) AS categories, CAST(NULL AS timestamptz) AS authorised_until
FROM probe JOIN occurrence AS met
  ON met.school_id = :school_id AND met.kind = probe.whose AND met.subject_id = probe.id
  AND met.during && tstzrange(probe.near_since, probe.near_until)
UNION ALL
SELECT 'booking', probe.n, probe.whose, line.id, line.starts_at, line.ends_at,
       line.centre_id, centre.latitude, centre.longitude, NULL, NULL
FROM probe JOIN line
  ON line.school_id = :school_id AND line.starts_at < probe.far_until AND line.ends_at > probe.far_since
  AND line.starts_at > probe.far_since - CAST(:longest_exam AS interval)
  AND CASE probe.whose WHEN 'candidate' THEN line.candidate_id WHEN 'trainer' THEN line.trainer_id
      WHEN 'vehicle' THEN line.vehicle_id END = probe.id
LEFT JOIN centre ON centre.id = line.centre_id
UNION ALL
SELECT 'trainer', want.n, NULL, term.id, term.active_from, term.active_until,
       term.department, NULL, NULL, term.categories, term.authorised_until
FROM want CROSS JOIN LATERAL (
  SELECT * FROM trainer WHERE trainer.school_id = :school_id AND trainer.id = want.trainer
  ORDER BY trainer.active_from <= want.at DESC, abs(extract(epoch FROM trainer.active_from - want.at)) LIMIT 1
) AS term
UNION ALL
SELECT 'vehicle', want.n, NULL, vehicle.id, NULL, NULL, vehicle.gearbox, NULL, NULL, vehicle.categories, NULL
FROM want JOIN vehicle ON vehicle.school_id = :school_id AND vehicle.id = want.vehicle AND NOT vehicle.retired
""")


async def situations(engine: AsyncEngine, school_id: str, wants: Sequence[tuple[Want, Parameters]]) -> list[Situation]:
    """For each want, with the parameters of its place: what stands in its way, its trainer and its vehicle.

    A trainer's term is the one in force at the slot's hour, else the nearest before it, else the first to come.
    """
    if not wants:
        return []
    near = [_around(want, parameters, parameters.available_margin_minutes) for want, parameters in wants]
    far = [_around(want, parameters, _far(parameters)) for want, parameters in wants]
    values = {
        "school_id": school_id,
        "n": list(range(len(wants))),
        "candidate": [want.candidate_id for want, _ in wants],
        "trainer": [want.trainer_id for want, _ in wants],
        "vehicle": [want.vehicle_id for want, _ in wants],
        "at": [want.slot.starts_at for want, _ in wants],
        "near_since": [since for since, _ in near],
        "near_until": [until for _, until in near],
        "far_since": [since for since, _ in far],
        "far_until": [until for _, until in far],
        "longest_exam": LONGEST_EXAM,
    }
    busy: dict[int, list[Busy]] = defaultdict(list)
    trainers: dict[int, Trainer] = {}
    vehicles: dict[int, Vehicle] = {}
    for row in await _FIND.run(engine, values):
        if row.what == "trainer":
            categories = tuple(row.categories)
            trainers[row.n] = Trainer(row.id, row.word, categories, row.starts_at, row.ends_at, row.authorised_until)
        elif row.what == "vehicle":
            vehicles[row.n] = Vehicle(row.id, row.word, tuple(row.categories))
        else:
            busy[row.n].append(_busy(row))
    return [
        Situation(
            conflicts(want.slot, [*(one for one in busy[n] if one.id not in want.own_lines), *want.beside], parameters),
            trainers.get(n),
            vehicles.get(n),
        )
        for n, (want, parameters) in enumerate(wants)
    ]


def _far(parameters: Parameters) -> int:
    return int(longest_gap(parameters, MOST_KM) / timedelta(minutes=1))


def _around(want: Want, parameters: Parameters, minutes: int) -> tuple[datetime, datetime]:
    starts, ends = occupied(want.slot, parameters)
    return starts - timedelta(minutes=minutes), ends + timedelta(minutes=minutes)


def _busy(row: Row) -> Busy:
    point = None if row.latitude is None or row.longitude is None else Point(row.latitude, row.longitude)
    return Busy(Whose(row.whose), What(row.what), row.id, row.starts_at, row.ends_at, row.word or "", point)
