"""What a logout token must be before it ends anybody's session (OpenID Connect Back-Channel Logout 1.0, 2.6). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resapermis_auth_gateway.egress.oidc.id_token import (
    LEEWAY_SECONDS,
    LONGEST_SUBJECT,
    OLDEST_SECONDS,
    IdTokenRefused,
    Key,
    check_times,
    signed_claims,
)
from resapermis_auth_gateway.egress.oidc.person import session_of

TYPE = "logout+jwt"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
LONGEST_ID = 255


@dataclass(frozen=True)
class SignedOut:
    """Who signed out there; "" for what is not stated, but never for both."""

    subject: str
    provider_session_id: str
    """Empty: every session of the person."""
    token_id: str
    """`jti`: the token counts once."""
    counts_until: float
    """Seconds since 1970; from then on the token is refused for its age."""


def verify_logout(token: str, keys: Sequence[Key], issuer: str, client_id: str, now: float) -> SignedOut:
    """Who signed out, by a logout token that passes every check; else IdTokenRefused. `now` in seconds since 1970."""
    claims = signed_claims(token, keys, TYPE)
    if claims.get("iss") != issuer:
        raise IdTokenRefused("issuer")
    if claims.get("aud") not in (client_id, [client_id]):
        raise IdTokenRefused("audience: not us, or not us alone")
    check_times(claims, now)
    if "nonce" in claims:
        raise IdTokenRefused("a nonce: an ID token instead")
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(EVENT), Mapping):
        raise IdTokenRefused("no logout event")
    subject, session = _stated(claims, "sub", LONGEST_SUBJECT), _stated(claims, "sid", LONGEST_ID)
    if not subject and not session:
        raise IdTokenRefused("neither subject nor session")
    token_id = _stated(claims, "jti", LONGEST_ID)
    if not token_id:
        raise IdTokenRefused("no id")
    ends = min(float(claims["exp"]), float(claims["iat"]) + OLDEST_SECONDS) + LEEWAY_SECONDS
    return SignedOut(subject, session_of(claims), token_id, ends)


def _stated(claims: Mapping[str, Any], name: str, longest: int) -> str:
    """A text, "" where it is absent; IdTokenRefused for anything else."""
    value = claims.get(name, "")
    if name in claims and not (isinstance(value, str) and len(value.strip()) >= 1 and len(value) <= longest):
        raise IdTokenRefused(f"{name}: no text, or too long")
    return str(value)
