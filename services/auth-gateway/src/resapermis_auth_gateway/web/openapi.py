"""The REST contract as a document: FastAPI's, with our problem bodies, cookie and tokens said for every operation."""

import re
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute, Route, compile_path

from resapermis_auth_gateway.web.routes import (
    audit,
    auth,
    availability,
    basket,
    bookings,
    candidates,
    mandates,
    meta,
    notifications,
    school,
    slots,
    watchlist,
)
from resapermis_auth_gateway.web.wire.problem import MEDIA_TYPE, ProblemView
from resapermis_kit.errors import RENDERINGS

VERSION = "1.0.0"
SESSION, PROBLEM = "session", "#/components/schemas/Problem"
TOKEN = {
    "name": "X-CSRF-Token",
    "in": "header",
    "required": True,
    "schema": {"type": "string"},
    "description": "`csrfToken` of GET /auth/session.",
}
OPEN = frozenset(
    {"/auth/login", "/auth/callback", "/auth/backchannel-logout", "/healthz", "/readyz", "/calendars/{token}.ics"}
)
SOME_REQUEST = {"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": []}


REFUSAL = "Refusal"
UNREADABLE = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.REQUEST_URI_TOO_LONG,
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    }
)
"""Of a request that is not taken in whole (web/security/connection.py)."""
BODY = frozenset({HTTPStatus.UNSUPPORTED_MEDIA_TYPE})
PROBES = frozenset({"/healthz", "/readyz"})
UNKNOWN = {"description": "It is not known yet what became of it; nothing need be repeated."}
UNCOUNTED = frozenset({"/healthz", "/readyz", "/auth/logout"})
"""What has no limit."""
COUNTED = {
    "RateLimit-Policy": 'The limit that a request counts for: `"NAME";q=HOW MANY;w=SECONDS`; `login`, `callback` and '
    "`calendar` for each address, `read` and `write` for each account (draft-ietf-httpapi-ratelimit-headers).",
    "RateLimit": 'What is left of it: `"NAME";r=HOW MANY;t=SECONDS` until there are more.',
}
"""Headers of every answer to what has a limit."""
RETRY_AFTER = {"description": "Seconds until the next request is accepted.", "schema": {"type": "integer"}}


API = "/api/v1"
ENDLESS = f"{API}/notifications/stream"
ROUTERS = (
    (basket.router, API),
    (slots.router, API),
    (candidates.router, API),
    (mandates.router, API),
    (watchlist.router, API),
    (bookings.router, API),
    (school.router, API),
    (availability.router, API),
    (notifications.router, API),
    (audit.router, API),
    (auth.me, API),
    (candidates.restrictions, API),
    (meta.router, ""),
    (auth.router, ""),
    (availability.open_router, ""),
)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], frozenset[str], str], ...]:
    """Of each route: what its paths match, its methods, and its pattern with the prefix, which FastAPI keeps to itself."""
    found = []
    for router, prefix in ROUTERS:
        for route in router.routes:
            if isinstance(route, Route):
                expression, _, _ = compile_path(prefix + route.path)
                found.append((expression, frozenset(route.methods or ()), prefix + route.path))
    return tuple(found)


def patterns_of(path: str) -> dict[str, str]:
    """The patterns of the routes that a path may be, by method: HEAD too where it is read; empty where there is none."""
    found: dict[str, str] = {}
    for expression, methods, pattern in _patterns():
        if expression.match(path):
            found = dict.fromkeys(methods, pattern) | found
    # To begin a sign-in is more than reading about it, and a stream has no length.
    if "GET" in found and not path.startswith("/auth/") and path != ENDLESS:
        found["HEAD"] = found["GET"]
    return found


def include_routes(app: FastAPI) -> None:
    """Every route of the contract, each router by itself: FastAPI looks through nested ones again at each level.

    It tries them in this order, 3 µs each: what an opening waits for comes first.
    """
    for router, prefix in ROUTERS:
        app.include_router(router, prefix=prefix)


def _app() -> FastAPI:
    return FastAPI(
        title="ResaPermis",
        version=VERSION,
        summary="Book driving-exam slots at RdvPermis: a person asks, RdvPermis decides.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # gate.py traces and counts, without addresses
        generate_unique_id_function=lambda route: route.name,
    )


@cache
def routes() -> tuple[BaseRoute, ...]:
    """Every route, made once for all applications of the process.

    FastAPI makes the models of their parameters when the first request is matched: a tenth of a second, which nobody
    who comes first after a restart should wait for.
    """
    app = _app()
    include_routes(app)
    for route in app.router.routes:
        route.matches(SOME_REQUEST)
    return tuple(app.router.routes)


def bare_app() -> FastAPI:
    """An application that answers nothing of itself: no docs pages, no redirects."""
    app = _app()
    app.router.routes.extend(routes())
    plain = app.openapi
    kept: list[dict[str, Any]] = []

    def document() -> dict[str, Any]:
        if not kept:
            kept.append(completed(plain()))
        return kept[0]

    app.openapi = document  # type: ignore[method-assign]
    return app


def contract() -> dict[str, Any]:
    """The OpenAPI 3.1 document as JSON-ready dict; needs no database, key or peer."""
    return bare_app().openapi()


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Say what FastAPI cannot know: any refusal is a problem, the cookie opens the session, changes need the token."""
    document["paths"] = dict(sorted(document["paths"].items()))  # whatever order routes are tried in
    schemas = document["components"]["schemas"]
    for theirs in ("HTTPValidationError", "ValidationError"):
        schemas.pop(theirs, None)
    problem = ProblemView.model_json_schema(
        by_alias=True, mode="serialization", ref_template="#/components/schemas/{model}"
    )
    for name, definition in problem.pop("$defs").items():
        schemas.setdefault(name, definition)
    problem["title"] = "Problem"
    schemas["Problem"] = problem
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            field.pop("title", None)  # a camel-cased name with a capital says nothing more
    document["components"]["securitySchemes"] = {
        SESSION: {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-resapermis",
            "description": "Set by /auth/callback.",
        }
    }
    document["components"]["headers"] = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in COUNTED.items()
    } | {"Retry-After": RETRY_AFTER}
    content = {MEDIA_TYPE: {"schema": {"$ref": PROBLEM}}}
    refusal = {"description": "A refusal: why, and what to do.", "content": content}
    document["components"]["responses"] = {REFUSAL: refusal}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _say_refusals(operation, path, method, content)
            if path not in UNCOUNTED:
                _count(operation)
            if path in OPEN:
                continue
            operation["security"] = [{SESSION: []}]
            if method != "get":
                operation.setdefault("parameters", []).append(TOKEN)
    return document


def refusals(path: str, method: str) -> Sequence[int]:
    """The statuses with which an operation may be refused, in order: what no route can refuse, and what this one may.

    Of a probe those alone with which a request is refused before it is whole.
    """
    found = set(UNREADABLE)
    if path not in PROBES:
        found |= {rendering.http for rendering in RENDERINGS.values()} - {HTTPStatus.ACCEPTED}
    if method != "get":
        found |= BODY
    return sorted(map(int, found))


def _say_refusals(operation: dict[str, Any], path: str, method: str, content: dict[str, Any]) -> None:
    """Name each status with which an operation may be refused, and that of an outcome that is not known yet."""
    named = operation["responses"]
    named.pop("422", None)  # FastAPI's, which is never sent
    for status in refusals(path, method):
        named.setdefault(str(status), {"$ref": f"#/components/responses/{REFUSAL}"})
    if method != "get" and path.startswith(API):
        named.setdefault(str(int(HTTPStatus.ACCEPTED)), UNKNOWN | {"content": content})


def _count(operation: dict[str, Any]) -> None:
    """Say that an operation has a limit: what every answer tells of it, and the refusal."""
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in COUNTED}
    for status, response in operation["responses"].items():
        if status.startswith(("2", "3")):
            response["headers"] = headers
    operation["responses"]["429"] = {
        "description": "Too many requests: when to come again, and why.",
        "headers": headers | {"Retry-After": {"$ref": "#/components/headers/Retry-After"}},
        "content": {MEDIA_TYPE: {"schema": {"$ref": PROBLEM}}},
    }
