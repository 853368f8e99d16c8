"""The OpenID provider: sign-in, refresh, revocation, sign-out, as the one confidential client that we are.

Authlib builds what we send and joserfc reads what is signed; egress' one HTTP client carries it (ADR 29). Every exchange
is bounded in time and in size, whatever drips or swells.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from pydantic import BaseModel, ConfigDict, Field, field_validator

from resapermis_auth_gateway.egress.claim_names import STANDARD, ClaimNames
from resapermis_auth_gateway.egress.http import (
    AnswerLost,
    Client,
    ConnectionCut,
    HttpAnswer,
    InvalidAnswer,
    RequestNotSent,
    base_of,
    parse,
)
from resapermis_auth_gateway.egress.oidc import metadata, userinfo
from resapermis_auth_gateway.egress.oidc.answers import document, down, incomplete, json_object, sign_in_failed
from resapermis_auth_gateway.egress.oidc.client_auth import Credentials
from resapermis_auth_gateway.egress.oidc.id_token import (
    Expected,
    IdTokenRefused,
    TimeNotStated,
    stated_subject,
    verify,
    verify_refreshed,
)
from resapermis_auth_gateway.egress.oidc.keys import Keys
from resapermis_auth_gateway.egress.oidc.logout_token import SignedOut, verify_logout
from resapermis_auth_gateway.egress.oidc.metadata import Metadata
from resapermis_auth_gateway.egress.oidc.person import Person, person_of
from resapermis_auth_gateway.tokens import TokenPair
from resapermis_kit.clock import Clock
from resapermis_kit.errors import Failure, malformed
from resapermis_kit.rpc.deadline import remaining_seconds

OFFLINE = "offline_access"
"""The scope of refresh tokens that outlive the provider's session (OpenID Connect Core 1.0, 11)."""
METADATA_LIVES = timedelta(hours=1)
METADATA_SERVES = timedelta(minutes=1)
"""So much longer an old copy serves each time that the provider's document cannot be read anew."""
LARGEST_ANSWER = 512 * 1024
log = structlog.get_logger()


class RefreshEnded(Exception):
    """The grant is over. `reason` is a word for the journal; `left_over` a token that is to be revoked, or ""."""

    def __init__(self, reason: str, left_over: str = "") -> None:
        """The text is the reason alone."""
        super().__init__(reason)
        self.reason, self.left_over = reason, left_over


class TokenAnswer(BaseModel):
    """A token answer (RFC 6749, 5.1); unknown members are left aside."""

    model_config = ConfigDict(extra="ignore")

    access_token: str = Field(pattern=r"^[!-~]+$", repr=False)
    token_type: str
    expires_in: int = Field(default=300, gt=0, le=10**9)
    refresh_token: str = Field("", repr=False)
    refresh_expires_in: int = Field(0, ge=0, le=10**9)
    """Absent or 0: no end was named (offline token)."""
    scope: str = ""
    """What was granted; absent: what was asked."""
    id_token: str = Field("", repr=False)

    @field_validator("token_type")
    @classmethod
    def _bearer(cls, value: str) -> str:
        if value.lower() != "bearer":
            raise ValueError("a token of another type")
        return value

    def pair(self, asked_at: datetime, refresh: str) -> TokenPair:
        """The pair; `refresh` where the answer has none of its own."""
        lasts = timedelta(seconds=self.refresh_expires_in)
        return TokenPair(
            access=self.access_token,
            access_expires_at=asked_at + timedelta(seconds=self.expires_in),
            refresh=self.refresh_token or refresh,
            refresh_expires_at=asked_at + lasts if lasts else None,
        )


@dataclass(frozen=True)
class Registration:
    """What we are to the provider, and how we ask it."""

    issuer: str
    """To the letter as its document states it, a slash at its end included."""
    credentials: Credentials
    redirect_uri: str
    home: str
    """Where a browser goes after it signed out there."""
    scopes: str
    prompt: str = ""
    """`prompt` of each sign-in; empty: none."""
    grant_prompt: str = "consent"
    """`prompt` where a grant for background work is asked for; empty: none."""
    max_age_seconds: int = 0
    """`max_age` of each sign-in, which the ID token's `auth_time` must then show; 0: none."""
    claims: ClaimNames = STANDARD
    """Where the provider states what we use of a person."""
    call_seconds: float = 5.0
    """For one answer, from the first byte out to the last in."""


@dataclass(frozen=True)
class SignedIn:
    """Who signed in, and their tokens."""

    person: Person
    pair: TokenPair = field(repr=False)
    authenticated_at: datetime | None = None
    """When they proved who they are, as the provider states it; None: not stated."""


@dataclass(frozen=True)
class Granted:
    """Whose grant for background work it is (`sub`), and its tokens."""

    subject: str
    pair: TokenPair = field(repr=False)
    offline: bool
    """Whether there is a refresh token that outlives the provider's session."""


Keep = Callable[[TokenPair, str], Awaitable[None]]
"""Is given tokens as soon as the provider handed them out, and whose they are by an ID token that is not believed yet ("": it says nothing)."""


class _Unknown(Exception):
    """The request may have been executed, and no answer of the provider's came."""


class Provider:
    """One provider; its document and keys are remembered for an hour."""

    def __init__(self, http: Client, registration: Registration, now: Clock) -> None:
        """Nothing is asked yet. ValueError for an issuer to which no secret may be sent."""
        base_of(registration.issuer)
        self._http, self._ours, self._now = http, registration, now
        self._known: Metadata | None = None
        self._known_at = now() - timedelta(days=1)
        self._keys = Keys(self._published_keys, now)

    @property
    def issuer(self) -> str:
        """Whose tokens these are: what another one gave is never sent here."""
        return self._ours.issuer

    async def confirm(self) -> None:
        """Return once the provider's document states the issuer that settings name; RDVPERMIS_DOWN where it does not."""
        await self._metadata()

    async def authorization_url(
        self, state: str, nonce: str, verifier: str, max_age_seconds: int = 0, *, grant: bool = False
    ) -> str:
        """Where a browser goes to sign in, or to give a `grant` for background work, to which the person consents.

        Pushed first where the provider offers that; if that fails there is no other way.
        With `max_age_seconds` the person proves anew who they are, also where a session of the provider's still stands.
        """
        known = await self._metadata()
        scopes, prompt = self._ours.scopes, self._ours.grant_prompt if grant else self._ours.prompt
        if grant and OFFLINE not in scopes.split():
            scopes = f"{scopes} {OFFLINE}"
        asked = {
            "redirect_uri": self._ours.redirect_uri,
            "scope": scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        asked |= self._proof_asked(prompt, max_age_seconds)
        client_id, endpoint = self._ours.credentials.client_id, known.authorization_endpoint
        if not known.pushed_authorization_request_endpoint:
            return str(prepare_grant_uri(endpoint, client_id, "code", **asked))
        pushed = {"response_type": "code", "client_id": client_id, **asked}
        answer = await self._post(known.pushed_authorization_request_endpoint, pushed)
        found = json_object(answer.body)
        request_uri = found.get("request_uri")
        if answer.status not in {HTTPStatus.CREATED, HTTPStatus.OK} or not isinstance(request_uri, str):
            raise down("the provider did not take a pushed authorization request")
        return f"{endpoint}{_joint(endpoint)}{urlencode({'client_id': client_id, 'request_uri': request_uri})}"

    def _proof_asked(self, prompt: str, max_age_seconds: int) -> dict[str, str]:
        """`max_age` and `prompt`: `login` too where an age was asked for, since some providers ask nobody for `max_age` alone."""
        prompts = [*(["login"] if max_age_seconds else []), *prompt.split()]
        age = self._max_age(max_age_seconds)
        return ({"prompt": " ".join(dict.fromkeys(prompts))} if prompts else {}) | (
            {"max_age": str(age)} if age else {}
        )

    def _max_age(self, asked: int) -> int:
        """The shorter one of what a sign-in asks for and what every one must show, in seconds; 0: neither."""
        return min((age for age in (asked, self._ours.max_age_seconds) if age), default=0)

    async def redeem(
        self, code: str, iss: str, nonce: str, verifier: str, max_age_seconds: int = 0, keep: Keep | None = None
    ) -> SignedIn:
        """Trade the code for tokens, once, and believe the ID token or not. `iss` as the provider's answer had it ("": not).

        `max_age_seconds` as the sign-in began with; SIGN_IN_INCOMPLETE where the provider does not state what shows it.
        """
        known, granted, pair, claims = await self._trade(code, iss, nonce, verifier, max_age_seconds, keep)
        authenticated_at = _moment(claims.get("auth_time"), self._now())
        if self._lacks(claims):
            claims = {**await self._userinfo(known, granted.access_token, str(claims["sub"])), **claims}
        person = person_of(claims, self._ours.claims)
        if not person.display_name:
            raise incomplete("name", "no name stated: scope `profile` missing, or it stands in claims not declared")
        return SignedIn(person, pair, authenticated_at)

    def _lacks(self, claims: Mapping[str, Any]) -> bool:
        """Whether userinfo may add what we use: the name, and the address where its scope was asked for."""
        names = self._ours.claims
        asked = "email" in self._ours.scopes.split()
        return not names.name_in(claims) or (asked and not names.email_in(claims))

    async def redeem_grant(
        self, code: str, iss: str, nonce: str, verifier: str, max_age_seconds: int, keep: Keep
    ) -> Granted:
        """The same where a grant was asked for. Whether it is this person's, and one at all, the caller judges."""
        _, granted, pair, claims = await self._trade(code, iss, nonce, verifier, max_age_seconds, keep)
        offline = bool(pair.refresh) and (not granted.scope or OFFLINE in granted.scope.split())
        return Granted(str(claims["sub"]), pair, offline)

    async def _trade(
        self, code: str, iss: str, nonce: str, verifier: str, max_age_seconds: int, keep: Keep | None
    ) -> tuple[Metadata, TokenAnswer, TokenPair, Mapping[str, Any]]:
        """What the provider offers, its answer to the code, the tokens in it, and the claims of an ID token that is believed."""
        known = await self._metadata()
        if iss != self._ours.issuer and (iss or known.sends_iss):
            raise sign_in_failed("authorization answer from another issuer")
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        asked_at = self._now()
        answer = await self._post(known.token_endpoint, form | {"redirect_uri": self._ours.redirect_uri})
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise down("the token endpoint failed")
        if answer.status != HTTPStatus.OK:
            raise sign_in_failed("the provider refused the code")
        try:
            granted = TokenAnswer.model_validate(parse(answer.body))
        except ValueError:
            raise sign_in_failed("the token answer does not fit") from None
        pair = granted.pair(asked_at, "")
        if keep is not None:
            await keep(pair, stated_subject(granted.id_token))
        expected = Expected(
            self._ours.issuer,
            self._ours.credentials.client_id,
            nonce,
            max_age_seconds=self._max_age(max_age_seconds),
        )
        try:
            claims = await self._keys.believed(
                lambda keys: verify(granted.id_token, granted.access_token, keys, expected, self._now().timestamp())
            )
        except TimeNotStated as refused:
            raise incomplete("auth_time", f"ID token: {refused}") from refused
        except IdTokenRefused as refused:
            raise sign_in_failed(f"ID token: {refused}") from refused
        return known, granted, pair, claims

    async def refresh(self, refresh_token: str, subject: str) -> TokenPair:
        """Trade a refresh token of this person for a new pair.

        RefreshEnded when it is over, or when nobody can know whether it was used: it is never sent again then.
        RDVPERMIS_DOWN when the provider surely has not used it: it may be tried again.
        """
        known = await self._metadata()
        await self._keys.current()  # what fails until here has used nothing up
        if remaining_seconds() < self._ours.call_seconds:
            raise down("too little time left for a refresh; the provider was not asked")
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        asked_at = self._now()
        try:
            answer = await self._send(known.token_endpoint, form)
        except _Unknown:
            raise RefreshEnded("answer_lost") from None
        if answer.status == HTTPStatus.OK:
            return await self._renewed(answer, refresh_token, subject, asked_at)
        error = json_object(answer.body).get("error")
        if answer.status == HTTPStatus.BAD_REQUEST and error == "invalid_grant":
            raise RefreshEnded("invalid_grant")
        log.error(
            "provider.refused",
            status=answer.status,
            code=error if error in {"invalid_client", "unauthorized_client"} else "",
        )
        if answer.status in _NOT_EXECUTED or HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise down("the provider did not refresh")
        raise RefreshEnded("answer_lost")

    async def _renewed(self, answer: HttpAnswer, refresh_token: str, subject: str, asked_at: datetime) -> TokenPair:
        try:
            granted = TokenAnswer.model_validate(parse(answer.body))
        except ValueError:
            raise RefreshEnded("answer_lost") from None
        if granted.id_token:
            expected = Expected(self._ours.issuer, self._ours.credentials.client_id, subject=subject)
            seconds = self._now().timestamp()
            check = partial(verify_refreshed, granted.id_token, granted.access_token, expected=expected, now=seconds)
            try:
                await self._keys.believed(check)
            except (IdTokenRefused, Failure) as refused:
                log.error("provider.id_token_refused", why=str(refused))
                raise RefreshEnded("id_token_refused", granted.refresh_token or granted.access_token) from None
        return granted.pair(asked_at, refresh_token)

    async def revoke(self, token: str) -> bool:
        """Revoke a token (RFC 7009), True; False where the provider offers no such thing, RDVPERMIS_DOWN when it did not take it."""
        endpoint = (await self._metadata()).revocation_endpoint
        if endpoint and (await self._post(endpoint, {"token": token})).status != HTTPStatus.OK:
            raise down("the provider did not revoke")
        return bool(endpoint)

    async def sign_out_url(self, sid: str) -> str:
        """Where a browser goes to sign out there as well; "" when the provider offers nothing.

        The ID token would be a hint with a name in an address; the client's name and the provider's session id do.
        """
        endpoint = (await self._metadata()).end_session_endpoint
        if not endpoint:
            return ""
        query = {"client_id": self._ours.credentials.client_id, "post_logout_redirect_uri": self._ours.home}
        if sid:
            query["logout_hint"] = sid
        return f"{endpoint}{_joint(endpoint)}{urlencode(query)}"

    async def signed_out(self, logout_token: str) -> SignedOut:
        """Who signed out there, as the provider states it by itself; MALFORMED, with the check, for what is not believed."""
        ours, seconds = self._ours, self._now().timestamp()
        check = partial(
            verify_logout, logout_token, issuer=ours.issuer, client_id=ours.credentials.client_id, now=seconds
        )
        try:
            return await self._keys.believed(check)
        except IdTokenRefused as refused:
            raise malformed("logout_token", str(refused)) from refused

    async def _metadata(self) -> Metadata:
        """Read again every hour; an old copy serves while the provider is away."""
        if self._known is None or self._now() - self._known_at > METADATA_LIVES:
            try:
                stated = document(await self._get(metadata.address_of(self._ours.issuer)))
                found = metadata.read(stated, self._ours.issuer)
                self._ours.credentials.method_among(found.token_auth_methods)
            except (Failure, ValueError) as error:
                if self._known is not None:
                    self._known_at = self._now() - METADATA_LIVES + METADATA_SERVES
                    return self._known
                raise down("the provider's discovery document is missing or does not fit") from error
            self._known, self._known_at = found, self._now()
        return self._known

    async def _published_keys(self) -> Mapping[str, Any]:
        return document(await self._get((await self._metadata()).jwks_uri))

    async def _userinfo(self, known: Metadata, access_token: str, subject: str) -> Mapping[str, Any]:
        """Who it is, where the ID token does not state it and the provider offers to say."""
        if not known.userinfo_endpoint:
            return {}
        answer = await self._get(known.userinfo_endpoint, {"Authorization": f"Bearer {access_token}"})
        expected = Expected(self._ours.issuer, self._ours.credentials.client_id, subject=subject)
        return await userinfo.claims_of(answer, expected, self._keys)

    async def _get(self, url: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """RDVPERMIS_DOWN when no answer comes."""
        try:
            return await self._exchange("GET", url, headers)
        except _Unknown as error:
            raise down("the provider does not answer") from error

    async def _post(self, url: str, form: Mapping[str, str]) -> HttpAnswer:
        """Send a form with our proof; RDVPERMIS_DOWN when no answer comes, whatever became of it."""
        try:
            return await self._send(url, form)
        except _Unknown as error:
            raise down("the provider does not answer") from error

    async def _send(self, url: str, form: Mapping[str, str]) -> HttpAnswer:
        """As `_post`, but _Unknown when the form may have arrived and no answer came."""
        accepted = (await self._metadata()).token_auth_methods
        headers, body = self._ours.credentials.prove(form, accepted, self._ours.issuer, self._now().timestamp())
        return await self._exchange("POST", url, headers, body)

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpAnswer:
        """RDVPERMIS_DOWN when nothing was sent; _Unknown when no answer came that is one."""
        try:
            async with asyncio.timeout(min(self._ours.call_seconds, remaining_seconds())):
                return await self._http.exchange(method, url, headers, body, largest=LARGEST_ANSWER)
        except RequestNotSent as error:
            raise down("the provider cannot be reached") from error
        except (ConnectionCut, AnswerLost, InvalidAnswer, TimeoutError) as error:
            raise _Unknown from error


_NOT_EXECUTED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Answers of who has not begun."""


def _moment(stated: float | None, now: datetime) -> datetime | None:
    """A time that a verified token states, never later than `now`: clocks may differ by a minute."""
    return None if stated is None else min(datetime.fromtimestamp(stated, UTC), now)


def _joint(endpoint: str) -> str:
    return "&" if "?" in endpoint else "?"
