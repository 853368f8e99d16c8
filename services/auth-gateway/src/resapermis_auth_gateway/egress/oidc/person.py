"""Who a provider's claims are about (OpenID Connect Core 5.1). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from resapermis_auth_gateway.egress.claim_names import ClaimNames, text_in

LONGEST_SESSION, LONGEST_LOCALE = 200, 10


@dataclass(frozen=True)
class Person:
    """As the provider states it; "" for what it does not state."""

    subject: str
    provider_session_id: str
    display_name: str = field(repr=False)
    email: str = field(repr=False)
    locale: str
    """ "fr" or "en"."""


def person_of(claims: Mapping[str, Any], names: ClaimNames) -> Person:
    """Read claims whose `sub` was checked."""
    return Person(
        subject=str(claims["sub"]),
        provider_session_id=text_in(claims, names.provider_session_id, LONGEST_SESSION),
        display_name=names.name_in(claims),
        email=names.email_in(claims),
        locale="en" if text_in(claims, names.locale, LONGEST_LOCALE).lower().startswith("en") else "fr",
    )


def session_of(claims: Mapping[str, Any]) -> str:
    """The provider's name for its session in a logout token: `sid`, whatever its ID tokens call it; "" where it has none."""
    return text_in(claims, "sid", LONGEST_SESSION)
