"""Lines in doubt are settled by reading at RdvPermis, outside of any transaction.

Rounds may overlap with acts of people: versions and the school's lock decide who was first.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Gauge

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.doubt import (
    RdvPermisReading,
    SeenBasket,
    SeenExam,
    SettlingRefusals,
    needs_baskets,
    needs_exams,
    pause_seconds,
    settle,
)
from resapermis_basket.domain.line import Line
from resapermis_basket.judgement import refusals
from resapermis_basket.line.queries import find_line
from resapermis_basket.peers import on_behalf
from resapermis_basket.reconcile.decision import decide_lines
from resapermis_basket.reconcile.queries import LeftOut, count_due_to_poll, doubt_all, due_to_poll
from resapermis_basket.reconcile.school_batches import SchoolBatches
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Failure

log = structlog.get_logger()
DOUBTFUL = Gauge("resapermis_basket_in_doubt", "Lines due to be polled when the reconciler last looked")
SCHOOLS_AT_ONCE = 8
LINES_A_BATCH = 12
"""As many as a school's basket has; so many days are read in a batch at most."""


def doubts(dependencies: Dependencies) -> SchoolBatches:
    """The task that reads at RdvPermis what became of lines in doubt, a few schools at a time."""

    async def due(tx: Tx, left_out: LeftOut) -> list[Line]:
        DOUBTFUL.set(await count_due_to_poll(tx))
        return await due_to_poll(tx, left_out)

    async def settle_school(school_id: str, lines: list[Line]) -> int:
        return await _settle_school(dependencies, school_id, lines)

    return SchoolBatches(dependencies.engine, "settle", due, settle_school, at_once=SCHOOLS_AT_ONCE, most=LINES_A_BATCH)


async def settle_doubts(dependencies: Dependencies) -> None:
    """Read once at RdvPermis, for every school, what is due to be read, and decide on it."""
    await doubts(dependencies).whole_round()


async def doubt_everything(dependencies: Dependencies) -> None:
    """This database was restored to the past: RdvPermis is read again before anything here is believed (E16)."""
    async with transaction(dependencies.engine) as tx:
        log.warning("restored.reads_again", holds=await doubt_all(tx))


async def _settle_school(dependencies: Dependencies, school_id: str, lines: list[Line]) -> int:
    def later(line: Line, now: datetime) -> Line:
        pause = pause_seconds(line.polls, dependencies.settings.grace_seconds)
        return replace(line, polls=line.polls + 1, next_poll_at=now + timedelta(seconds=pause))

    try:
        reading = await _read(dependencies, school_id, lines)
    except Failure as failure:
        log.info("settle.waits", school=school_id, code=failure.name, lines=len(lines))
        return await decide_lines(dependencies, school_id, lines, later)

    why = SettlingRefusals(refusals.answer_lost(), refusals.hold_gone(), refusals.basket_gone())

    def settled(line: Line, now: datetime) -> Line:
        after = settle(line, reading, why, now)
        return later(line, now) if after == line else after

    return await decide_lines(dependencies, school_id, lines, settled)


async def _read(dependencies: Dependencies, school_id: str, lines: Sequence[Line]) -> RdvPermisReading:
    """The school's baskets, and its exams of the days and categories in doubt: each read at most once."""
    behalf, peers = on_behalf(school_id), dependencies.peers
    partners = await _partners(dependencies, school_id, lines)
    baskets: list[SeenBasket] = []
    if any(needs_baskets(line) for line in lines):
        answer = await peers.rdvpermis("ListBaskets", rdv.ListBasketsRequest(on_behalf=behalf), itself=True)
        baskets = [seen_basket(basket) for basket in answer.baskets]
    exams: list[SeenExam] = []
    slots = [line.slot for line in [*lines, *partners.values()] if needs_exams(line)]
    for category, date, zone in sorted({(s.category, s.local_day.isoformat(), s.time_zone) for s in slots}):
        request = rdv.ListExamsRequest(on_behalf=behalf, category=category, date=date, time_zone=zone)
        listed = await peers.rdvpermis("ListExams", request, itself=True)
        exams += [seen_exam(exam) for exam in listed.exams if not exam.cancelled]
    return RdvPermisReading(baskets, exams, partners)


async def _partners(dependencies: Dependencies, school_id: str, lines: Sequence[Line]) -> dict[UUID, Line]:
    wanted = {line.partner_id for line in lines if line.partner_id is not None}
    if not wanted:
        return {}
    async with transaction(dependencies.engine) as tx:
        found = [await find_line(tx, school_id, line_id) for line_id in sorted(wanted)]
    return {line.id: line for line in found if line is not None}


def seen_basket(basket: rdv.RdvBasket) -> SeenBasket:
    """rdvpermis.v1.RdvBasket → SeenBasket."""
    candidates = {line.slot_id: line.rdvpermis_candidate_id for line in basket.lines}
    return SeenBasket(basket.id, basket.expires_at.ToDatetime(UTC), candidates)


def seen_exam(exam: rdv.RdvExam) -> SeenExam:
    """rdvpermis.v1.RdvExam → SeenExam."""
    return SeenExam(exam.id, exam.slot_id, exam.rdvpermis_candidate_id)
