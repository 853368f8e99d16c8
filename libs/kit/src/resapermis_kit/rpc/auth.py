"""Who asks: a principal signed by the gateway, verified by each service."""

import json
import time
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from resapermis_kit.errors import Code, Failure

HEADER = "x-resapermis-principal"
AUDIENCE = "resapermis"
ISSUER = "auth-gateway"
LIFETIME_SECONDS = 60
REUSED_SECONDS = 20
"""How long the same person of the same session gets the same token: each service then checks its signature once."""
ALGORITHMS = ["Ed25519"]


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
            raise Failure(Code.CODE_FORBIDDEN, "this is done by a person of a school")
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
        self._signed: OrderedDict[Principal, tuple[str, int]] = OrderedDict()

    def sign(self, principal: Principal, now: float | None = None) -> str:
        """Return a compact JWT that is good for 40 seconds at least."""
        at = int(time.time() if now is None else now)
        token, issued = self._signed.get(principal, ("", 0))
        if not token or not 0 <= at - issued < REUSED_SECONDS:
            token = self._new(principal, at)
            self._signed[principal] = (token, at)
            self._signed.move_to_end(principal)
            if len(self._signed) > self._REMEMBERED:
                self._signed.popitem(last=False)
        return token

    def _new(self, principal: Principal, issued: int) -> str:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
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

    def __init__(self, jwks_file: Path) -> None:
        """Read the gateway's public keys; they are read again when an unknown kid comes."""
        self._file = jwks_file
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
            raise Failure(Code.CODE_UNAUTHENTICATED, "the principal has expired")
        return principal

    def _read(self, token: str) -> tuple[Principal, int]:
        try:
            try:
                decoded = jwt.decode(token, self._keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                self._keys = self._load()  # the gateway may have a new key
                decoded = jwt.decode(token, self._keys, algorithms=ALGORITHMS)
            claims = decoded.claims
            if claims["iss"] != ISSUER or claims["aud"] != AUDIENCE:
                raise Failure(Code.CODE_UNAUTHENTICATED, "the principal was made for somebody else")
            person = Principal(
                account_id=str(claims["sub"]),
                session_id=str(claims["sid"]),
                school_id=str(claims["school"]),
                roles=tuple(str(role) for role in claims["roles"]),
                place=str(claims["place"]),
            )
            return person, int(claims["exp"])
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Failure(Code.CODE_UNAUTHENTICATED, "the principal cannot be believed") from error
