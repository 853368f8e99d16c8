"""An OpenID provider whose every answer a test may change, over a real socket."""

import base64
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlsplit
from uuid import uuid4

from joserfc import jws, jwt
from joserfc.jwk import JWKRegistry, RSAKey

from resapermis_auth_gateway.egress.http import Client
from resapermis_auth_gateway.egress.oidc.client_auth import Credentials
from resapermis_auth_gateway.egress.oidc.provider import Provider, Registration, SignedIn

from .responder import ReceivedRequest, Reply, Responder

CLIENT_ID, SECRET = "resapermis", "invented: 50 % é/+"
"""A secret with what form encoding changes."""
REDIRECT, HOME = "https://resapermis.test/auth/callback", "https://resapermis.test/"
STATE, NONCE, VERIFIER = "state-1", "nonce-1", "verifier-" + "v" * 40
ONE = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig"}, private=True)
OTHER = RSAKey.generate_key(2048, parameters={"kid": "other", "use": "sig"}, private=True)
Change = Callable[[dict[str, Any]], Any]


@dataclass
class Clock:
    """Time that a test moves."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **duration: float) -> None:
        self.at += timedelta(**duration)


@dataclass
class HostileProvider:
    """It answers as a conforming provider until a test sets something."""

    responder: Responder
    clock: Clock
    keys: list[Any] = field(default_factory=lambda: [ONE])
    published: list[dict[str, Any]] | None = None
    discovery: dict[str, Any] = field(default_factory=dict)
    claims: Change = lambda _: None
    header: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    sign_with: Any = None
    tamper: Callable[[str], str] = lambda token: token
    userinfo: dict[str, Any] = field(default_factory=dict)
    accepts: Sequence[str] = ("client_secret_basic", "client_secret_post")
    client_key: Any = None
    used: list[str] = field(default_factory=list)
    """How the client proved itself, in order."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    pushed: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_token: str = "refresh-1"
    refreshes: int = 0

    def __post_init__(self) -> None:
        self.responder.replies |= {
            "GET /realm/.well-known/openid-configuration": lambda _: (200, self.document()),
            "GET /certs": lambda _: (200, {"keys": self.published or [k.as_dict(private=False) for k in self.keys]}),
            "GET /userinfo": lambda _: (200, self.userinfo),
            "POST /token": self.token,
            "POST /revoke": lambda asked: (200, None) if self._proved(asked) else (401, {"error": "invalid_client"}),
            "POST /par": self.par,
        }

    @property
    def issuer(self) -> str:
        return f"{self.responder.url}/realm"

    def calls(self, name: str) -> int:
        """How often an endpoint was asked."""
        return sum(asked.path.rsplit("/", 1)[-1] == name for asked in self.responder.asked)

    def document(self) -> dict[str, Any]:
        url = self.responder.url
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{url}/auth",
            "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/certs",
            "userinfo_endpoint": f"{url}/userinfo",
            "revocation_endpoint": f"{url}/revoke",
            "end_session_endpoint": f"{url}/logout",
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": list(self.accepts),
        } | self.discovery

    def _proved(self, asked: ReceivedRequest) -> bool:
        """Whether the client proved itself in a way that is accepted."""
        form = dict(parse_qsl(asked.body.decode()))
        scheme, _, encoded = asked.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, secret = base64.b64decode(encoded).decode().partition(":")
            used, good = "client_secret_basic", (unquote_plus(name), unquote_plus(secret)) == (CLIENT_ID, SECRET)
            good = good and "client_secret" not in form
        elif "client_assertion" in form:
            used, good = "private_key_jwt", self._asserted(form)
        else:
            used, good = "client_secret_post", (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, SECRET)
        self.used.append(used)
        return good and used in self.accepts

    def _asserted(self, form: dict[str, str]) -> bool:
        claims = jwt.decode(form["client_assertion"], JWKRegistry.import_key(self.client_key)).claims
        fits = claims["iss"] == claims["sub"] == CLIENT_ID and claims["aud"] == self.issuer
        return fits and claims["exp"] - claims["iat"] <= 60 and bool(claims["jti"])

    def token(self, asked: ReceivedRequest) -> Reply:
        if not self._proved(asked):
            return 401, {"error": "invalid_client"}
        form = dict(parse_qsl(asked.body.decode()))
        if form["grant_type"] == "refresh_token":
            return self._refreshed(form)
        begun = self.codes.pop(form.get("code", ""), None)
        if begun is None or form.get("redirect_uri") != begun["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if begun["code_challenge_method"] != "S256" or not hmac.compare_digest(challenge, begun["code_challenge"]):
            return 400, {"error": "invalid_grant"}
        return self._granted(begun["nonce"])

    def _refreshed(self, form: dict[str, str]) -> Reply:
        if form["refresh_token"] != self.refresh_token:
            return 400, {"error": "invalid_grant"}
        self.refreshes += 1
        self.refresh_token = f"refresh-{self.refreshes + 1}"
        return self._granted("")

    def _granted(self, nonce: str) -> Reply:
        return 200, {
            "access_token": f"access-{self.refreshes + 1}",
            "refresh_token": self.refresh_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "refresh_expires_in": 1800,
            "id_token": self.id_token(nonce),
        } | self.answer

    def id_token(self, nonce: str) -> str:
        now = int(self.clock().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "employee-1",
            "iat": now,
            "exp": now + 300,
            "sid": "provider-session-1",
            "name": "Camille Martin",
            "email": "camille@ecole.test",
        } | ({"nonce": nonce} if nonce else {})
        self.claims(claims)
        return self.signed(claims)

    def signed(self, claims: dict[str, Any]) -> str:
        """A JWT of these claims, however a test wants it signed."""
        key = self.sign_with or self.keys[0]
        header = {"alg": "RS256", "kid": key.kid} | self.header
        header = {name: value for name, value in header.items() if value is not None}
        return self.tamper(jws.serialize_compact(header, json.dumps(claims), key, algorithms=[str(header["alg"])]))

    def par(self, asked: ReceivedRequest) -> Reply:
        if not self._proved(asked):
            return 401, {"error": "invalid_client"}
        request_uri = f"urn:ietf:params:oauth:request_uri:{uuid4()}"
        self.pushed[request_uri] = dict(parse_qsl(asked.body.decode()))
        return 201, {"request_uri": request_uri, "expires_in": 60}

    def sign_in(self, url: str) -> str:
        """What a person does there: return the code."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        if "request_uri" in query:
            query = self.pushed.pop(query["request_uri"])
        code = str(uuid4())
        self.codes[code] = query
        return code


@dataclass
class RelyingParty:
    """Our client of it."""

    hostile: HostileProvider
    http: Client
    provider: Provider

    async def begin(self, max_age_seconds: int = 0) -> str:
        return await self.provider.authorization_url(STATE, NONCE, VERIFIER, max_age_seconds)

    async def sign_in(self, iss: str | None = None, max_age_seconds: int = 0) -> SignedIn:
        """The whole way."""
        code = self.hostile.sign_in(await self.begin(max_age_seconds))
        stated = self.hostile.issuer if iss is None else iss
        return await self.provider.redeem(code, stated, NONCE, VERIFIER, max_age_seconds)


def registration(issuer: str, **more: Any) -> Registration:
    """Ours, with whatever a test changes."""
    plain = {
        "issuer": issuer,
        "credentials": Credentials(CLIENT_ID, SECRET),
        "redirect_uri": REDIRECT,
        "home": HOME,
        "scopes": "openid rdvpermis",
    }
    return Registration(**plain | more)
