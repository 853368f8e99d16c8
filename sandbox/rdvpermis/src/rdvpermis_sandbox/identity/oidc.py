"""The OpenID provider over HTTP: `/realms/formation`, with Keycloak's paths and spellings."""

import asyncio
import base64
import binascii
import hmac
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from rdvpermis_sandbox import pages
from rdvpermis_sandbox.clock import Clock
from rdvpermis_sandbox.domain.model import Session
from rdvpermis_sandbox.domain.seed import PASSWORD
from rdvpermis_sandbox.domain.state import State
from rdvpermis_sandbox.identity.tokens import SCOPES, Denied, Tokens, person
from rdvpermis_sandbox.settings import Settings

COOKIE = "rdvpermis_sandbox_session"
REALM = "/realms/formation"
CONNECT = f"{REALM}/protocol/openid-connect"
TELL_SECONDS = 2.0
LOG = logging.getLogger("rdvpermis_sandbox")
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def discovery(issuer: str) -> dict[str, Any]:
    """The discovery document of OpenID Connect Discovery 1.0 for this issuer."""
    base = f"{issuer}/protocol/openid-connect"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{base}/auth",
        "token_endpoint": f"{base}/token",
        "introspection_endpoint": f"{base}/token/introspect",
        "userinfo_endpoint": f"{base}/userinfo",
        "end_session_endpoint": f"{base}/logout",
        "revocation_endpoint": f"{base}/revoke",
        "jwks_uri": f"{base}/certs",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": list(SCOPES),
        "claims_supported": [
            "sub",
            "given_name",
            "family_name",
            "name",
            "email",
            "preferred_username",
            "sid",
            "auth_time",
            "acr",
        ],
        "prompt_values_supported": ["none", "login", "consent"],
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }


def tell_client(address: str, logout_token: str) -> None:
    """Send a logout token, once, for two seconds at most; whether it was taken is logged. Blocks."""
    url = urlsplit(address)
    connection = (HTTPSConnection if url.scheme == "https" else HTTPConnection)(url.netloc, timeout=TELL_SECONDS)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("POST", url.path or "/", urlencode({"logout_token": logout_token}), headers)
        status = connection.getresponse().status
        if status not in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
            LOG.warning("a logout token was answered with %s", status)
    except (OSError, HTTPException) as failure:
        LOG.warning("a logout token was not delivered: %s", type(failure).__name__)
    finally:
        connection.close()


def router(settings: Settings, state: State, tokens: Tokens, clock: Clock) -> APIRouter:  # noqa: C901, PLR0915 - a list of endpoints
    """Routes of the realm: discovery, keys, authorization, token, userinfo, revocation, sign-out."""
    routes = APIRouter(tags=["connexion"])

    def back(asked: dict[str, str], answer: dict[str, str]) -> RedirectResponse:
        answer |= {"state": asked["state"]} if "state" in asked else {}
        joint = "&" if "?" in asked["redirect_uri"] else "?"
        target = f"{asked['redirect_uri']}{joint}{urlencode(answer | {'iss': settings.issuer})}"
        return RedirectResponse(target, 302, NO_STORE)

    def wrong_request(asked: dict[str, str]) -> Response | None:
        if asked.get("client_id") != settings.client_id:
            return pages.problem("Client inconnu (client_id).")
        if asked.get("redirect_uri") not in settings.redirect_uris:
            return pages.problem("Adresse de retour non enregistrée (redirect_uri).")
        if asked.get("response_type") != "code":
            return back(asked, {"error": "unsupported_response_type"})
        unknown = set(asked.get("scope", "").split()) - set(SCOPES)
        if unknown or "openid" not in asked.get("scope", "").split():
            return back(asked, {"error": "invalid_scope"})
        challenge = asked.get("code_challenge", "")
        pkce = not challenge or (asked.get("code_challenge_method") == "S256" and len(challenge) == 43)
        if not pkce or not re.fullmatch(r"[0-9]{1,9}", asked.get("max_age", "0")):
            expected = "max_age in seconds expected" if pkce else "PKCE S256 expected"
            return back(asked, {"error": "invalid_request", "error_description": expected})
        return None

    def admitted(asked: dict[str, str], session: Session) -> Response:
        """The code, or first the question whether the person agrees, where that is asked for."""
        if "consent" in asked.get("prompt", "").split():
            return pages.consent(f"{REALM}/login-actions/consent?{urlencode(asked)}")
        return back(asked, {"code": tokens.new_code(session, asked, clock.now()), "session_state": session.id})

    def form(asked: dict[str, str], *, failed: bool) -> Response:
        return pages.login(f"{REALM}/login-actions/authenticate?{urlencode(asked)}", failed=failed)

    @routes.get(f"{REALM}/.well-known/openid-configuration")
    async def configuration() -> dict[str, Any]:
        return discovery(settings.issuer)

    @routes.get(f"{CONNECT}/certs")
    async def certs() -> dict[str, Any]:
        return tokens.jwks()

    @routes.get(f"{CONNECT}/auth")
    async def auth(request: Request) -> Response:
        asked = dict(request.query_params)
        wrong = wrong_request(asked)
        if wrong is not None:
            return wrong
        now = clock.now()
        session, prompts = tokens.session(request.cookies.get(COOKIE), now), asked.get("prompt", "").split()
        oldest = int(asked["max_age"]) if "max_age" in asked else None
        recent = session is not None and (oldest is None or now - session.auth_time <= timedelta(seconds=oldest))
        if session and recent and "login" not in prompts:
            return admitted(asked, session)
        if "none" in prompts:
            return back(asked, {"error": "login_required"})
        return form(asked, failed=False)

    @routes.post(f"{REALM}/login-actions/authenticate")
    async def authenticate(request: Request) -> Response:
        asked, typed = dict(request.query_params), await request.form()
        wrong = wrong_request(asked)
        if wrong is not None:
            return wrong
        employee = state.world.by_username.get(str(typed.get("username", "")).strip())
        if employee is None or not hmac.compare_digest(str(typed.get("password", "")).encode(), PASSWORD.encode()):
            return form(asked, failed=True)
        now = clock.now()
        cookie = tokens.open_session(employee, now)
        session = state.truth.sessions[cookie]
        answer = admitted(asked, session)
        secure = settings.public_url.startswith("https:")
        answer.set_cookie(COOKIE, cookie, path=REALM, httponly=True, samesite="lax", secure=secure)
        return answer

    @routes.post(f"{REALM}/login-actions/consent")
    async def consent(request: Request) -> Response:
        asked, typed = dict(request.query_params), await request.form()
        wrong = wrong_request(asked)
        session = tokens.session(request.cookies.get(COOKIE), clock.now())
        if wrong is not None:
            return wrong
        if session is None:
            return form(asked, failed=False)
        if typed.get("reponse") != "accepter":
            return back(asked, {"error": "access_denied"})
        return back(asked, {"code": tokens.new_code(session, asked, clock.now()), "session_state": session.id})

    def client(request: Request, typed: dict[str, str]) -> str:
        name, secret = typed.get("client_id", ""), typed.get("client_secret", "")
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.casefold() == "basic":
            try:
                plain = base64.b64decode(encoded, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                plain = ""
            name, _, secret = (unquote(part) for part in plain.partition(":"))
        good = hmac.compare_digest(secret.encode(), settings.client_secret.encode())
        if name != settings.client_id or not good:
            raise Denied("invalid_client", "Invalid client or Invalid client credentials")
        return name

    async def answer(request: Request, work: Callable[[str, dict[str, str]], dict[str, Any] | None]) -> Response:
        typed = {key: str(value) for key, value in (await request.form()).items()}
        try:
            return JSONResponse(work(client(request, typed), typed), headers=NO_STORE)
        except Denied as denied:
            status = 401 if denied.error == "invalid_client" else 400
            content = {"error": denied.error, "error_description": denied.description}
            return JSONResponse(content, status, NO_STORE)

    @routes.post(f"{CONNECT}/token")
    async def token(request: Request) -> Response:
        def work(name: str, typed: dict[str, str]) -> dict[str, Any]:
            now = clock.now()
            kind = typed.get("grant_type")
            if kind == "authorization_code":
                verifier = typed.get("code_verifier", "")
                return tokens.exchange(name, typed.get("code", ""), typed.get("redirect_uri", ""), verifier, now)
            if kind == "refresh_token":
                return tokens.refresh(name, typed.get("refresh_token", ""), now)
            raise Denied("unsupported_grant_type", "authorization_code and refresh_token only")

        return await answer(request, work)

    @routes.post(f"{CONNECT}/revoke")
    async def revoke(request: Request) -> Response:
        def work(name: str, typed: dict[str, str]) -> dict[str, Any]:
            tokens.revoke(name, typed.get("token", ""))
            return {}

        return await answer(request, work)

    @routes.post(f"{CONNECT}/token/introspect")
    async def introspect(request: Request) -> Response:
        def work(_name: str, typed: dict[str, str]) -> dict[str, Any]:
            found = tokens.access(typed.get("token", ""), clock.now())
            if found is None:
                return {"active": False}
            expires = int(found.expires.timestamp())
            return {"active": True, "sub": found.employee, "scope": found.scope, "exp": expires}

        return await answer(request, work)

    @routes.get(f"{CONNECT}/userinfo")
    async def userinfo(request: Request) -> Response:
        found = tokens.access(request.headers.get("authorization", "").removeprefix("Bearer "), clock.now())
        if found is None:
            return JSONResponse({"error": "invalid_token"}, 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        employee = state.world.employees[found.employee]
        return JSONResponse({"sub": employee.id} | person(employee), headers=NO_STORE)

    @routes.get(f"{CONNECT}/logout", operation_id="logout")
    @routes.post(f"{CONNECT}/logout", operation_id="logout_by_form")
    async def logout(request: Request) -> Response:
        asked = dict(request.query_params)
        if request.method == "POST":
            asked |= {key: str(value) for key, value in (await request.form()).items()}
        claims = tokens.unsigned(asked.get("id_token_hint", ""))
        session = tokens.session(request.cookies.get(COOKIE), clock.now())
        known = claims is not None or asked.get("client_id") == settings.client_id
        ended = str(claims["sid"]) if claims else session.id if session else ""
        notice = tokens.logout_token(ended, settings.client_id, clock.now()) if settings.backchannel_logout_uri else ""
        tokens.close_session(ended)
        if notice:
            await asyncio.to_thread(tell_client, settings.backchannel_logout_uri, notice)
        target = asked.get("post_logout_redirect_uri", "")
        if target and not (known and any(_same_site(target, each) for each in settings.redirect_uris)):
            return pages.problem("Adresse de retour non enregistrée (post_logout_redirect_uri).")
        left: Response
        if target:
            joint = "&" if "?" in target else "?"
            left = RedirectResponse(
                target + (f"{joint}{urlencode({'state': asked['state']})}" if "state" in asked else ""), 302
            )
        else:
            left = pages.page("Déconnexion", "<p>Vous êtes déconnecté.</p>")
        left.delete_cookie(COOKIE, path=REALM)
        return left

    return routes


def _same_site(target: str, registered: str) -> bool:
    """After sign-out one may go anywhere on the origin of a registered redirect URI [default]."""
    origin = "/".join(registered.split("/", 3)[:3])
    return target == origin or target.startswith(f"{origin}/")
