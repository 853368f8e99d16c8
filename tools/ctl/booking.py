"""What must hold in basket's database, whatever was asked at once.

Nothing here trusts an index or a counter: lines are read in sequence and counted anew, so a lost constraint shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from ctl.findings import Finding, of

LIVE = "('asking', 'held', 'confirming', 'booked')"
IN_BASKET = "('asking', 'held', 'confirming')"
COUNTED = "('asking', 'held', 'confirming', 'booked', 'done')"
LATEST_EXPIRY = "1 second"
"""A hold ends within this of its time (R-15)."""

# Each returns what breaks it, a text a row.
_AT_ONCE = {
    "slot_has_one_live_line": f"""
        SELECT slot_id FROM basket_line WHERE state IN {LIVE} GROUP BY slot_id HAVING count(*) > 1""",  # noqa: S608 - constants of this file
    "candidate_has_one_live_line_a_category": f"""
        SELECT concat_ws(' ', candidate_id, category) FROM basket_line
        WHERE state IN {LIVE} AND candidate_id IS NOT NULL
        GROUP BY candidate_id, category HAVING count(*) > 1""",  # noqa: S608 - constants of this file
    "quota_equals_counted_lines": f"""
        WITH really AS (
            SELECT school_id, department, month, category, count(*) AS many FROM basket_line
            WHERE state IN {COUNTED} GROUP BY school_id, department, month, category
            UNION ALL
            SELECT school_id, '', '', '', count(*) FROM basket_line WHERE state IN {IN_BASKET} GROUP BY school_id)
        SELECT concat_ws(' ', school_id, department, month, category, 'counted', coalesce(many, 0), 'kept', taken)
        FROM really FULL JOIN quota USING (school_id, department, month, category)
        WHERE coalesce(many, 0) <> coalesce(taken, 0)""",  # noqa: S608 - constants of this file
    "quota_within_cap": """
        SELECT concat_ws(' ', school_id, department, month, category, taken, 'of', cap) FROM quota WHERE taken > cap""",
    "action_has_four_lines_at_most": """
        SELECT group_id::text FROM basket_line GROUP BY group_id HAVING count(*) > 4""",
    "booking_is_nominative": """
        SELECT id::text FROM basket_line WHERE state IN ('confirming', 'booked') AND candidate_id IS NULL""",
}
_SETTLED = {
    "no_hold_past_its_time": f"""
        SELECT id::text FROM basket_line
        WHERE state = 'held' AND expires_at < clock_timestamp() - interval '{LATEST_EXPIRY}'""",  # noqa: S608 - constants of this file
    "nothing_in_doubt": """
        SELECT concat_ws(' ', id, state, changing) FROM basket_line
        WHERE ended_at IS NULL AND (state IN ('asking', 'confirming') OR changing <> '')""",
}
_LINES = """
    SELECT id::text, school_id, slot_id, state, rdvpermis_candidate_id, exam_id, basket_id, owed FROM basket_line"""


@dataclass(frozen=True)
class Line:
    """A line as far as RdvPermis and the journal must agree with it."""

    id: str
    school_id: str
    slot_id: str
    state: str
    rdvpermis_candidate_id: str
    exam_id: str
    basket_id: str
    owed: bool


@dataclass(frozen=True)
class Seen:
    """One snapshot of basket's database."""

    findings: tuple[Finding, ...]
    lines: tuple[Line, ...]
    at: datetime

    def booked(self) -> Sequence[Line]:
        """Lines that RdvPermis has an exam for."""
        return [line for line in self.lines if line.state in {"booked", "done"}]


async def read(connection: "asyncpg.Connection[Any]") -> Seen:
    """Ask everything of one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL enable_indexscan = off")
        await connection.execute("SET LOCAL enable_indexonlyscan = off")
        await connection.execute("SET LOCAL enable_bitmapscan = off")
        found = [await _ask(connection, name, question, at_once=True) for name, question in _AT_ONCE.items()]
        found += [await _ask(connection, name, question, at_once=False) for name, question in _SETTLED.items()]
        lines = [Line(*row) for row in await connection.fetch(_LINES)]
        at: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return Seen(tuple(found), tuple(lines), at)


async def _ask(connection: "asyncpg.Connection[Any]", name: str, question: str, *, at_once: bool) -> Finding:
    return of(name, (row[0] for row in await connection.fetch(question)), at_once=at_once)
