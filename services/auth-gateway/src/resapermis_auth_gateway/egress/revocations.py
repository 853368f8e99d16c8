"""Tokens that ended are revoked at the provider (RFC 7009), tried until it took them or they have ended by themselves."""

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway import tokens
from resapermis_auth_gateway.egress.oidc.provider import Provider
from resapermis_auth_gateway.tokens import Revocation
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure
from resapermis_vault.errors import Unreadable
from resapermis_vault.kek import KeyEncryption

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 15, 3600
"""Before the second try, and before any further one: they double. The first is longer than a try takes."""
log = structlog.get_logger()


def pause(tries: int) -> timedelta:
    """Between the try after `tries` and the next one."""
    return timedelta(seconds=min(FIRST_PAUSE_SECONDS * 2 ** min(tries, 20), LONGEST_PAUSE_SECONDS))


class Revocations:
    """What the table `revocation` holds, done. Run by one replica at a time."""

    def __init__(self, engine: AsyncEngine, vault: KeyEncryption, provider: Provider, now: Clock) -> None:
        """Revoke nothing yet."""
        self._engine, self._vault, self._provider, self._now = engine, vault, provider, now

    async def revoke_due(self) -> None:
        """Revoke what is due; where the provider does not take one, the others wait for the next round."""
        while True:
            async with transaction(self._engine) as tx:
                found = await tokens.take_revocation(tx, self._now(), pause)
            if found is None:
                return
            try:
                await self._revoke(found)
            except Failure as failure:
                log.warning("revocation.delayed", error_code=failure.name, tries=found.tries + 1)
                return
            async with transaction(self._engine) as tx:
                await tokens.forget_revocation(tx, found.id)

    async def _revoke(self, revocation: Revocation) -> None:
        if revocation.ends_at <= self._now():
            log.error("revocation.given_up", tries=revocation.tries)
            return
        try:
            secret = revocation.open(self._vault)
        except Unreadable:
            log.error("revocation.unreadable")
            return
        await self._provider.revoke(secret)
