"""How many replacements RdvPermis leaves a school this month: read for the act, kept for the list."""

import asyncio
from datetime import datetime, timedelta

import structlog

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket.booking.queries import find_allowance, forget_allowance, keep_allowance
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Slot
from resapermis_basket.line.queries import database_now
from resapermis_basket.peers import on_behalf
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Failure
from resapermis_places.days import month_of

log = structlog.get_logger()


class Allowances:
    """How many candidates RdvPermis still lets a school replace in a month: asked for, kept, and forgotten after a use."""

    def __init__(self, dependencies: Dependencies) -> None:
        """One in a process: a list read now is not read twice."""
        self._dependencies = dependencies
        self._reading: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def ask(self, school_id: str, slot: Slot, now: datetime) -> rdv.GetReplacementsResponse:
        """RdvPermis' answer of now, to the person who wants to use one."""
        day = slot.day_of(now).isoformat()
        request = rdv.GetReplacementsRequest(category=slot.category, date=day)
        allowance: rdv.GetReplacementsResponse = await self._dependencies.peers.rdvpermis("GetReplacements", request)
        await self._keep(school_id, slot, allowance, now)
        return allowance

    async def used(self, school_id: str, slot: Slot, now: datetime) -> None:
        """Forget what was read for the slot's category and today's month: one replacement was used, and the next reads again."""
        async with transaction(self._dependencies.engine) as tx:
            await forget_allowance(tx, school_id, slot.category, month_of(slot.day_of(now)))

    async def show(self, tx: Tx, school_id: str, slot: Slot, response: pb.ListBookingsResponse) -> None:
        """Put what is known into a list; what is old or unknown is read for the next one, while nobody waits."""
        now = await database_now(tx)
        known = await find_allowance(tx, school_id, slot.category, month_of(slot.day_of(now)))
        if known is not None:
            response.replacements_left, response.replacements_per_month = known.left, known.per_month
        fresh = timedelta(seconds=self._dependencies.settings.allowance_seconds)
        key = (school_id, slot.category)
        if (known is None or now - known.seen_at > fresh) and key not in self._reading:
            self._reading[key] = asyncio.create_task(self._read(key, slot, now))

    async def _read(self, key: tuple[str, str], slot: Slot, now: datetime) -> None:
        school_id, category = key
        request = rdv.GetReplacementsRequest(
            on_behalf=on_behalf(school_id), category=category, date=slot.day_of(now).isoformat()
        )
        try:
            allowance = await self._dependencies.peers.rdvpermis("GetReplacements", request, itself=True)
            await self._keep(school_id, slot, allowance, now)
        except Failure as failure:
            log.info("allowance.unread", school=school_id, code=failure.name)
        finally:
            self._reading.pop(key, None)

    async def _keep(self, school_id: str, slot: Slot, allowance: rdv.GetReplacementsResponse, now: datetime) -> None:
        month = month_of(slot.day_of(now))
        async with transaction(self._dependencies.engine) as tx:
            await keep_allowance(tx, school_id, slot.category, month, allowance.left, allowance.per_month, now)
