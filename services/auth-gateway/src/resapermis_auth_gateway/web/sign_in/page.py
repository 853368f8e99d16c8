"""A refusal for a person who is between two sites and has no page of ours to show it: one sentence, one way on."""

from datetime import datetime
from html import escape

from fastapi import Request, Response

from resapermis_auth_gateway.web.texts.sentences import language_of
from resapermis_auth_gateway.web.wire.problem import body_of, headers_of, status_of
from resapermis_kit.errors import Failure

AGAIN = {"fr": "Recommencer la connexion", "en": "Sign in again"}


def accepts_html(request: Request) -> bool:
    """Whether a browser shows the answer to a person."""
    return "text/html" in request.headers.get("accept", "")


def render(failure: Failure, request: Request, now: datetime) -> Response:
    """The refusal as an HTML page in the reader's language, with its status and a link to sign in again."""
    language = language_of(request.headers.get("accept-language", ""))
    problem = body_of(failure, language)
    html = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(problem.title)} · ResaPermis</title>'
        f"<main><h1>{escape(problem.title)}</h1><p>{escape(problem.detail)}</p>"
        f'<p><a href="/auth/login">{AGAIN[language]}</a></p></main></html>'
    )
    return Response(
        html,
        status_code=status_of(failure),
        media_type="text/html",
        headers=headers_of(failure, language, now),
    )
