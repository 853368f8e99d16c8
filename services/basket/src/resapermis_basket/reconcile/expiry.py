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
from resapermis_basket.reconcile.decision import decide_by_school
from resapermis_basket.reconcile.queries import due_to_be_done, due_to_expire, take_warnings
from resapermis_kit.database.transaction import transaction

LATE = Gauge("resapermis_basket_expiry_late_seconds", "How late the last expired hold was")


async def expire_holds(dependencies: Dependencies) -> int:
    """End every hold whose time has come, school by school; return how many. Giving back follows by itself."""
    async with transaction(dependencies.engine) as tx:
        due = await due_to_expire(tx)

    def ended(line: Line, now: datetime) -> Line:
        if line.state is not State.HELD or line.expires_at is None or line.expires_at > now:
            return line
        LATE.set((now - line.expires_at).total_seconds())
        return give_back_later(move(line, State.EXPIRED, now, refusals.hold_expired()), now)

    return await decide_by_school(dependencies, due, ended)


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


async def expire_and_warn(dependencies: Dependencies) -> None:
    """End the holds whose time has passed, then publish which groups end soon; what raises leaves the rest to the next round."""
    await expire_holds(dependencies)
    await warn_of_expiry(dependencies)


async def finish_begun_exams(dependencies: Dependencies) -> None:
    """Booked exams that have begun are done: nothing changes them any more (R-12)."""
    async with transaction(dependencies.engine) as tx:
        due = await due_to_be_done(tx)

    def done(line: Line, now: datetime) -> Line:
        begun = line.state is State.BOOKED and not line.changing and line.slot.starts_at <= now
        if not begun:
            return line
        return replace(move(line, State.DONE, now), next_poll_at=first_poll(line, dependencies.result_pauses))

    await decide_by_school(dependencies, due, done)
