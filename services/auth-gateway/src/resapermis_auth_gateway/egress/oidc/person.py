"""Who a provider's claims are about (OpenID Connect Core 5.1). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST_NAME, LONGEST_EMAIL, LONGEST_SESSION = 200, 254, 200


@dataclass(frozen=True)
class Person:
    """As the provider states it; "" for what it does not state."""

    subject: str
    provider_session_id: str
    display_name: str = field(repr=False)
    email: str = field(repr=False)
    locale: str
    """ "fr" or "en"."""


def name_in(claims: Mapping[str, Any]) -> str:
    """The name to show: `name`, else given and family name, else the one they sign in by."""
    parts = [_text(claims, "given_name", LONGEST_NAME), _text(claims, "family_name", LONGEST_NAME)]
    return (
        _text(claims, "name", LONGEST_NAME)
        or " ".join(part for part in parts if part)
        or _text(claims, "preferred_username", LONGEST_NAME)
    )


def person_of(claims: Mapping[str, Any]) -> Person:
    """Read claims whose `sub` was checked."""
    return Person(
        subject=str(claims["sub"]),
        provider_session_id=session_of(claims),
        display_name=name_in(claims),
        email=_text(claims, "email", LONGEST_EMAIL),
        locale="en" if _text(claims, "locale", 10).lower().startswith("en") else "fr",
    )


def session_of(claims: Mapping[str, Any]) -> str:
    """The provider's name for its session (`sid`), as it is kept and looked for; "" where it has none."""
    return _text(claims, "sid", LONGEST_SESSION)


def _text(claims: Mapping[str, Any], name: str, longest: int) -> str:
    value = claims.get(name)
    return value.strip()[:longest] if isinstance(value, str) else ""
