"""What mandate does unasked: it polls RdvPermis for the mandates that are due."""

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure
from resapermis_mandate import queries
from resapermis_mandate.mandates import Mandates
from resapermis_vault.errors import Unreadable

log = structlog.get_logger()


class MandatePolls:
    """The leader task that reads RdvPermis for every school."""

    def __init__(self, engine: AsyncEngine, mandates: Mandates, now: Clock, most: int) -> None:
        """`most`: mandates polled in a round."""
        self._engine, self._mandates, self._now, self._most = engine, mandates, now, most

    async def poll_due(self) -> int:
        """Poll the most overdue mandates; return how many. One that cannot be read is put off, the others go on."""
        async with transaction(self._engine) as tx:
            due = await queries.due_mandates(tx, self._now(), self._most)
        for mandate in due:
            try:
                await self._mandates.poll(mandate)
            except (Failure, Unreadable) as error:
                code = error.name if isinstance(error, Failure) else "UNREADABLE"
                log.info("mandate.poll_put_off", mandate=str(mandate.id), error_code=code)
                async with transaction(self._engine) as tx:
                    pause = timedelta(seconds=min(5 * 2 ** min(mandate.polls, 6), 300))
                    await queries.postpone_poll(tx, mandate.id, self._now() + pause)
        return len(due)
