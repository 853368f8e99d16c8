"""The provider's signing keys: remembered for an hour, and looked for at once when one is unknown."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from resapermis_auth_gateway.egress.oidc.answers import down
from resapermis_auth_gateway.egress.oidc.id_token import Key, UnknownKey, usable_keys
from resapermis_kit.clock import Clock

T = TypeVar("T")
LIVE = timedelta(hours=1)
REST = timedelta(seconds=30)
"""After keys were fetched for an unknown kid and it was not among them, no other unknown kid fetches for so long."""


class Keys:
    """What the provider publishes at its `jwks_uri`, as far as we can use it."""

    def __init__(self, fetch: Callable[[], Awaitable[Mapping[str, Any]]], now: Clock) -> None:
        """Nothing is asked yet. `fetch` reads the published document; RDVPERMIS_DOWN where it cannot."""
        self._fetch, self._now = fetch, now
        self._known: list[Key] = []
        self._known_at = self._fruitless_at = now() - timedelta(days=1)
        self._fetching = asyncio.Lock()

    async def believed(self, check: Callable[[Sequence[Key]], T]) -> T:
        """What `check` answers with the provider's keys; a kid that is not among them is looked for once more."""
        keys = await self.current()
        try:
            return check(keys)
        except UnknownKey:
            newer = await self._newer(keys)
            answer = check(newer)
            self._fruitless_at = self._now() - REST  # it had one more: it may have another one soon
            return answer

    async def current(self) -> list[Key]:
        """The keys, not older than an hour; RDVPERMIS_DOWN where there are none."""
        if not self._fresh():
            async with self._fetching:
                if not self._fresh():
                    await self._read()
        return self._known

    def _fresh(self) -> bool:
        return bool(self._known) and self._now() - self._known_at <= LIVE

    async def _newer(self, than: Sequence[Key]) -> list[Key]:
        async with self._fetching:
            if self._known is than and self._now() - self._fruitless_at >= REST:
                self._fruitless_at = self._now()
                await self._read()
            return self._known

    async def _read(self) -> None:
        found = usable_keys(await self._fetch())
        if not found:
            raise down("the provider publishes no key that we can use")
        self._known, self._known_at = found, self._now()
