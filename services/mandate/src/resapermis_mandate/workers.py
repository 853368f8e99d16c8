"""What mandate does unasked: it polls RdvPermis for the mandates that are due."""

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_mandate import queries
from resapermis_mandate.domain import Mandate
from resapermis_mandate.mandates import Mandates
from resapermis_vault.errors import Unreadable

log = structlog.get_logger()
UNCONNECTED_PAUSE = timedelta(minutes=5)
"""So long a school's mandates wait when nobody of it is signed in and no grant stands: egress answers that without RdvPermis."""


class MandatePolls:
    """The leader task that reads RdvPermis for every school."""

    def __init__(self, engine: AsyncEngine, mandates: Mandates, now: Clock, most: int) -> None:
        """`most`: mandates polled in a round."""
        self._engine, self._mandates, self._now, self._most = engine, mandates, now, most

    async def poll_due(self) -> int:
        """Poll the most overdue mandates; return how many. One that cannot be read is put off, the others go on.

        A school that nobody connected is asked for once: its other mandates wait with the first, and take nobody's turn.
        """
        polled = 0
        while polled < self._most and (due := await self._due(self._most - polled)):
            unconnected = set[
                str
            ]()  # of these: one that is due again meanwhile was changed by somebody, and is asked for
            for mandate in due:
                if mandate.school_id in unconnected:
                    continue
                polled += 1
                if await self._poll(mandate) == Code.CODE_RECONNECT_NEEDED:
                    unconnected.add(mandate.school_id)
        return polled

    async def _due(self, most: int) -> list[Mandate]:
        async with transaction(self._engine) as tx:
            return await queries.due_mandates(tx, self._now(), most)

    async def _poll(self, mandate: Mandate) -> Code.ValueType:
        """Poll one mandate, or put it off; why it could not be polled, as far as that is a code."""
        try:
            await self._mandates.poll(mandate)
        except Failure as failure:
            await self._put_off(mandate, failure.name, whole_school=failure.code == Code.CODE_RECONNECT_NEEDED)
            return failure.code
        except Unreadable:
            await self._put_off(mandate, "UNREADABLE")
        return Code.CODE_UNSPECIFIED

    async def _put_off(self, mandate: Mandate, why: str, *, whole_school: bool = False) -> None:
        log.info("mandate.poll_put_off", mandate=str(mandate.id), error_code=why)
        async with transaction(self._engine) as tx:
            if whole_school:
                await queries.postpone_polls(tx, mandate.school_id, self._now() + UNCONNECTED_PAUSE)
            else:
                pause = timedelta(seconds=min(5 * 2 ** min(mandate.polls, 6), 300))
                await queries.postpone_poll(tx, mandate.id, self._now() + pause)
