"""What an ID token must be before anybody is signed in by it (OpenID Connect Core 3.1.3.7). Pure: keys and time are given."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

ALGORITHMS = ("RS256", "ES256", "PS256")
"""Asymmetric ones only: with HS256 a thief of a public key, or of our secret, could sign."""
LEEWAY_SECONDS = 60
OLDEST_SECONDS = 600
LATEST_SECONDS = 250_000_000_000
"""Since 1970, into the year 9892: beyond it, and for NaN, which JSON does not know and its reader takes, no comparison counts."""
LONGEST_SUBJECT = 255
LARGEST_TOKEN = 64 * 1024
SMALLEST_RSA_BITS = 2048
Key = RSAKey | ECKey


class IdTokenRefused(Exception):
    """The token is refused; the text names the check, never a value."""


class UnknownKey(IdTokenRefused):
    """Signed by a key that the provider may have published meanwhile."""


class TimeNotStated(IdTokenRefused):
    """`max_age` was asked for, and the provider does not say when the person proved who they are."""


@dataclass(frozen=True)
class Expected:
    """What an ID token must agree with, besides its issuer and audience (our client id)."""

    issuer: str
    client_id: str
    nonce: str = field(default="", repr=False)
    """Of a sign-in: the one that it left with."""
    subject: str = ""
    """Of a refresh: whom the tokens were given for."""
    max_age_seconds: int = 0
    """Of a sign-in: so long ago the person may have proved who they are; 0: whenever, and it need not be stated."""


def usable_keys(document: Any) -> list[Key]:
    """The provider's signing keys; one that we cannot read is passed over, as is one for encryption."""
    found: list[Key] = []
    raw = document.get("keys") if isinstance(document, Mapping) else None
    for one in raw if isinstance(raw, list) else []:
        if not isinstance(one, Mapping) or one.get("use", "sig") != "sig" or one.get("kty") not in {"RSA", "EC"}:
            continue
        try:
            key = JWKRegistry.import_key(dict(one))
            if isinstance(key, RSAKey) and key.raw_value.key_size < SMALLEST_RSA_BITS:
                continue
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey | ECKey):
            found.append(key)
    return found


def _key_for(header: Mapping[str, Any], keys: Sequence[Key]) -> Key:
    """By kid; without one only where a single key leaves no choice. `jku`, `x5u` and `jwk` are never looked at."""
    kid = header.get("kid")
    if kid is None:
        if len(keys) == 1:
            return keys[0]
        raise IdTokenRefused("no kid, and more than one key")
    for key in keys:
        if key.kid == kid:
            return key
    raise UnknownKey("signed by a key that is not published")


def signed_claims(token: str, keys: Sequence[Key], kind: str = "") -> Mapping[str, Any]:
    """The claims of a JWT that one of these keys signed, of this `typ` where one is asked for; else IdTokenRefused."""
    if len(token) > LARGEST_TOKEN:
        raise IdTokenRefused("larger than any ID token")
    try:
        header = jws.extract_compact(token.encode()).headers()
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise IdTokenRefused("algorithm not on our list")
        if kind and str(header.get("typ", "")).lower().removeprefix("application/") != kind:
            raise IdTokenRefused("of another type")
        payload = jws.deserialize_compact(token, _key_for(header, keys), algorithms=list(ALGORITHMS)).payload
        claims = json.loads(payload or b"")
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise IdTokenRefused("cannot be read, or its signature is wrong") from error
    if not isinstance(claims, Mapping):
        raise IdTokenRefused("claims are no object")
    return claims


def stated_subject(token: str) -> str:
    """The `sub` of an ID token that nobody has checked; "" where none can be read. Nobody is signed in by it."""
    if len(token) > LARGEST_TOKEN:
        return ""
    try:
        claims = json.loads(jws.extract_compact(token.encode()).payload or b"")
    except (JoseError, ValueError, TypeError, RecursionError):
        return ""
    subject = claims.get("sub") if isinstance(claims, Mapping) else None
    return subject if isinstance(subject, str) and 1 <= len(subject) <= LONGEST_SUBJECT else ""


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LATEST_SECONDS:
        raise IdTokenRefused(f"{name} is missing or no number of a calendar")
    return float(value)


def verify(token: str, access_token: str, keys: Sequence[Key], expected: Expected, now: float) -> Mapping[str, Any]:
    """The claims of a sign-in's ID token that passes every check; else IdTokenRefused. `now` in seconds since 1970."""
    claims = _verified(token, access_token, keys, expected, now)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise IdTokenRefused("nonce")
    _check_proof(claims, expected.max_age_seconds, now)
    return claims


def _check_proof(claims: Mapping[str, Any], max_age_seconds: int, now: float) -> None:
    """`auth_time`: whenever it is stated it is a time that has been; where an age was asked for, a recent one."""
    if "auth_time" not in claims:
        if max_age_seconds:
            raise TimeNotStated("auth_time is missing, although max_age was asked for")
        return
    proved = _number(claims, "auth_time")
    if proved > now + LEEWAY_SECONDS:
        raise IdTokenRefused("proved who they are in the future")
    if max_age_seconds and proved < now - max_age_seconds - LEEWAY_SECONDS:
        raise IdTokenRefused("proved who they are too long ago")


def verify_refreshed(token: str, access_token: str, keys: Sequence[Key], expected: Expected, now: float) -> None:
    """Check the ID token of a refresh (Core 12.2): as at the sign-in and of the same person; else IdTokenRefused.

    A nonce is not asked for: of the sign-in's nothing is kept.
    """
    claims = _verified(token, access_token, keys, expected, now)
    if claims["sub"] != expected.subject:
        raise IdTokenRefused("subject: another person's")


def verify_userinfo(token: str, keys: Sequence[Key], expected: Expected) -> Mapping[str, Any]:
    """The claims of a signed userinfo answer (Core 5.3.2), the issuer's and for us; else IdTokenRefused. Whom it is about, the caller compares."""
    claims = signed_claims(token, keys)
    _check_parties(claims, expected)
    return claims


def _verified(token: str, access_token: str, keys: Sequence[Key], expected: Expected, now: float) -> Mapping[str, Any]:
    claims = signed_claims(token, keys)
    _check_parties(claims, expected)
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise IdTokenRefused("authorised party")
    check_times(claims, now)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= LONGEST_SUBJECT:
        raise IdTokenRefused("subject")
    if "at_hash" in claims and not _hashes(access_token, claims["at_hash"]):
        raise IdTokenRefused("access token of another answer")
    return claims


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise IdTokenRefused("issuer")
    if claims.get("aud") not in (expected.client_id, [expected.client_id]):
        raise IdTokenRefused("audience: not us, or not us alone")


def check_times(claims: Mapping[str, Any], now: float) -> None:
    """IdTokenRefused for a token that has ended, is of the future, or older than ten minutes."""
    if _number(claims, "exp") <= now - LEEWAY_SECONDS:
        raise IdTokenRefused("expired")
    issued = _number(claims, "iat")
    if issued > now + LEEWAY_SECONDS:
        raise IdTokenRefused("issued in the future")
    if issued < now - OLDEST_SECONDS:
        raise IdTokenRefused("issued too long ago")
    if "nbf" in claims and _number(claims, "nbf") > now + LEEWAY_SECONDS:
        raise IdTokenRefused("not valid yet")


def _hashes(access_token: str, at_hash: object) -> bool:
    """Left half of SHA-256: all our algorithms are of 256 bits."""
    try:
        stated = base64.urlsafe_b64decode(str(at_hash) + "==")
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(stated, sha256(access_token.encode()).digest()[:16])
