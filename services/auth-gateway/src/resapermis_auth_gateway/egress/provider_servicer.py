"""ProviderService: what the web face asks of the OpenID provider. No token leaves egress but sealed."""

from datetime import UTC, datetime
from typing import Any

from resapermis.oidc.v1 import oidc_pb2 as pb
from resapermis.oidc.v1.oidc_pb2_grpc import ProviderServiceServicer
from resapermis_auth_gateway import tokens
from resapermis_auth_gateway.egress.oidc.provider import Provider
from resapermis_auth_gateway.tokens import SealedPair
from resapermis_kit.clock import new_id
from resapermis_kit.errors import malformed
from resapermis_vault.kek import KeyEncryption

Context = Any


class ProviderServicer(ProviderServiceServicer):
    """oidc.v1 over one provider; keeps nothing."""

    def __init__(self, provider: Provider, vault: KeyEncryption) -> None:
        """`vault` seals tokens; the web face has another."""
        self._provider, self._vault = provider, vault

    async def BeginSignIn(self, request: pb.BeginSignInRequest, context: Context) -> pb.BeginSignInResponse:
        """The address of the authorization endpoint, with all that binds its answer to this request."""
        _need(request, "state", "nonce", "code_verifier")
        url = await self._provider.authorization_url(
            request.state, request.nonce, request.code_verifier, _max_age(request)
        )
        return pb.BeginSignInResponse(authorization_url=url)

    async def RedeemCode(self, request: pb.RedeemCodeRequest, context: Context) -> pb.RedeemCodeResponse:
        """Who signed in, and their tokens sealed for a row that the caller writes."""
        _need(request, "code", "nonce", "code_verifier")
        signed_in = await self._provider.redeem(
            request.code, request.iss, request.nonce, request.code_verifier, _max_age(request)
        )
        who = signed_in.person
        answer = pb.RedeemCodeResponse(
            person=pb.Person(
                subject=who.subject,
                provider_session_id=who.provider_session_id,
                display_name=who.display_name,
                email=who.email,
                locale=who.locale,
            ),
            tokens=_message(tokens.seal(self._vault, new_id(), signed_in.pair)),
        )
        if signed_in.authenticated_at is not None:
            answer.authenticated_at.FromDatetime(signed_in.authenticated_at)
        return answer

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


def _need(request: pb.BeginSignInRequest | pb.RedeemCodeRequest | pb.CheckLogoutTokenRequest, *fields: str) -> None:
    for name in fields:
        if not getattr(request, name):
            raise malformed(name, "needed")


def _max_age(request: pb.BeginSignInRequest | pb.RedeemCodeRequest) -> int:
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
