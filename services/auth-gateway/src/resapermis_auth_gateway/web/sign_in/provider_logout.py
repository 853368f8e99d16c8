"""The provider says by itself that somebody signed out there (OpenID Connect Back-Channel Logout 1.0)."""

from dataclasses import dataclass
from datetime import UTC
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.oidc.v1 import oidc_pb2
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.cookies import digest
from resapermis_auth_gateway.web.sign_in.sessions import Sessions
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Failure, malformed
from resapermis_kit.rpc import peers

CAUSE = "provider"
log = structlog.get_logger()


@dataclass(frozen=True)
class ProviderLogout:
    """Ends what a logout token names: one of the provider's sessions, or all of a person's."""

    issuer: str
    engine: AsyncEngine
    provider: Any
    """Stub of ProviderService: egress knows whether a token is to be believed."""
    sessions: Sessions
    now: Clock

    async def receive(self, logout_token: str, place: str) -> None:
        """End the sessions that the token names, none of them perhaps; a refusal is recorded and raised."""
        try:
            await self._receive(logout_token)
        except Failure as failure:
            log.warning("provider_logout.refused", error_code=failure.name, why=failure.detail)
            facts = (("cause", CAUSE),)
            self.sessions.denied(Denial(failure.name, "session", place=place, facts=facts, action="session.end"))
            raise

    async def _receive(self, logout_token: str) -> None:
        if not logout_token:
            raise malformed("logout_token", "needed, once")
        question = oidc_pb2.CheckLogoutTokenRequest(logout_token=logout_token)
        answer = await peers.ask(self.provider.CheckLogoutToken, question, principal="")
        if not answer.token_id or not (answer.subject or answer.provider_session_id):
            raise malformed("logout_token", "names nobody")
        until = answer.counts_until.ToDatetime(UTC)
        async with transaction(self.engine) as tx:
            # With the ends in one transaction: a token that was not acted upon may come again.
            if not await queries.use_logout_token(tx, digest(answer.token_id), until):
                raise malformed("logout_token", "came before")
            found = await queries.sessions_at_provider(tx, self.issuer, answer.subject, answer.provider_session_id)
            for session in found:
                await self.sessions.end_in(tx, session, CAUSE)
        for session in found:
            self.sessions.close_feeds(str(session.id))
