"""Schools with what their thresholds rest on: what RdvPermis says of them, and the FTE computed from declared hours.

Each school is one record with its thresholds and FTEs in it, so that it can be read along with something else.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx
from resapermis_scheduling_rules.domain.parameters import Dated, Parameter, Rulebook
from resapermis_scheduling_rules.domain.quota import ComputedFte, Place, SeenThreshold
from resapermis_scheduling_rules.domain.slots import School
from resapermis_scheduling_rules.domain.standing import Standing

REACHED_HOLDS = timedelta(minutes=10)
"""How long RdvPermis' "threshold reached" on a slot is believed without being seen again."""
STANDINGS = """
SELECT ROW(
  ROW(school.id, school.department, school.licence_number, school.fte, school.licensed_until, school.latitude, school.longitude),
  school.seen_at,
  ARRAY(
    SELECT ROW(department, month, category, rdvpermis_limit, elsewhere, fte, reached_at, seen_at)
    FROM threshold WHERE threshold.school_id = school.id
  ),
  ARRAY(SELECT ROW(department, category, hundredths, computed_at) FROM fte WHERE fte.school_id = school.id)
) FROM school WHERE school.id = ANY(CAST((SELECT CAST(:school_ids AS text[])) AS text[]))
"""
"""Records that `standing` reads, of those of `school_ids` that are known; part of a larger statement."""
_ALONE = Statement(f"SELECT ARRAY({STANDINGS}) AS standings")
_WITH_COUNTS = sa.text(f"""
SELECT ARRAY({STANDINGS}) AS standings,
  ARRAY(
    SELECT ROW(school_id, department, month, category, count(*)) FROM line
    WHERE school_id = ANY(CAST(:school_ids AS text[])) AND month = ANY(CAST(:months AS text[]))
    GROUP BY school_id, department, month, category
  ) AS counts,
  ARRAY(
    SELECT ROW(name, department, category, value, valid_from) FROM parameter WHERE approved_by IS NOT NULL
  ) AS parameters
""")  # noqa: S608 - our own words
Key = tuple[str, Place]
"""A school's threshold."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Standings of some schools, how many lines count for some of their thresholds, and every parameter."""

    standings: Mapping[str, Standing]
    counts: Mapping[Key, int]
    rulebook: Rulebook


def standing(record: Any, now: datetime) -> Standing:
    """One record of `STANDINGS`."""
    school, seen_at, thresholds, ftes = record
    return Standing(
        School(*school),
        {
            Place(department, month, category): SeenThreshold(
                limit, elsewhere, fte, reached_at is not None and reached_at > now - REACHED_HOLDS, threshold_seen_at
            )
            for department, month, category, limit, elsewhere, fte, reached_at, threshold_seen_at in thresholds
        },
        seen_at,
        {
            (department, category): ComputedFte(Decimal(hundredths) / 100, computed_at)
            for department, category, hundredths, computed_at in ftes
        },
    )


async def of_school(engine: AsyncEngine, school_id: str, now: datetime) -> Standing | None:
    """One school's; None where it was never seen."""
    (row,) = await _ALONE.run(engine, {"school_ids": [school_id]})
    return next((standing(record, now) for record in row.standings), None)


async def counted(tx: Tx, keys: Collection[Key], now: datetime) -> Counted:
    """What says whether these thresholds are reached: one statement, on the path of every change of a line."""
    values = {
        "school_ids": sorted({school_id for school_id, _ in keys}),
        "months": sorted({place.month for _, place in keys}),
    }
    row = (await tx.execute(_WITH_COUNTS, values)).one()
    counts = {(school_id, Place(*place)): count for school_id, *place, count in row.counts}
    known = [standing(record, now) for record in row.standings]
    return Counted(
        {one.school.id: one for one in known},
        {key: counts.get(key, 0) for key in keys},
        Rulebook([Dated(Parameter(*value), valid_from) for *value, valid_from in row.parameters]),
    )
