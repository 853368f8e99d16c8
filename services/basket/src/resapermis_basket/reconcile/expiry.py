"""Holds whose time has come end, their schools are warned before; booked exams that have begun are done."""

from dataclasses import replace
from datetime import datetime

from prometheus_client import Gauge

from resapermis.basket.v1.events_pb2 import GroupExpiring
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Line, State, give_back_later, move
from resapermis_basket.domain.result import first_poll
from resapermis_basket.judgement import refusals
from resapermis_basket.line.queries import database_now
from resapermis_basket.reconcile.decision import decide_lines
from resapermis_basket.reconcile.queries import DUE_AT_ONCE, due_to_be_done, due_to_expire, take_warnings
from resapermis_basket.reconcile.school_batches import SchoolBatches
from resapermis_kit.database.transaction import transaction

LATE = Gauge("resapermis_basket_expiry_late_seconds", "How late the last expired hold was")
SCHOOLS_AT_ONCE = 4
"""So many connections of the pool: a school that is locked by an act of its own is waited for beside the others."""


def expiring_holds(dependencies: Dependencies) -> SchoolBatches:
    """The task that ends every hold whose time has come. Giving back follows by itself."""

    def ended(line: Line, now: datetime) -> Line:
        if line.state is not State.HELD or line.expires_at is None or line.expires_at > now:
            return line
        LATE.set((now - line.expires_at).total_seconds())
        return give_back_later(move(line, State.EXPIRED, now, refusals.hold_expired()), now)

    async def expire(school_id: str, lines: list[Line]) -> int:
        return await decide_lines(dependencies, school_id, lines, ended)

    return SchoolBatches(
        dependencies.engine, "expire", due_to_expire, expire, at_once=SCHOOLS_AT_ONCE, most=DUE_AT_ONCE
    )


async def expire_holds(dependencies: Dependencies) -> int:
    """End every hold that is due; return how many ended."""
    return await expiring_holds(dependencies).whole_round()


async def warn_of_expiry(dependencies: Dependencies) -> int:
    """Publish once of each group that it expires soon; return of how many."""
    async with transaction(dependencies.engine) as tx:
        now = await database_now(tx)
        soon = await take_warnings(tx, dependencies.settings.warn_seconds)
        expiring = []
        for group_id, school_id, expires_at in soon:
            expiring.append(GroupExpiring(group_id=str(group_id), school_id=school_id))
            expiring[-1].expires_at.FromDatetime(expires_at)
        await dependencies.outbox.add(tx, now, *expiring)
    return len(soon)


def begun_exams(dependencies: Dependencies) -> SchoolBatches:
    """The task that ends booked lines whose exam has begun: nothing changes them any more (R-12)."""

    def done(line: Line, now: datetime) -> Line:
        begun = line.state is State.BOOKED and not line.changing and line.slot.starts_at <= now
        if not begun:
            return line
        return replace(move(line, State.DONE, now), next_poll_at=first_poll(line, dependencies.result_pauses))

    async def finish(school_id: str, lines: list[Line]) -> int:
        return await decide_lines(dependencies, school_id, lines, done)

    return SchoolBatches(
        dependencies.engine, "finish", due_to_be_done, finish, at_once=SCHOOLS_AT_ONCE, most=DUE_AT_ONCE
    )


async def finish_begun_exams(dependencies: Dependencies) -> None:
    """Mark as done every booking whose exam has begun."""
    await begun_exams(dependencies).whole_round()
