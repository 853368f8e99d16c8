"""The token endpoint of RdvPermis' OpenID provider: refresh and revoke (RFC 6749 §6, RFC 7009)."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import structlog
from pydantic import BaseModel, ConfigDict, Field

from resapermis_auth_gateway.egress.http import (
    AnswerLost,
    Client,
    ConnectionCut,
    InvalidAnswer,
    RequestNotSent,
    base_of,
    parse,
)
from resapermis_auth_gateway.tokens import TokenPair
from resapermis_kit.clock import Clock
from resapermis_kit.errors import Code, Failure

log = structlog.get_logger()
REFRESH_SECONDS = 8.0


class InvalidGrant(Exception):
    """The provider answered invalid_grant: this refresh token is over, used, or revoked."""


class Discovery(BaseModel):
    """What we need of the discovery document."""

    model_config = ConfigDict(extra="ignore", strict=True)

    issuer: str
    token_endpoint: str
    revocation_endpoint: str = ""


class Grant(BaseModel):
    """The provider's token answer (RFC 6749, 5.1); unknown members are left aside."""

    model_config = ConfigDict(extra="ignore")

    access_token: str = Field(pattern=r"^[!-~]+$", repr=False)
    expires_in: int = Field(gt=0)
    refresh_token: str = Field("", repr=False)
    refresh_expires_in: int = Field(0, ge=0)
    """Absent or 0: no end was named (offline token)."""


class Provider:
    """Calls the token endpoint as the confidential client that we are."""

    def __init__(self, client: Client, issuer: str, client_id: str, secret: str, now: Clock) -> None:
        """Discover at the first call."""
        self._client, self._issuer, self._now = client, base_of(issuer), now
        self._id, self._secret = client_id, secret
        self._known: Discovery | None = None

    async def refresh(self, refresh_token: str) -> TokenPair:
        """Trade a refresh token for a new pair. InvalidGrant when it is over; RDVPERMIS_DOWN when the provider did not answer."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        asked_at = self._now()
        status, answer = await self._post((await self._discovered()).token_endpoint, form)
        if status == 200:
            try:
                grant = Grant.model_validate(answer)
            except ValueError:
                raise _down("the provider's token answer does not fit") from None
            lasts = timedelta(seconds=grant.refresh_expires_in) if grant.refresh_expires_in else None
            return TokenPair(
                access=grant.access_token,
                access_expires_at=asked_at + timedelta(seconds=grant.expires_in),
                refresh=grant.refresh_token or refresh_token,
                refresh_expires_at=asked_at + lasts if lasts else None,
            )
        error = answer.get("error") if isinstance(answer, Mapping) else None
        if status == 400 and error == "invalid_grant":
            raise InvalidGrant
        log.error(
            "provider.refused", status=status, code=error if error in {"invalid_client", "unauthorized_client"} else ""
        )
        raise _down("the provider did not refresh")

    async def revoke(self, token: str) -> None:
        """Revoke a token (RFC 7009); RDVPERMIS_DOWN when the provider did not take it."""
        endpoint = (await self._discovered()).revocation_endpoint
        if endpoint:
            status, _ = await self._post(endpoint, {"token": token})
            if status >= 400:
                raise _down("the provider did not revoke")

    async def _discovered(self) -> Discovery:
        if self._known is None:
            _, answer = await self._send("GET", f"{self._issuer}/.well-known/openid-configuration", None)
            try:
                found = Discovery.model_validate(answer)
                base_of(found.token_endpoint)
            except ValueError:
                raise _down("the provider's discovery document does not fit") from None
            if found.issuer != self._issuer:
                raise _down("the provider's discovery document names another issuer")
            self._known = found
        return self._known

    async def _post(self, url: str, form: Mapping[str, str]) -> tuple[int, Any]:
        return await self._send("POST", url, {**form, "client_id": self._id, "client_secret": self._secret})

    async def _send(self, method: str, url: str, form: Mapping[str, str] | None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else None
        body = urlencode(form).encode() if form else None
        try:
            async with asyncio.timeout(REFRESH_SECONDS):
                answer = await self._client.exchange(method, url, headers, body)
            return answer.status, parse(answer.body)
        except (RequestNotSent, ConnectionCut, AnswerLost, InvalidAnswer, TimeoutError, ValueError) as error:
            raise _down("the provider does not answer as one") from error


def _down(detail: str) -> Failure:
    return Failure(Code.CODE_RDVPERMIS_DOWN, detail)
