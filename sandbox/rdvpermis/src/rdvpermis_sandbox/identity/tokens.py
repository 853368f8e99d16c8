"""Codes, families of refresh tokens, sessions and keys: what the OpenID provider remembers. No HTTP.

Lives: code 60 s, access 300 s, refresh 1,800 s from each use, offline 30 days from each use [default], browser session 10 h [default].
"""

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from rdvpermis_sandbox.domain.model import Access, Code, Employee, Grant, Refresh, Session
from rdvpermis_sandbox.domain.state import State

CODE, ACCESS, REFRESH = timedelta(seconds=60), timedelta(seconds=300), timedelta(seconds=1800)
LOGOUT_SECONDS = 120
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
OFFLINE, SESSION = timedelta(days=30), timedelta(hours=10)
SCOPES = (
    "openid",
    "rdvpermis",
    "livret_numerique:read",
    "livret_numerique:write",
    "offline_access",
    "profile",
    "email",
)


class Denied(Exception):
    """An OAuth error: code of RFC 6749 and a sentence."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error, self.description = error, description


class Tokens:
    """Over the truth; `secret` makes a new unguessable text."""

    def __init__(self, state: State, issuer: str, secret: Callable[[], str]) -> None:
        self.state, self.issuer, self._secret = state, issuer, secret
        if not state.truth.keys:
            self.rotate_keys(drop_old=True)
        self._keys: dict[str, RSAKey] = {}

    def rotate_keys(self, *, drop_old: bool) -> None:
        """A new signing key; old ones stay published unless dropped."""
        key = RSAKey.generate_key(2048, auto_kid=True)
        private = {name: str(value) for name, value in key.as_dict(private=True).items()}
        private["kid"] = str(key.kid)
        self.state.truth.keys = [private] if drop_old else [private, *self.state.truth.keys]
        self.state.dirty = True

    def _key(self, private: dict[str, str]) -> RSAKey:
        if private["kid"] not in self._keys:
            self._keys[private["kid"]] = RSAKey.import_key(dict(private))
        return self._keys[private["kid"]]

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517) by which our JWTs verify, those rotated out too unless dropped."""
        published = (self._key(each).as_dict(private=False) for each in self.state.truth.keys)
        return {"keys": [{**each, "use": "sig", "alg": "RS256"} for each in published]}

    def sign(self, claims: dict[str, Any], kind: str) -> str:
        """A JWT (RS256) of these claims by the newest key; `kind` is its `typ`."""
        private = self.state.truth.keys[0]
        return jwt.encode({"alg": "RS256", "kid": private["kid"], "typ": kind}, claims, self._key(private))

    def unsigned(self, token: str) -> dict[str, Any] | None:
        """The claims of a JWT that one of our keys signed; None otherwise. Expiry is not checked."""
        for private in self.state.truth.keys:
            try:
                return dict(jwt.decode(token, self._key(private), algorithms=["RS256"]).claims)
            except (ValueError, JoseError):
                continue
        return None

    def open_session(self, employee: Employee, now: datetime) -> str:
        """A browser signed in; answers the cookie's value."""
        cookie = self._secret()
        self.state.truth.sessions[cookie] = Session(self._secret()[:16], employee.id, now, now + SESSION)
        self.state.dirty = True
        return cookie

    def session(self, cookie: str | None, now: datetime) -> Session | None:
        """The session that a cookie opens; None when it is unknown or has ended."""
        found = self.state.truth.sessions.get(cookie or "")
        return found if found and found.expires > now else None

    def logout_token(self, session_id: str, client: str, now: datetime) -> str:
        """What a client is told of a session that ends (OpenID Connect Back-Channel Logout 1.0, 2.4); "" for none it was in."""
        grants = [one for one in self.state.truth.grants.values() if one.session == session_id and one.client == client]
        if not grants:
            return ""
        issued = int(now.timestamp())
        claims = {
            "iss": self.issuer,
            "aud": client,
            "iat": issued,
            "exp": issued + LOGOUT_SECONDS,
            "jti": self._secret(),
            "sub": grants[0].employee,
            "sid": session_id,
            "events": {LOGOUT_EVENT: {}},
        }
        return self.sign(claims, "logout+jwt")

    def close_session(self, session_id: str) -> None:
        """Sign out: the session goes, and every grant of it that is not offline."""
        truth = self.state.truth
        for cookie in [cookie for cookie, each in truth.sessions.items() if each.id == session_id]:
            del truth.sessions[cookie]
        for grant in truth.grants.values():
            if grant.session == session_id and not grant.offline:
                grant.revoked = True
        self.state.dirty = True

    def new_code(self, session: Session, asked: dict[str, str], now: datetime) -> str:
        """A code for what was asked at the authorization endpoint."""
        self._forget_expired(now)
        code = self._secret()
        self.state.truth.codes[code] = Code(
            asked["client_id"],
            asked["redirect_uri"],
            session.employee,
            asked["scope"],
            asked.get("nonce", ""),
            asked.get("code_challenge", ""),
            session.id,
            session.auth_time,
            now + CODE,
        )
        self.state.dirty = True
        return code

    def exchange(self, client: str, code: str, redirect_uri: str, verifier: str, now: datetime) -> dict[str, Any]:
        """Code for tokens. A code used twice revokes what it gave."""
        found = self.state.truth.codes.get(code)
        if found is None or found.client != client or found.expires <= now:
            raise Denied("invalid_grant", "Code not valid")
        if found.grant:
            self._revoke(found.grant)
            raise Denied("invalid_grant", "Code already used")
        if found.redirect_uri != redirect_uri:
            raise Denied("invalid_grant", "Incorrect redirect_uri")
        hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if found.challenge and found.challenge != hashed:
            raise Denied("invalid_grant", "PKCE verification failed")
        offline = "offline_access" in found.scope.split()
        grant = Grant(
            self._secret()[:16],
            found.employee,
            client,
            found.scope,
            found.session,
            found.auth_time,
            found.nonce,
            offline,
        )
        self.state.truth.grants[grant.id] = grant
        found.grant = grant.id
        return self._issue(grant, now)

    def refresh(self, client: str, token: str, now: datetime) -> dict[str, Any]:
        """A refresh token for new tokens. One used before revokes its family."""
        found = self.state.truth.refreshes.get(token)
        grant = self.state.truth.grants.get(found.grant) if found else None
        if found is None or grant is None or grant.client != client:
            raise Denied("invalid_grant", "Invalid refresh token")
        if found.used:
            self._revoke(grant.id)
            raise Denied("invalid_grant", "Stale token")
        if grant.revoked or found.expires <= now:
            raise Denied("invalid_grant", "Token is not active")
        found.used = True
        return self._issue(grant, now)

    def _issue(self, grant: Grant, now: datetime) -> dict[str, Any]:
        employee = self.state.world.employees[grant.employee]
        stamp = int(now.timestamp())
        base = {"iss": self.issuer, "sub": employee.id, "iat": stamp, "auth_time": int(grant.auth_time.timestamp())}
        base |= {"sid": grant.session, "acr": "1", "azp": grant.client}
        claims = base | {
            "exp": int((now + ACCESS).timestamp()),
            "jti": self._secret()[:22],
            "scope": grant.scope,
            "typ": "Bearer",
        }
        access, refresh = self.sign(claims, "JWT"), self._secret()
        life = OFFLINE if grant.offline else REFRESH
        self.state.truth.accesses[access] = Access(grant.id, employee.id, grant.scope, now + ACCESS)
        self.state.truth.refreshes[refresh] = Refresh(grant.id, now + life)
        self.state.dirty = True
        answer: dict[str, Any] = {
            "access_token": access,
            "expires_in": int(ACCESS.total_seconds()),
            "refresh_token": refresh,
            "refresh_expires_in": 0 if grant.offline else int(REFRESH.total_seconds()),
            "token_type": "Bearer",
            "session_state": grant.session,
            "scope": grant.scope,
        }
        if "openid" in grant.scope.split():
            identity = base | {"aud": grant.client, "exp": claims["exp"], "typ": "ID", **person(employee)}
            answer["id_token"] = self.sign(identity | ({"nonce": grant.nonce} if grant.nonce else {}), "JWT")
        return answer

    def revoke(self, client: str, token: str) -> None:
        """RFC 7009: an access token alone, a refresh token with its family; unknown ones are no error."""
        truth = self.state.truth
        access, refresh = truth.accesses.get(token), truth.refreshes.get(token)
        if access and truth.grants[access.grant].client == client:
            del truth.accesses[token]
        if refresh and truth.grants[refresh.grant].client == client:
            self._revoke(refresh.grant)
        self.state.dirty = True

    def _revoke(self, grant_id: str) -> None:
        self.state.truth.grants[grant_id].revoked = True
        self.state.dirty = True

    def access(self, token: str, now: datetime) -> Access | None:
        """A live access token; one of a revoked family is dead at once [default]."""
        found = self.state.truth.accesses.get(token)
        if found is None or found.expires <= now or self.state.truth.grants[found.grant].revoked:
            return None
        return found

    def _forget_expired(self, now: datetime) -> None:
        truth = self.state.truth
        truth.codes = {key: each for key, each in truth.codes.items() if each.expires + REFRESH > now}
        truth.accesses = {key: each for key, each in truth.accesses.items() if each.expires > now}
        truth.refreshes = {key: each for key, each in truth.refreshes.items() if each.expires > now}
        truth.sessions = {key: each for key, each in truth.sessions.items() if each.expires > now}


def person(employee: Employee) -> dict[str, str]:
    """The name claims (OpenID Connect Core 5.1) of an employee."""
    return {
        "given_name": employee.first_name,
        "family_name": employee.last_name,
        "name": f"{employee.first_name} {employee.last_name}",
        "email": employee.email,
        "preferred_username": employee.username,
    }
