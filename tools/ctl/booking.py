"""What must hold in basket's database, whatever was asked at once.

The questions are basket's own (`resapermis_basket.invariants`); here every row is read in sequence, so that a
broken index shows too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from ctl.findings import Finding, of
from resapermis_basket import invariants

_IN_DOUBT = """
    SELECT concat_ws(' ', id, state, changing) FROM basket_line
    WHERE ended_at IS NULL AND (state IN ('asking', 'confirming') OR changing <> '')"""
_SETTLED = {**invariants.IN_TIME, "nothing_in_doubt": _IN_DOUBT}
"""True once what is under way has arrived."""
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
    """Findings, lines and their moment, of one snapshot of basket's database."""

    findings: tuple[Finding, ...]
    lines: tuple[Line, ...]
    at: datetime

    def booked(self) -> Sequence[Line]:
        """Lines that RdvPermis has an exam for."""
        return [line for line in self.lines if line.state in {"booked", "done"}]


async def read(connection: "asyncpg.Connection[Any]") -> Seen:
    """Read findings, lines and the moment from one snapshot, without indexes."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL enable_indexscan = off")
        await connection.execute("SET LOCAL enable_indexonlyscan = off")
        await connection.execute("SET LOCAL enable_bitmapscan = off")
        found = [await ask(connection, name, question, at_once=True) for name, question in invariants.ALWAYS.items()]
        found += [await ask(connection, name, question, at_once=False) for name, question in _SETTLED.items()]
        lines = [Line(*row) for row in await connection.fetch(_LINES)]
        at: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return Seen(tuple(found), tuple(lines), at)


async def ask(connection: "asyncpg.Connection[Any]", name: str, question: str, *, at_once: bool) -> Finding:
    """What a question of an invariant brings."""
    return of(name, (row[0] for row in await connection.fetch(question)), at_once=at_once)
