"""How many replacements RdvPermis leaves a school in a month: read for the act, kept for the list."""

import asyncio
from collections.abc import Iterable
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
    """How many candidates RdvPermis still lets a school replace in a month: asked for, kept, and forgotten after a use.

    Of the month of the exam [default]: RdvPermis answers by a date and a category group, and does not say what the date is of.
    """

    def __init__(self, dependencies: Dependencies) -> None:
        """One in a process: a list read now is not read twice."""
        self._dependencies = dependencies
        self._reading: dict[tuple[str, str, str], asyncio.Task[None]] = {}

    async def ask(self, school_id: str, slot: Slot, now: datetime) -> rdv.GetReplacementsResponse:
        """RdvPermis' answer of now, to the person who wants to use one."""
        request = rdv.GetReplacementsRequest(category=slot.category, date=slot.local_day.isoformat())
        allowance: rdv.GetReplacementsResponse = await self._dependencies.peers.rdvpermis("GetReplacements", request)
        await self._keep(school_id, slot, allowance, now)
        return allowance

    async def used(self, school_id: str, slot: Slot) -> None:
        """Forget what was read for the slot's category and month: one replacement was used, and the next reads again."""
        async with transaction(self._dependencies.engine) as tx:
            await forget_allowance(tx, school_id, slot.category, month_of(slot.local_day))

    async def show(self, tx: Tx, school_id: str, slots: Iterable[Slot], response: pb.ListBookingsResponse) -> None:
        """Put what is known for these slots into a list; what is old or unknown is read for the next one, while nobody waits."""
        now = await database_now(tx)
        fresh = timedelta(seconds=self._dependencies.settings.allowance_seconds)
        firsts: dict[tuple[str, str], Slot] = {}
        for slot in slots:
            firsts.setdefault((slot.category, month_of(slot.local_day)), slot)
        for place, ((category, month), slot) in enumerate(firsts.items()):
            known = await find_allowance(tx, school_id, category, month)
            if known is not None:
                response.replacements.add(category=category, month=month, left=known.left, per_month=known.per_month)
                if place == 0:
                    response.replacements_left, response.replacements_per_month = known.left, known.per_month
            key = (school_id, category, month)
            if (known is None or now - known.seen_at > fresh) and key not in self._reading:
                self._reading[key] = asyncio.create_task(self._read(key, slot, now))

    async def _read(self, key: tuple[str, str, str], slot: Slot, now: datetime) -> None:
        school_id, category, _ = key
        request = rdv.GetReplacementsRequest(
            on_behalf=on_behalf(school_id), category=category, date=slot.local_day.isoformat()
        )
        try:
            allowance = await self._dependencies.peers.rdvpermis("GetReplacements", request, itself=True)
            await self._keep(school_id, slot, allowance, now)
        except Failure as failure:
            log.info("allowance.unread", school=school_id, code=failure.name)
        finally:
            self._reading.pop(key, None)

    async def _keep(self, school_id: str, slot: Slot, allowance: rdv.GetReplacementsResponse, now: datetime) -> None:
        month = month_of(slot.local_day)
        async with transaction(self._dependencies.engine) as tx:
            await keep_allowance(tx, school_id, slot.category, month, allowance.left, allowance.per_month, now)
