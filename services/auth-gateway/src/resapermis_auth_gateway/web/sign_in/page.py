"""A refusal for a person who is between two sites and has no page of ours to show it: one sentence, one way on."""

from collections.abc import Iterator
from datetime import datetime
from html import escape
from urllib.parse import urlencode

from fastapi import Request, Response

from resapermis_auth_gateway.web.texts.sentences import Language, language_of
from resapermis_auth_gateway.web.wire.problem import body_of, headers_of, status_of
from resapermis_kit.errors import Code, Failure

MISSING = {
    "name": {
        "fr": "Il manque votre nom : RdvPermis ne nous le transmet pas (portée « profile »).",
        "en": "Your name is missing: ResaPermis must ask RdvPermis for it (scope “profile”).",
    },
    "auth_time": {
        "fr": "Il manque l'heure de votre identification : RdvPermis ne la transmet pas (« auth_time »).",
        "en": "The time when you proved who you are is missing: RdvPermis does not state it (“auth_time”).",
    },
    "school": {
        "fr": "Il manque votre auto-école : RdvPermis ne vous rattache à aucune.",
        "en": "Your driving school is missing: RdvPermis attaches you to none.",
    },
    "token": {
        "fr": "Il manque l'accès : RdvPermis ne reconnaît pas cette connexion.",
        "en": "Access is missing: RdvPermis does not recognise this sign-in.",
    },
}
"""What a sign-in lacks, by the field that the refusal names."""
REFERENCE = {"fr": "Référence :", "en": "Reference:"}
AGAIN = {"fr": "Recommencer la connexion", "en": "Sign in again"}


def accepts_html(request: Request) -> bool:
    """Whether a browser shows the answer to a person."""
    return "text/html" in request.headers.get("accept", "")


def render(failure: Failure, request: Request, now: datetime, return_to: str = "", *, fresh: bool = False) -> Response:
    """The refusal as an HTML page in the reader's language, with its status, what is missing, and a link to sign in again.

    The link asks for what was asked: `return_to`, and `fresh`. There is none where signing in again would lead here again.
    """
    language = language_of(request.headers.get("accept-language", ""))
    asked = urlencode({**({"returnTo": return_to} if return_to else {}), **({"fresh": "true"} if fresh else {})})
    again = f"/auth/login?{asked}" if asked else "/auth/login"
    problem = body_of(failure, language)
    html = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(problem.title)} · ResaPermis</title>'
        f"<main><h1>{escape(problem.title)}</h1><p>{escape(problem.detail)}</p>"
        f"{''.join(_paragraphs(failure, language, again))}</main></html>"
    )
    return Response(
        html,
        status_code=status_of(failure),
        media_type="text/html",
        headers=headers_of(failure, language, now),
    )


def _paragraphs(failure: Failure, language: Language, again: str) -> Iterator[str]:
    for field, _ in failure.violations:
        if field in MISSING:
            yield f"<p>{MISSING[field][language]}</p>"
    if reference := failure.error_id or failure.rdvpermis_code:
        yield f"<p>{REFERENCE[language]} {escape(reference)}</p>"
    if failure.code != Code.CODE_SIGN_IN_INCOMPLETE:
        yield f'<p><a href="{escape(again)}">{AGAIN[language]}</a></p>'
