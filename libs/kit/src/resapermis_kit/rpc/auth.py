"""Who asks: a principal signed by the gateway, verified by each service."""

import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey
from prometheus_client import Counter

from resapermis_kit.errors import Code, Failure

HEADER = "x-resapermis-principal"
PASSED_ON: Mapping[str, tuple[str, ...]] = {
    "mandate": ("egress",),
    "scheduling-rules": ("egress",),
    "basket": ("mandate", "scheduling-rules", "egress"),
}
"""To whom a service passes on the principal that it was asked with. A token is for these and for who is asked, for nobody else."""
AUDIENCE_OF_0_2_0 = "resapermis"
"""Until release 0.2.0 every token was for every service: taken for one release more, while its gateway is replaced (ADR 31)."""
ISSUER = "auth-gateway"
LIFETIME_SECONDS = 60
REUSED_SECONDS = 20
"""How long the same person of the same session gets the same token: each service then checks its signature once."""
ALGORITHMS = ["Ed25519"]
REFUSED = Counter("resapermis_principals_refused_total", "Principals that this service refused", ["reason"])


@dataclass(frozen=True)
class Principal:
    """A person who asks, as the gateway saw them. Ids only, never a name."""

    account_id: str
    session_id: str
    school_id: str
    roles: tuple[str, ...]
    place: str = ""
    """Network address, truncated to /24 or /48, for the journal."""


@dataclass(frozen=True)
class Caller:
    """Who is at the other end of an RPC: the service that calls, and the person it calls for, if any."""

    service: str
    person: Principal | None

    def school(self) -> Principal:
        """The person, who must act for a school (FORBIDDEN otherwise)."""
        if self.person is None or not self.person.school_id:
            raise Failure(Code.CODE_FORBIDDEN, "this is done by a person of a school", denied="no_school")
        return self.person


current_caller: ContextVar[Caller] = ContextVar("caller")
current_token: ContextVar[str] = ContextVar("principal_token", default="")


def caller() -> Caller:
    """The caller of the RPC being answered."""
    return current_caller.get()


class Signer:
    """Held by the gateway alone: turns a principal into a token for the services, good for a minute.

    A token opens nothing by itself: the gateway looks for the session at each request and only then asks for one, and
    another role, school or network is another principal.
    """

    _REMEMBERED = 4096

    def __init__(self, key_file: Path) -> None:
        """Read the private Ed25519 JWK."""
        self._key = OKPKey.import_key(json.loads(key_file.read_text(encoding="utf-8")))
        self._signed: OrderedDict[tuple[Principal, str], tuple[str, int]] = OrderedDict()

    def sign(self, principal: Principal, service: str, now: float | None = None) -> str:
        """Return a compact JWT with which to ask `service`; it is good for 40 seconds at least, there and where it is passed on."""
        at, key = int(time.time() if now is None else now), (principal, service)
        token, issued = self._signed.get(key, ("", 0))
        if not token or not 0 <= at - issued < REUSED_SECONDS:
            token = self._new(principal, service, at)
            self._signed[key] = (token, at)
            self._signed.move_to_end(key)
            if len(self._signed) > self._REMEMBERED:
                self._signed.popitem(last=False)
        return token

    def _new(self, principal: Principal, service: str, issued: int) -> str:
        claims = {
            "iss": ISSUER,
            "aud": [service, *PASSED_ON.get(service, ())],
            "sub": principal.account_id,
            "sid": principal.session_id,
            "school": principal.school_id,
            "roles": list(principal.roles),
            "place": principal.place,
            "iat": issued,
            "exp": issued + LIFETIME_SECONDS,
        }
        return jwt.encode({"alg": ALGORITHMS[0], "kid": self._key.kid}, claims, self._key, algorithms=ALGORITHMS)


class Verifier:
    """Reads principals; remembers the last few thousand so that one action's calls verify its signature once."""

    _LEEWAY_SECONDS = 5
    _REMEMBERED = 4096

    def __init__(self, jwks_file: Path, service: str) -> None:
        """Read the gateway's public keys; they are read again when an unknown kid comes. `service` is who we are."""
        self._file, self._audiences = jwks_file, frozenset({service, AUDIENCE_OF_0_2_0})
        self._keys = self._load()
        self._seen: OrderedDict[str, tuple[Principal, int]] = OrderedDict()

    def _load(self) -> KeySet:
        return KeySet.import_key_set(json.loads(self._file.read_text(encoding="utf-8")))

    def verify(self, token: str, now: float | None = None) -> Principal:
        """Return the principal, or refuse: bad signature, algorithm, key, issuer, audience or time."""
        at = time.time() if now is None else now
        known = self._seen.get(token)
        if known is None:
            known = self._read(token)
            self._seen[token] = known
            if len(self._seen) > self._REMEMBERED:
                self._seen.popitem(last=False)
        principal, expires = known
        if at > expires + self._LEEWAY_SECONDS:
            raise _refusal("expired", "the principal has expired")
        return principal

    def _read(self, token: str) -> tuple[Principal, int]:
        try:
            try:
                decoded = jwt.decode(token, self._keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                self._keys = self._load()  # the gateway may have a new key
                decoded = jwt.decode(token, self._keys, algorithms=ALGORITHMS)
            claims = decoded.claims
            audience = claims["aud"]
            named = audience if isinstance(audience, list) else [audience]
            if claims["iss"] != ISSUER or self._audiences.isdisjoint(named):
                raise _refusal("audience", "the principal was made for somebody else")
            person = Principal(
                account_id=str(claims["sub"]),
                session_id=str(claims["sid"]),
                school_id=str(claims["school"]),
                roles=tuple(str(role) for role in claims["roles"]),
                place=str(claims["place"]),
            )
            return person, int(claims["exp"])
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _refusal("forged", "the principal cannot be believed") from error


def _refusal(reason: str, words: str) -> Failure:
    REFUSED.labels(reason).inc()
    return Failure(Code.CODE_UNAUTHENTICATED, words, denied=f"principal_{reason}")
