"""What was booked, cancelled, replaced or swapped at RdvPermis without us, found by reading (R-31).

A school's coming exams are read on behalf of an employee who is signed in, or who gave a grant for background work, and
compared with its lines as they were before the question. Whatever has moved meanwhile, or is in doubt, is left to the next
time: nothing here undoes an act of ours.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from google.protobuf.message import Message
from prometheus_client import Counter, Gauge

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_basket import events
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import BASKET, Line, Slot, key_of
from resapermis_basket.domain.reconciliation import NOTHING, FoundExam, changes_for, comparable, compare
from resapermis_basket.line.counters import lock_school
from resapermis_basket.line.failures import FAILED_LINES, write_apart
from resapermis_basket.line.queries import busy_beside, database_now, reread, write_changes
from resapermis_basket.peers import on_behalf
from resapermis_basket.reconcile.queries import (
    WatchedSchool,
    coming_lines,
    department_of_school,
    departments_of_centres,
    due_to_reconcile,
    keep_watching,
    lines_touched,
    make_counters,
    reconcile_soon,
    schedule_next_reconciliation,
    watch_schools_with_bookings,
)
from resapermis_kit.database.engine import autocommit
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_places.days import local_month
from resapermis_places.table import zone_of

log = structlog.get_logger()
OUTSIDE = Counter("resapermis_basket_outside_changes_total", "Changes found at RdvPermis, by what they are", ["state"])
OVERDUE = Gauge(
    "resapermis_basket_reconciliations_due", "Schools whose reconciliation with RdvPermis was due in the last round"
)
AT_ONCE, A_ROUND = 8, 64
ROUND_SECONDS = 60.0
"""So long a round goes on to the next schools that are due, before it pauses."""
SEARCH_EVERY_SECONDS = 60.0
"""How often schools with bookings that are not watched yet are searched for: it reads every live booking."""
MARGIN = timedelta(minutes=5)
"""Exams that begin sooner may leave RdvPermis' list of coming ones while we read it."""
LATELY = timedelta(minutes=2)
"""So long after an act of ours its slot is left alone: the list may have been read before."""
LONGEST_PAUSE = timedelta(hours=2)
BUDGET_PAUSE = timedelta(minutes=1)
YIELDS = 1 / 20
"""Part of the interval by which a school is due early, so that it may let holds go first and still be in time."""


class Reconciliation:
    """Reconciles schools with RdvPermis, whichever is due."""

    def __init__(self, dependencies: Dependencies, idle: Callable[[float], Awaitable[None]]) -> None:
        """`idle`: waits until no hold is in progress, at most the given seconds."""
        self._dependencies, self._idle = dependencies, idle
        self._searched_at = -SEARCH_EVERY_SECONDS

    async def round(self) -> None:
        """One round over the schools that are due: those that nobody connected are many at night, and each takes a moment."""
        began = time.monotonic()
        while await self._some() == A_ROUND and time.monotonic() - began < ROUND_SECONDS:
            pass

    async def _some(self) -> int:
        """Reconcile the schools that are due longest; return how many."""
        dependencies, settings = self._dependencies, self._dependencies.settings
        async with transaction(dependencies.engine) as tx:
            if time.monotonic() - self._searched_at >= SEARCH_EVERY_SECONDS:
                await watch_schools_with_bookings(tx)
                self._searched_at = time.monotonic()
            due = await due_to_reconcile(tx, timedelta(days=settings.reconcile_active_days), A_ROUND)
        OVERDUE.set(len(due))
        free = asyncio.Semaphore(AT_ONCE)

        read_at = time.monotonic()

        async def one(school: WatchedSchool) -> None:
            async with free:
                waited = school.overdue_seconds + time.monotonic() - read_at
                await self._idle(settings.reconcile_every_seconds * YIELDS - waited)
                await _reconcile_and_put_off(dependencies, school)

        await asyncio.gather(*(one(school) for school in due))
        return len(due)


def next_pause(
    every: timedelta, failures: int = 0, code: Code.ValueType = Code.CODE_UNSPECIFIED
) -> tuple[timedelta, int]:
    """Until when a school is due again, and its failures in a row then; `failures`: those before, `code`: why it failed now.

    Whether anybody of a school connected, and whether RdvPermis answers at all, egress knows without a call of theirs: both
    are asked about as often as ever, so that a school is reconciled within the interval of a sign-in, of a grant, or of the
    end of a disturbance, however long it lasted.
    """
    if code in {Code.CODE_UNSPECIFIED, Code.CODE_RECONNECT_NEEDED, Code.CODE_RDVPERMIS_DOWN}:
        return every * (1 - YIELDS), 0
    if code == Code.CODE_RDVPERMIS_BUDGET:  # people went first; it fills again within the minute
        return min(every, BUDGET_PAUSE), 0
    return min(every * 2 ** min(failures, 8), max(LONGEST_PAUSE, every)), failures + 1


async def _reconcile_and_put_off(dependencies: Dependencies, school: WatchedSchool) -> None:
    every = timedelta(seconds=dependencies.settings.reconcile_every_seconds)
    pause, failures = next_pause(every)
    try:
        await reconcile_school(dependencies, school.school_id)
    except Failure as failure:
        log.info("reconcile.waits", school=school.school_id, code=failure.name)
        pause, failures = next_pause(every, school.failures, failure.code)
    except Exception as error:  # noqa: BLE001 - a school whose reconciliation breaks ends the round for no other
        log.error("reconcile.failed", school=school.school_id, error_type=type(error).__qualname__)
        FAILED_LINES.labels("outside").inc()
        failures = school.failures + 1
    async with transaction(autocommit(dependencies.engine)) as tx:
        await schedule_next_reconciliation(tx, school.school_id, pause, failures)


async def reconcile_school(dependencies: Dependencies, school_id: str) -> int:
    """Reconcile one school with RdvPermis; return how many changes were found.

    Failure when RdvPermis, its budget, a token of the school or mandate is not to be had: then nothing is concluded.
    """
    budget = await _ask(dependencies, "GetBudget", rdv.GetBudgetRequest(on_behalf=on_behalf(school_id)))
    if not budget.connected:
        raise Failure(Code.CODE_RECONNECT_NEEDED, "nobody of the school is connected")
    if not budget.reachable:
        raise Failure(Code.CODE_RDVPERMIS_DOWN, "RdvPermis does not answer")
    async with transaction(dependencies.engine) as tx:
        if budget.granted:
            await keep_watching(tx, school_id)
        asked_at = await database_now(tx)
        before = await coming_lines(tx, school_id)
        department = await department_of_school(tx, school_id)
    if not department:
        known = await _ask(dependencies, "GetSchool", rdv.GetSchoolRequest(on_behalf=on_behalf(school_id)))
        department = known.department
    usual = [word for word in dependencies.settings.reconcile_categories.split(",") if word]
    categories = sorted({line.slot.category for line in before} | set(usual))
    exams = await _seen(dependencies, school_id, before, categories, department, asked_at)
    seen = compare(before, exams, asked_at + MARGIN)
    if seen == NOTHING:
        return 0
    candidates = await _candidates(dependencies, school_id, before, exams)

    async def write(slots: Sequence[str]) -> int:
        return await _write(dependencies, school_id, asked_at, before, exams, candidates, slots)

    def failed(slots: Sequence[str], error: Exception) -> None:
        code = error.name if isinstance(error, Failure) else ""
        FAILED_LINES.labels("outside").inc(len(slots))
        log.error("outside_change.failed", slots=slots, error_type=type(error).__qualname__, code=code)

    return await write_apart([sorted(slots) for slots in seen.slots_apart()], write, failed)


async def _ask(dependencies: Dependencies, method: str, request: Message) -> Any:
    return await dependencies.peers.rdvpermis(method, request, itself=True)


async def _seen(
    dependencies: Dependencies,
    school_id: str,
    before: Sequence[Line],
    categories: Sequence[str],
    department: str,
    asked_at: datetime,
) -> list[FoundExam]:
    """All coming exams that are not cancelled.

    A list read page by page may miss one while others come and go, so the day of a booking that is missing is read
    once more before it is taken for gone.
    """
    exams: dict[str, FoundExam] = {}
    for category in categories:
        exams |= await _exams(dependencies, school_id, before, category, department)
    missing = compare(before, exams.values(), asked_at + MARGIN).gone
    for category, day in sorted({(line.slot.category, line.slot.local_day.isoformat()) for line in missing}):
        exams |= await _exams(dependencies, school_id, before, category, department, day)
    return list(exams.values())


async def _exams(
    dependencies: Dependencies, school_id: str, before: Sequence[Line], category: str, department: str, day: str = ""
) -> dict[str, FoundExam]:
    """Exams by id. One whose slot RdvPermis does not show is known by its id, or left out."""
    zone, found = zone_of(department), {}
    known = {line.exam_id: line.slot for line in before if line.exam_id}
    request = rdv.ListExamsRequest(on_behalf=on_behalf(school_id), category=category, date=day, time_zone=zone)
    listed = await _ask(dependencies, "ListExams", request)
    centres = await _departments(dependencies, school_id, {exam.slot.centre_id for exam in listed.exams})
    for exam in listed.exams:
        if exam.cancelled:
            continue
        slot = known.get(exam.id)
        if exam.slot_id and exam.HasField("starts_at"):
            slot = slot_of(exam, category, centres.get(exam.slot.centre_id, department))
        if slot is not None:
            found[exam.id] = FoundExam(exam.id, slot, exam.rdvpermis_candidate_id)
    return found


async def _departments(dependencies: Dependencies, school_id: str, centre_ids: set[str]) -> dict[str, str]:
    if not centre_ids - {""}:
        return {}
    async with transaction(dependencies.engine) as tx:
        return await departments_of_centres(tx, school_id, centre_ids - {""})


async def _candidates(
    dependencies: Dependencies, school_id: str, before: Sequence[Line], exams: Sequence[FoundExam]
) -> dict[str, UUID]:
    """Our ids of the candidates that RdvPermis names: from the lines, and of mandate where they do not say."""
    known = {line.rdvpermis_candidate_id: line.candidate_id for line in before if line.candidate_id is not None}
    unknown = sorted(
        {
            (exam.rdvpermis_candidate_id, exam.slot.category)
            for exam in exams
            if exam.rdvpermis_candidate_id and exam.rdvpermis_candidate_id not in known
        }
    )
    return known | await dependencies.peers.known_candidates(school_id, unknown)


async def _write(
    dependencies: Dependencies,
    school_id: str,
    asked_at: datetime,
    before: Sequence[Line],
    exams: Sequence[FoundExam],
    candidates: Mapping[str, UUID],
    slots: Collection[str],
) -> int:
    async with transaction(dependencies.engine) as tx:
        await make_counters(tx, school_id, {BASKET} | {key_of(exam.slot) for exam in exams})
        await lock_school(tx, school_id)
        now = await database_now(tx)
        same = {line.id: line.version for line in before}
        fresh = [line for line in await reread(tx, before) if line.version == same[line.id]]
        ours = [line for line in fresh if comparable(line, now + MARGIN)]
        theirs = await _not_ours_to_judge(tx, school_id, asked_at, ours, exams)
        outside = compare(ours, theirs, now + MARGIN).of_slots(slots)
        ended = {line.id for line in outside.gone} | {line.id for line, _ in [*outside.replaced, *outside.swapped]}
        busy = await busy_beside(tx, candidates.values(), ended)
        new_id = dependencies.new_id
        changes = changes_for(outside, candidates, busy, school_id, new_id, now)
        for change in changes:
            OUTSIDE.labels(change.after.state).inc()
        await write_changes(tx, dependencies.outbox, changes, events.of_changes(changes, events.RDVPERMIS), now)
    return len(changes)


async def _not_ours_to_judge(
    tx: Tx, school_id: str, asked_at: datetime, ours: Sequence[Line], exams: Sequence[FoundExam]
) -> list[FoundExam]:
    """Leave out exams about which a line says, or lately said, something else than the compared ones do.

    A slot that another school of ours has booked is reconciled for that school first.
    """
    compared = {line.id for line in ours}
    slots, ids = [exam.slot.id for exam in exams], [exam.id for exam in exams]
    found = await lines_touched(tx, school_id, slots, ids, asked_at - LATELY)
    others = [line for line in found if line.id not in compared and (line.school_id == school_id or line.live)]
    for line in others:
        if line.school_id != school_id and line.live:
            await reconcile_soon(tx, line.school_id, timedelta())
    mine = {line.slot.id for line in ours}
    left = {line.slot.id for line in others} | {line.exam_id for line in others if line.exam_id}
    return [exam for exam in exams if exam.slot.id in mine or not {exam.slot.id, exam.id} & left]


def slot_of(exam: rdv.RdvExam, category: str, department: str) -> Slot:
    """The slot of an exam found, as a line keeps it."""
    shown, zone = exam.slot, zone_of(department)
    starts_at = exam.starts_at.ToDatetime(UTC)
    ends_at = shown.ends_at.ToDatetime(UTC) if shown.HasField("ends_at") else starts_at
    slot_id = exam.slot_id or shown.id
    snapshot = scheduling_pb2.Slot(
        id=slot_id,
        centre=scheduling_pb2.Centre(id=shown.centre_id, name=shown.centre_name, department=department),
        time_zone=zone,
        category=shown.category or category,
        kind=shown.kind,
        status=scheduling_pb2.SLOT_STATUS_OURS,
    )
    snapshot.starts_at.FromDatetime(starts_at)
    snapshot.ends_at.FromDatetime(ends_at)
    return Slot(
        slot_id,
        department,
        shown.category or category,
        local_month(starts_at, department),
        starts_at,
        ends_at,
        zone,
        shown.centre_name,
        snapshot.SerializeToString(deterministic=True),
        shown.centre_id,
        shown.kind,
    )
