"""ProviderService: what the web face asks of the OpenID provider. No token leaves egress but sealed."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.oidc.v1 import oidc_pb2 as pb
from resapermis.oidc.v1.oidc_pb2_grpc import ProviderServiceServicer
from resapermis_auth_gateway import tokens
from resapermis_auth_gateway.egress.oidc.provider import Granted, Keep, Provider
from resapermis_auth_gateway.egress.rdvpermis import RdvPermis
from resapermis_auth_gateway.egress.revocations import Ends
from resapermis_auth_gateway.egress.token_store import Access
from resapermis_auth_gateway.tokens import SealedPair, TokenPair
from resapermis_kit.clock import Clock, new_id
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_vault.kek import KeyEncryption

Context = Any
log = structlog.get_logger()


class ProviderServicer(ProviderServiceServicer):
    """oidc.v1 over one provider. Of tokens it keeps what is to be revoked unless the web face adopts them."""

    def __init__(
        self,
        provider: Provider,
        vault: KeyEncryption,
        engine: AsyncEngine,
        rdvpermis: RdvPermis,
        now: Clock,
        *,
        ends: Ends = "family",
    ) -> None:
        """`vault` seals tokens; the web face has another. `ends`: what a revocation ends at the provider."""
        self._provider, self._vault, self._engine, self._now = provider, vault, engine, now
        self._rdvpermis, self._ends = rdvpermis, ends

    async def BeginSignIn(self, request: pb.BeginSignInRequest, context: Context) -> pb.BeginSignInResponse:
        """The address of the authorization endpoint, with all that binds its answer to this request."""
        _need(request, "state", "nonce", "code_verifier")
        url = await self._provider.authorization_url(
            request.state,
            request.nonce,
            request.code_verifier,
            _max_age(request),
            grant=request.purpose == pb.PURPOSE_GRANT,
        )
        return pb.BeginSignInResponse(authorization_url=url)

    async def RedeemCode(self, request: pb.RedeemCodeRequest, context: Context) -> pb.RedeemCodeResponse:
        """Who signed in, and their tokens sealed for a row that the caller writes."""
        _need(request, "code", "nonce", "code_verifier")
        token_id = new_id()
        signed_in = await self._provider.redeem(
            request.code,
            request.iss,
            request.nonce,
            request.code_verifier,
            _max_age(request),
            self._unadopted(token_id) if request.adopts else None,
        )
        who = signed_in.person
        answer = pb.RedeemCodeResponse(
            person=pb.Person(
                issuer=self._provider.issuer,
                subject=who.subject,
                provider_session_id=who.provider_session_id,
                display_name=who.display_name,
                email=who.email,
                locale=who.locale,
            ),
            tokens=_message(tokens.seal(self._vault, token_id, signed_in.pair)),
        )
        if signed_in.authenticated_at is not None:
            answer.authenticated_at.FromDatetime(signed_in.authenticated_at)
        return answer

    async def RedeemGrant(self, request: pb.RedeemGrantRequest, context: Context) -> pb.RedeemGrantResponse:
        """A grant's tokens, sealed for a row that the caller writes: of this person, for good, at this school; else nothing."""
        _need(request, "code", "nonce", "code_verifier", "account_id", "subject", "school_id")
        token_id = new_id()
        try:
            granted = await self._provider.redeem_grant(
                request.code,
                request.iss,
                request.nonce,
                request.code_verifier,
                _max_age(request),
                self._unadopted(token_id, request.subject),
            )
            await self._fits(token_id, granted, request)
        except Failure:
            async with transaction(self._engine) as tx:
                await tokens.hasten(tx, token_id, self._now())
            raise
        return pb.RedeemGrantResponse(tokens=_message(tokens.seal(self._vault, token_id, granted.pair)))

    async def _fits(self, token_id: UUID, granted: Granted, asked: pb.RedeemGrantRequest) -> None:
        """Raise what is against it; RdvPermis is asked last."""
        if granted.subject != asked.subject or asked.issuer not in {"", self._provider.issuer}:
            raise Failure(Code.CODE_GRANT_OTHER_PERSON, "the grant is another person's")
        if not granted.offline:
            raise Failure(Code.CODE_GRANT_NOT_OFFERED, "the provider gives no refresh token that outlives its session")
        access = Access(
            token_id,
            asked.account_id,
            asked.school_id,
            granted.pair.access,
            granted.pair.access_expires_at,
            "grant",
        )
        school, _ = await self._rdvpermis.school_of(access, urgent=True)
        if school.school_id != asked.school_id:
            raise Failure(Code.CODE_GRANT_OTHER_SCHOOL, "RdvPermis counts this person to another school")

    def _unadopted(self, token_id: UUID, asker: str = "") -> Keep:
        """Have tokens revoked unless the web face adopts them: neither a check nor a lost answer leaves any alive.

        `asker`: whose they are where the provider does not say ("": nobody knows).
        """

        async def keep(pair: TokenPair, subject: str) -> None:
            sealed, now = tokens.seal(self._vault, token_id, pair), self._now()
            owner = {"issuer": self._provider.issuer, "subject": subject or asker}
            try:
                async with transaction(self._engine) as tx:
                    await tokens.keep_unadopted(tx, sealed, now, **owner)
            except Failure:
                await self._revoke_at_once(pair)
                raise

        return keep

    async def _revoke_at_once(self, pair: TokenPair) -> None:
        """Where nothing can be written down there is one try; none where it might end what its owner uses, which nobody can read now."""
        if self._ends == "person":
            log.error("tokens.left_alive", code="")
            return
        try:
            await self._provider.revoke(pair.refresh or pair.access)
        except Failure as failure:
            log.error("tokens.left_alive", code=failure.name)

    async def GetSignOutUrl(self, request: pb.GetSignOutUrlRequest, context: Context) -> pb.GetSignOutUrlResponse:
        """The end-session endpoint with our name, the way back and the provider's own session id."""
        return pb.GetSignOutUrlResponse(url=await self._provider.sign_out_url(request.provider_session_id))

    async def CheckLogoutToken(
        self, request: pb.CheckLogoutTokenRequest, context: Context
    ) -> pb.CheckLogoutTokenResponse:
        """Who signed out at the provider; whether the token came before, the caller keeps."""
        _need(request, "logout_token")
        found = await self._provider.signed_out(request.logout_token)
        answer = pb.CheckLogoutTokenResponse(
            subject=found.subject, provider_session_id=found.provider_session_id, token_id=found.token_id
        )
        answer.counts_until.FromDatetime(datetime.fromtimestamp(found.counts_until, UTC))
        return answer


def _need(request: Message, *fields: str) -> None:
    for name in fields:
        if not getattr(request, name):
            raise malformed(name, "needed")


def _max_age(request: pb.BeginSignInRequest | pb.RedeemCodeRequest | pb.RedeemGrantRequest) -> int:
    if request.max_age_seconds < 0:
        raise malformed("max_age_seconds", "0 or more")
    return request.max_age_seconds


def _message(sealed: SealedPair) -> pb.SealedTokens:
    message = pb.SealedTokens(token_id=str(sealed.token_id), access=sealed.access)
    message.access_expires_at.FromDatetime(sealed.access_expires_at)
    if sealed.refresh is not None:
        message.refresh = sealed.refresh
    if sealed.refresh_expires_at is not None:
        message.refresh_expires_at.FromDatetime(sealed.refresh_expires_at)
    return message
