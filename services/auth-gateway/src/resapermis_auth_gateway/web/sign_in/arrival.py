"""Coming back from the provider. From another site the session's cookie (SameSite=Strict) does not come along.

Who is signed in already, and which session a new one replaces, would not be known. The callback then changes nothing: a
page of ours goes on to the same address, and the request that it begins is our own site's.
"""

from html import escape
from urllib.parse import urlencode

from fastapi import Response
from starlette.types import Scope

from resapermis_auth_gateway.web.texts.sentences import Language

CALLBACK = "/auth/callback"
ONWARD = "onward"
"""Query parameter of an address that our own page led to: one page, whatever a browser says of where it comes from."""
POLICY = "default-src 'none'; base-uri 'none'; object-src 'none'; form-action 'none'; frame-ancestors 'none'"
"""Without `sandbox`, unlike other answers: what a sandboxed page begins comes from nowhere, and so from another site."""
TITLE = {"fr": "Connexion en cours", "en": "Signing in"}
CONTINUE = {"fr": "Continuer", "en": "Continue"}


def from_elsewhere(scope: Scope) -> bool:
    """Whether another site led a browser to the callback, or an old browser does not say who did."""
    if scope["path"] != CALLBACK or f"{ONWARD}=1".encode() in scope["query_string"].split(b"&"):
        return False
    sites = [value for key, value in scope["headers"] if key == b"sec-fetch-site"]
    if sites:
        return not set(sites) <= {b"same-origin", b"same-site", b"none"}
    return any(key == b"accept" and b"text/html" in value for key, value in scope["headers"])


def page(answer: dict[str, str], language: Language) -> Response:
    """Go on to the callback with `answer` (name → value; empty ones stay away): at once, or by the link."""
    onward = escape(f"{CALLBACK}?{urlencode({name: value for name, value in answer.items() if value} | {ONWARD: '1'})}")
    html = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0; url={onward}">'
        f"<title>{TITLE[language]} · ResaPermis</title>"
        f'<main><h1>{TITLE[language]}</h1><p><a href="{onward}">{CONTINUE[language]}</a></p></main></html>'
    )
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Vary": "Accept-Language, Sec-Fetch-Site",
    }
    return Response(html, media_type="text/html", headers=headers)
