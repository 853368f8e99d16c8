"""Our two cookies, read to the letter: a name that comes twice, or dressed up, is no name of ours."""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from starlette.responses import Response
from starlette.types import Scope

SECRET_BYTES = 32


@dataclass(frozen=True)
class Cookie:
    """A cookie's name and rules. `__Host-` makes browsers refuse one from another host or over plain http."""

    base: str
    secure: bool
    same_site: Literal["strict", "lax"]
    """"strict": no request that another site began carries it; "lax": a person's way here from there does."""
    max_age: int | None = None

    @property
    def name(self) -> str:
        """The cookie's name as sent: with `__Host-` where it is Secure."""
        return f"__Host-{self.base}" if self.secure else self.base

    def set(self, response: Response, value: str) -> None:
        """Add Set-Cookie: HttpOnly, Path=/, SameSite and Secure as configured, Max-Age where it has one."""
        response.set_cookie(
            self.name, value, max_age=self.max_age, path="/", secure=self.secure, httponly=True, samesite=self.same_site
        )

    def clear(self, response: Response) -> None:
        """Add a Set-Cookie that deletes it, with the attributes it was set with."""
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite=self.same_site)

    def read(self, scope: Scope) -> str:
        """Its value; empty when absent, doubled, or not one that we made."""
        found = self._sent(scope)
        return found[0].decode("latin-1") if len(found) == 1 and _is_ours(found[0]) else ""

    def came(self, scope: Scope) -> bool:
        """Whether anything came under its name, ours or not."""
        return bool(self._sent(scope))

    def _sent(self, scope: Scope) -> list[bytes]:
        wanted, found = self.name.encode(), []
        for key, value in scope["headers"]:
            if key != b"cookie":
                continue
            for pair in value.split(b";"):
                name, _, content = pair.strip(b" \t").partition(b"=")
                if name == wanted:
                    found.append(content)
        return found


def session_cookie(secure: bool) -> Cookie:  # noqa: FBT001 - the one fact it depends on
    """Opens a session; lives as long as the browser, and goes with nothing that another site began."""
    return Cookie("resapermis", secure, "strict")


def sign_in_cookie(secure: bool) -> Cookie:  # noqa: FBT001 - the same
    """Binds a sign-in to the browser that began it, for ten minutes; it must come along from the provider's site."""
    return Cookie("resapermis-sign-in", secure, "lax", 600)


def new_secret() -> str:
    """256 random bits as URL-safe text: the value of a cookie."""
    return base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()


def digest(secret: str) -> bytes:
    """SHA-256 of a secret: the form in which it is stored and looked up."""
    return sha256(secret.encode()).digest()


def derive(secret: str, purpose: str) -> str:
    """A word that only the holder of `secret` can make, one for each purpose."""
    return base64.urlsafe_b64encode(hmac.digest(secret.encode(), purpose.encode(), sha256)).rstrip(b"=").decode()


def equal_in_constant_time(one: str, other: str) -> bool:
    """Compare without telling how far they agree."""
    return hmac.compare_digest(one.encode(), other.encode())


def _is_ours(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value + b"=", altchars=b"-_", validate=True)) == SECRET_BYTES
    except binascii.Error:
        return False
