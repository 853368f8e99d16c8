"""RdvPermis' OpenID provider as its client sees it: discovery, keys, authorization, tokens, revocation, sign-out.

Authlib's AsyncOAuth2Client speaks OAuth over httpx2; discovery, keys and the ID token's checks are ours (id_token.py),
because Authlib's own are bound to a framework session and fetch what a token's header names.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from resapermis_auth_gateway.settings import Settings
from resapermis_auth_gateway.tokens import TokenPair
from resapermis_auth_gateway.web.sign_in.id_token import Expected, IdTokenRefused, Key, UnknownKey, usable_keys, verify
from resapermis_kit.clock import Clock
from resapermis_kit.errors import Code, Failure

DISCOVERY_LIVES = timedelta(hours=1)
KEYS_LIVE = timedelta(hours=1)
KEYS_REST = timedelta(seconds=30)
"""Seconds. After the keys were fetched, tokens with unknown kids cause no other fetch for so long."""
LARGEST_ANSWER = 512 * 1024
ACCESS_LIVES_SECONDS = 300


class TooLarge(httpx2.TransportError):
    """An answer of the provider has more than LARGEST_ANSWER bytes; it is not read further."""


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST_ANSWER:
                raise TooLarge("the provider's answer is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class Bounded(httpx2.AsyncBaseTransport):
    """A transport that reads no more than LARGEST_ANSWER bytes of an answer."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        """Around `inner`."""
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send through the wrapped transport; reading more than LARGEST_ANSWER bytes of the answer raises TooLarge."""
        response = await self._inner.handle_async_request(request)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Counted(response.stream)
        return response

    async def aclose(self) -> None:
        """Close the wrapped transport's connections."""
        await self._inner.aclose()


@dataclass(frozen=True)
class Discovery:
    """What we use of the discovery document."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    revocation_endpoint: str
    end_session_endpoint: str
    sends_iss: bool
    """The provider promises `iss` in its authorization answers (RFC 9207)."""


@dataclass(frozen=True)
class SignedIn:
    """The provider's claims about a person, and the tokens."""

    claims: Mapping[str, Any] = field(repr=False)
    pair: TokenPair


def sign_in_failed(detail: str) -> Failure:
    """A refusal of a sign-in; `detail` for the logs."""
    return Failure(Code.CODE_SIGN_IN_FAILED, detail)


def _down(detail: str) -> Failure:
    return Failure(Code.CODE_RDVPERMIS_DOWN, detail)


class Provider:
    """One provider, called as the confidential client that we are."""

    def __init__(self, settings: Settings, now: Clock, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """Nothing is asked yet. `transport` stands in for the network in tests."""
        self._settings, self._now = settings, now
        self._client = AsyncOAuth2Client(
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret.get_secret_value(),
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
            revocation_endpoint_auth_method="client_secret_post",
            scope=settings.oidc_scopes,
            redirect_uri=settings.redirect_uri,
            code_challenge_method="S256",
            follow_redirects=False,
            trust_env=False,
            timeout=settings.oidc_timeout_seconds,
            transport=Bounded(transport or httpx2.AsyncHTTPTransport(trust_env=False)),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "ResaPermis"},
        )
        self._discovery: Discovery | None = None
        self._discovered_at = self._keyed_at = now() - timedelta(days=1)
        self._keys: list[Key] = []

    async def close(self) -> None:
        """Close the HTTP client's connections; nothing may be asked afterwards."""
        await self._client.aclose()

    async def authorization_url(self, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in."""
        found = await self.discovery()
        url, _ = self._client.create_authorization_url(
            found.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier
        )
        return str(url)

    async def check_answer(self, iss: str) -> None:
        """RFC 9207: the answer names the provider that we asked, to the letter; missing is wrong where it is promised."""
        if iss != self._settings.oidc_issuer and (iss or (await self.discovery()).sends_iss):
            raise sign_in_failed("authorization answer from another issuer")

    async def redeem(self, code: str, nonce: str, verifier: str) -> SignedIn:
        """Trade the code for tokens, once, and believe the ID token or not."""
        found = await self.discovery()
        asked_at = self._now()
        answer = await self._token(found.token_endpoint, code, verifier)
        access, id_token = answer.get("access_token"), answer.get("id_token")
        if not isinstance(access, str) or not access or not isinstance(id_token, str):
            raise sign_in_failed("token answer without access or ID token")
        if str(answer.get("token_type", "")).lower() != "bearer":
            raise sign_in_failed("token answer of another type")
        expected = Expected(self._settings.oidc_issuer, self._settings.oidc_client_id, nonce)
        claims = await self._believed(id_token, access, expected)
        refresh = answer.get("refresh_token")
        lasts, refresh_lasts = _seconds(answer, "expires_in"), _seconds(answer, "refresh_expires_in")
        pair = TokenPair(
            access=access,
            access_expires_at=asked_at + timedelta(seconds=lasts or ACCESS_LIVES_SECONDS),
            refresh=refresh if isinstance(refresh, str) else "",
            refresh_expires_at=asked_at + timedelta(seconds=refresh_lasts) if refresh_lasts else None,
        )
        return SignedIn(claims, pair)

    async def userinfo(self, access_token: str, subject: str) -> Mapping[str, Any]:
        """Ask who it is, where the ID token does not state it; an answer about somebody else ends the sign-in."""
        endpoint = (await self.discovery()).userinfo_endpoint
        if not endpoint:
            return {}
        answer = await self._document(endpoint, {"Authorization": f"Bearer {access_token}"})
        if answer.get("sub") != subject:
            raise sign_in_failed("userinfo is about somebody else")
        return answer

    async def revoke(self, token: str) -> None:
        """Revoke a token (RFC 7009). RDVPERMIS_DOWN when the provider did not take it."""
        endpoint = (await self.discovery()).revocation_endpoint
        if not endpoint:
            return
        try:
            response = await self._client.revoke_token(endpoint, token=token)
        except (httpx2.HTTPError, httpx2.InvalidURL, OAuthError) as error:
            raise _down("the provider did not take a revocation") from error
        if response.status_code != httpx2.codes.OK:
            raise _down("the provider did not revoke")

    async def end_session_url(self, sid: str) -> str:
        """Where the browser goes to sign out of the provider as well; home when it offers nothing.

        The ID token would be a hint with a name in an address; the client's name and the provider's session id do.
        """
        home = f"{self._settings.public_url}/"
        try:
            endpoint = (await self.discovery()).end_session_endpoint
        except Failure:
            return home  # signed out here all the same
        if not endpoint:
            return home
        query = {"client_id": self._settings.oidc_client_id, "post_logout_redirect_uri": home}
        if sid:
            query["logout_hint"] = sid
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def discovery(self) -> Discovery:
        """The provider's endpoints, read again every hour; an old copy serves while the provider is away."""
        if self._discovery is None or self._now() - self._discovered_at > DISCOVERY_LIVES:
            try:
                document = await self._document(f"{self._settings.oidc_issuer}/.well-known/openid-configuration")
            except Failure:
                if self._discovery is None:
                    raise
                return self._discovery
            if document.get("issuer") != self._settings.oidc_issuer:
                raise _down("the discovery document is another issuer's")
            self._discovery, self._discovered_at = self._read(document), self._now()
        return self._discovery

    def _read(self, document: Mapping[str, Any]) -> Discovery:
        def address(name: str, *, needed: bool = False) -> str:
            value = document.get(name, "")
            plain_allowed = self._settings.oidc_issuer.startswith("http://")
            schemes = {"https", "http"} if plain_allowed else {"https"}
            if isinstance(value, str) and urlsplit(value).scheme in schemes:
                return value
            if needed or value:
                raise _down(f"the discovery document has no fit {name}")
            return ""

        return Discovery(
            authorization_endpoint=address("authorization_endpoint", needed=True),
            token_endpoint=address("token_endpoint", needed=True),
            jwks_uri=address("jwks_uri", needed=True),
            userinfo_endpoint=address("userinfo_endpoint"),
            revocation_endpoint=address("revocation_endpoint"),
            end_session_endpoint=address("end_session_endpoint"),
            sends_iss=document.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _token(self, endpoint: str, code: str, verifier: str) -> Mapping[str, Any]:
        try:
            answer = await self._client.fetch_token(
                endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
            )
        except OAuthError as error:
            raise sign_in_failed("the provider refused the code") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _down("the token endpoint does not answer") from error
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise sign_in_failed("the token answer cannot be read") from error
        finally:
            self._client.token = None  # Authlib would keep the last person's tokens
        if not isinstance(answer, Mapping):
            raise sign_in_failed("the token answer is no object")
        return answer

    async def _believed(self, id_token: str, access: str, expected: Expected) -> Mapping[str, Any]:
        keys = await self._signing_keys(KEYS_LIVE)
        try:
            try:
                return verify(id_token, access, keys, expected, self._now().timestamp())
            except UnknownKey:
                keys = await self._signing_keys(KEYS_REST)  # the provider may have a new one
                return verify(id_token, access, keys, expected, self._now().timestamp())
        except IdTokenRefused as error:
            raise sign_in_failed(f"ID token: {error}") from error

    async def _signing_keys(self, at_most: timedelta) -> list[Key]:
        if not self._keys or self._now() - self._keyed_at > at_most:
            found = usable_keys(await self._document((await self.discovery()).jwks_uri))
            self._keyed_at = self._now()
            if not found:
                raise _down("the provider publishes no key that we can use")
            self._keys = found
        return self._keys

    async def _document(self, url: str, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        try:
            response = await self._client.request("GET", url, headers=headers, withhold_token=True)
            if response.status_code != httpx2.codes.OK:
                raise _down("the provider answered with an error")
            document = json.loads(response.content)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _down("the provider does not answer") from error
        except (ValueError, RecursionError) as error:
            raise _down("the provider's answer is no JSON") from error
        if not isinstance(document, Mapping):
            raise _down("the provider's answer is no object")
        return document


def _seconds(answer: Mapping[str, Any], name: str) -> int:
    value = answer.get(name)
    return min(int(value), 10**8) if isinstance(value, int | float) and 0 < value < float("inf") else 0
