"""How we prove at the provider that we are its client: in the strongest of our ways that it accepts. Authlib makes the proof."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus, urlencode

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc7523 import private_key_jwt_sign
from authlib.oauth2.rfc7523.client import ASSERTION_TYPE
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

METHODS = ("private_key_jwt", "client_secret_basic", "client_secret_post")
"""Strongest first."""
ASSERTION_SECONDS = 60
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Key = RSAKey | ECKey


@dataclass(frozen=True)
class Credentials:
    """What we were registered with: a secret, a private key, or both."""

    client_id: str
    secret: str = field(default="", repr=False)
    key: Key | None = field(default=None, repr=False)
    method: str = ""
    """The only way to be used; empty: the strongest that both sides know."""

    def method_among(self, accepted: Sequence[str]) -> str:
        """The way to be used where these are accepted; ValueError when none of them is ours."""
        ours = [one for one in METHODS if (self.key is not None if one == "private_key_jwt" else self.secret)]
        for method in [self.method] if self.method else ours:
            if method in accepted and method in ours:
                return method
        raise ValueError("the provider accepts no way in which we could prove who we are")

    def prove(
        self, form: Mapping[str, str], accepted: Sequence[str], issuer: str, now: float
    ) -> tuple[dict[str, str], bytes]:
        """Headers and body of a form that carries the proof. `now` in seconds since 1970; ValueError as `method_among`."""
        method = self.method_among(accepted)
        if method == "private_key_jwt":
            assertion = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self._assertion(issuer, now)}
            return dict(FORM), urlencode({**form, "client_id": self.client_id, **assertion}).encode()
        basic = method == "client_secret_basic"
        # RFC 6749 2.3.1: id and secret are form-encoded before they are joined, which Authlib leaves to its caller.
        names = (quote_plus(self.client_id), quote_plus(self.secret)) if basic else (self.client_id, self.secret)
        _, headers, body = ClientAuth(*names, method).prepare("POST", "", dict(FORM), urlencode(form))
        return headers, body.encode()

    def _assertion(self, issuer: str, now: float) -> str:
        """A JWT of a minute for this provider alone: its audience is the issuer, whatever its endpoints are called."""
        key = self.key
        if key is None:
            raise ValueError("no private key")
        claims = {"iat": int(now), "exp": int(now) + ASSERTION_SECONDS}
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        header = {"kid": key.kid} if key.kid else {}
        signed = private_key_jwt_sign(key, self.client_id, issuer, alg=algorithm, claims=claims, header=header)
        return str(signed)


def read_key(file: Path) -> Key:
    """A private key as JWK; ValueError for anything else."""
    key = JWKRegistry.import_key(json.loads(file.read_text(encoding="utf-8")))
    fits = isinstance(key, RSAKey) or (isinstance(key, ECKey) and key.curve_name == "P-256")
    if not isinstance(key, RSAKey | ECKey) or not fits or not key.is_private:
        raise ValueError("the client's key is a private key of RSA or P-256")
    return key
