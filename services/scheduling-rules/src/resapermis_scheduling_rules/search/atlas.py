"""Every exam centre we know of, remembered: a search names hundreds of slots and few centres."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_scheduling_rules.domain.slots import Centre
from resapermis_scheduling_rules.store import search as store

KEPT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Atlas:
    """Centres by id, and those open for a category."""

    centres: Mapping[str, Centre]
    offering: Mapping[str, Sequence[Centre]]


class Atlases:
    """Remembers the atlas for a minute; places move rarely, and what is missing is read at once."""

    def __init__(self, engine: AsyncEngine, now: Clock) -> None:
        """Read with `engine`."""
        self._engine, self._now = engine, now
        self._known: Atlas | None = None
        self._read_at = now()

    async def get(self) -> Atlas:
        """What is remembered, or read it."""
        now = self._now()
        if self._known is not None and now - KEPT < self._read_at <= now:
            return self._known
        return await self.renew()

    async def renew(self) -> Atlas:
        """Read it again."""
        now = self._now()
        async with transaction(self._engine) as tx:
            rows = await store.all_centres(tx)
        offering: dict[str, list[Centre]] = {}
        for centre, categories in rows:
            for category in categories:
                offering.setdefault(category, []).append(centre)
        self._known, self._read_at = Atlas({centre.id: centre for centre, _ in rows}, offering), now
        return self._known
