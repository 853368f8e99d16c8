"""Tokens that ended are revoked at the provider (RFC 7009), tried until it took them or they have ended by themselves."""

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_FAILED, Actor, Record
from resapermis_auth_gateway import tokens
from resapermis_auth_gateway.egress.oidc.provider import Provider
from resapermis_auth_gateway.tokens import Revocation
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_vault.errors import Unreadable
from resapermis_vault.kek import KeyEncryption

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 15, 3600
"""Before the second try, and before any further one: they double. The first is longer than a try takes."""
Ends = Literal["family", "person"]
EXPIRED = frozenset({"spared", "other_provider"})
"""Why a token was left to end by itself: nothing was tried, so nothing failed."""
log = structlog.get_logger()


def pause(tries: int) -> timedelta:
    """Between the try after `tries` and the next one."""
    return timedelta(seconds=min(FIRST_PAUSE_SECONDS * 2 ** min(tries, 20), LONGEST_PAUSE_SECONDS))


class Revocations:
    """What the table `revocation` holds, done. Run by one replica at a time."""

    def __init__(
        self,
        engine: AsyncEngine,
        vault: KeyEncryption,
        provider: Provider,
        outbox: Outbox,
        denied: Callable[[Denial], None],
        now: Clock,
        *,
        ends: Ends = "family",
    ) -> None:
        """Revoke nothing yet. `denied` is told of what the provider did not take, and is tried again.

        `ends`: what a revocation ends at the provider. Where that is all that a person ever let us do (RFC 7009, 2.1,
        leaves the choice), nothing of theirs is revoked while they have a session or a grant: it would end with it.
        """
        self._engine, self._vault, self._provider, self._now = engine, vault, provider, now
        self._outbox, self._denied, self._spare = outbox, denied, ends == "person"

    async def revoke_due(self) -> None:
        """Revoke what is due; where the provider does not take one, the others wait for the next round."""
        while True:
            async with transaction(self._engine) as tx:
                found = await tokens.take_revocation(
                    tx, self._now(), pause, issuer=self._provider.issuer, spare=self._spare
                )
            if found is None:
                return
            try:
                reason = await self._revoke(found)
            except Failure as failure:
                self._denied(
                    Denial(
                        failure.name,
                        "token",
                        str(found.token_id),
                        facts=(("kind", found.kind),),
                        action="token.revoke",
                        outcome=OUTCOME_FAILED,
                    )
                )
                log.warning("revocation.delayed", error_code=failure.name, tries=found.tries + 1)
                return
            async with transaction(self._engine) as tx:
                await tokens.forget_revocation(tx, found.id)
                await self._outbox.add(tx, self._now(), _record(found, reason))

    async def _revoke(self, revocation: Revocation) -> str:
        """Why there is nothing more to be done, "" where the provider took it; Failure where it is to be tried again."""
        if not revocation.ours:
            return "other_provider"
        if revocation.ends_at <= self._now():
            if self._spare and revocation.tries == 0:
                return "spared"
            log.error("revocation.given_up", tries=revocation.tries)
            return "given_up"
        try:
            secret = revocation.open(self._vault)
        except Unreadable:
            log.error("revocation.unreadable")
            return "unreadable"
        return "" if await self._provider.revoke(secret) else "not_offered"


def _record(revocation: Revocation, reason: str) -> Record:
    expired = reason in EXPIRED
    return Record(
        actor=Actor(kind=Actor.KIND_SYSTEM, id="egress"),
        action="token.expire" if expired else "token.revoke",
        object_kind="token",
        object_id=str(revocation.token_id),
        outcome=OUTCOME_FAILED if reason and not expired else OUTCOME_DONE,
        facts={"kind": revocation.kind} | ({"reason": reason} if reason else {}),
    )
