"""Under which names a provider states what we use of a person (OpenID Connect Core 5.1 has the standard's). Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_NAME, LONGEST_EMAIL = 200, 254
_CLAIM = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True)
class ClaimNames:
    """Claims by what they are for. The subject is `sub`: the standard leaves no choice there."""

    display_name: tuple[str, ...] = ()
    """Joined by spaces; none: `name`, else given and family name, else the one they sign in by."""
    email: str = "email"
    locale: str = "locale"
    provider_session_id: str = "sid"

    @classmethod
    def parse(cls, text: str) -> "ClaimNames":
        """Read "display_name=given_name usual_name,email=mail"; ValueError says what does not fit. "": as the standard has it."""
        found: dict[str, str] = {}
        for pair in filter(None, (part.strip() for part in text.split(","))):
            ours, separator, theirs = (part.strip() for part in pair.partition("="))
            if ours == "subject":
                raise ValueError("the subject is `sub` at every provider and cannot be mapped")
            if not separator or ours not in cls.__dataclass_fields__:
                raise ValueError(f"not one of {', '.join(f'{name}=<claim>' for name in cls.__dataclass_fields__)}")
            if ours in found:
                raise ValueError(f"{ours}: mapped twice")
            claims = theirs.split()
            if not claims or (len(claims) > 1 and ours != "display_name"):
                raise ValueError(f"{ours}: one claim is needed; display_name alone may be joined of several, by spaces")
            if not all(_CLAIM.fullmatch(claim) for claim in claims):
                raise ValueError(f"{ours}: not the name of a claim")
            found[ours] = " ".join(claims)
        return cls(tuple(found.pop("display_name", "").split()), **found)

    def name_in(self, claims: Mapping[str, Any]) -> str:
        """The name to show; "" where no claim states it."""
        if self.display_name:
            return _joined(claims, self.display_name)
        return (
            text_in(claims, "name", LONGEST_NAME)
            or _joined(claims, ("given_name", "family_name"))
            or text_in(claims, "preferred_username", LONGEST_NAME)
        )

    def email_in(self, claims: Mapping[str, Any]) -> str:
        """Their address; "" where no claim states it."""
        return text_in(claims, self.email, LONGEST_EMAIL)


STANDARD = ClaimNames()


def text_in(claims: Mapping[str, Any], name: str, longest: int) -> str:
    """A claim that is a text, as far as it is reasonable; "" where it is absent, or none."""
    value = claims.get(name)
    return value.strip()[:longest] if isinstance(value, str) else ""


def _joined(claims: Mapping[str, Any], names: tuple[str, ...]) -> str:
    parts = (text_in(claims, name, LONGEST_NAME) for name in names)
    return " ".join(part for part in parts if part)[:LONGEST_NAME]
