"""The REST contract as a document: FastAPI's, with our problem bodies, cookie and tokens said for every operation."""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute

from resapermis_auth_gateway.web.route_table import API, ENTRANCE, PROBES, include_routes
from resapermis_auth_gateway.web.wire.problem import MEDIA_TYPE, ProblemView

VERSION = "1.0.0"
SESSION, PROBLEM = "session", "#/components/schemas/Problem"
KEY = "Idempotency-Key"
TOKEN = {
    "name": "X-CSRF-Token",
    "in": "header",
    "required": True,
    "schema": {"type": "string"},
    "description": "`csrfToken` of GET /auth/session.",
}
OPEN = PROBES | {"/auth/login", "/auth/callback", "/auth/backchannel-logout", "/calendars/{token}.ics"} | ENTRANCE
SOME_REQUEST = {"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": []}


REFUSAL = "Refusal"
UNREADABLE = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.REQUEST_URI_TOO_LONG,
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }
)
"""Of a request that is not taken in whole, or whose address has too many connections (web/security/connection.py)."""
ANSWERED_HERE = (
    "/auth/session",
    "/auth/logout",
    "/auth/backchannel-logout",
    f"{API}/me/",
    f"{API}/people",
    f"{API}/school/background-work",
)
"""How paths begin for which no service is asked, or none whose refusal would be passed on."""
LEAVES = ("post", f"{API}/me/grant")
"""Among them, what egress is asked about: where the provider has people sign in."""
READ_HERE = frozenset({"audit", "notifications", "candidates", "mandates", "session"})
"""What reads are about, by tag, for which nobody asks RdvPermis: nothing there can be in the way."""
READ_HERE_TOO = frozenset({f"{API}/basket", f"{API}/bookings", f"{API}/bookings/results"})
FINISH = frozenset(path for path in ENTRANCE if path.endswith("/finish"))
BY_WORD = frozenset(path for path in ENTRANCE if not path.startswith("/auth/passkey/"))
"""What an invitation's word or a code opens, or does not."""
CHANGES_PEOPLE = frozenset(
    {
        ("post", f"{API}/people/{{person_id}}/invitation"),
        ("post", f"{API}/people/{{person_id}}/suspension"),
        ("delete", f"{API}/people/{{person_id}}/suspension"),
        ("delete", f"{API}/people/{{person_id}}"),
    }
)
"""What goes from some states of a person alone."""
NOT_FOUND_TOO = frozenset({f"{API}/audit/checkpoint", f"{API}/notifications"})
"""Nothing has been recorded yet; the notice of a cursor has gone."""
UNKNOWN = {"description": "It is not known yet what became of it; nothing need be repeated."}
UNCOUNTED = PROBES | {"/auth/logout"}
"""What has no limit."""
COUNTED = {
    "RateLimit-Policy": 'The limit that a request counts for: `"NAME";q=HOW MANY;w=SECONDS`; `login`, `callback` and '
    "`calendar` for each address, `read` and `write` for each account (draft-ietf-httpapi-ratelimit-headers).",
    "RateLimit": 'What is left of it: `"NAME";r=HOW MANY;t=SECONDS` until there are more.',
}
"""Headers of every answer to what has a limit."""
RETRY_AFTER = {"description": "Seconds until the next request is accepted.", "schema": {"type": "integer"}}


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
            _say_refusals(operation, refusals(path, method, operation, schemas), content)
            if path not in UNCOUNTED:
                _count(operation)
            if path in OPEN:
                continue
            operation["security"] = [{SESSION: []}]
            if method != "get":
                operation.setdefault("parameters", []).append(TOKEN)
    return document


def refusals(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Sequence[int]:
    """The statuses with which an operation may be refused, in order: they follow from what it is given, and whom it asks.

    Not 429, which goes with a limit (`UNCOUNTED`); 202 is the outcome that is not known yet.
    """
    if path in PROBES:
        return sorted(map(int, UNREADABLE))
    given = {one["name"]: one["in"] for one in operation.get("parameters", [])}
    changes, closed = method != "get", path not in OPEN
    asks = path.startswith((API, "/auth/log", "/auth/callback", "/calendars/")) and not path.startswith(ANSWERED_HERE)
    asks |= (method, path) == LEAVES
    may_name_others = asks and changes and _names_others(operation, schemas)
    may_be = {
        HTTPStatus.INTERNAL_SERVER_ERROR: True,
        HTTPStatus.UNAUTHORIZED: closed or path == "/auth/callback" or path in FINISH,
        HTTPStatus.FORBIDDEN: closed or path in ENTRANCE | {"/auth/login", "/auth/callback"},
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: changes,
        HTTPStatus.UNPROCESSABLE_ENTITY: KEY in given
        or bool({"path", "query"} & set(given.values()))
        or ((closed or path in ENTRANCE) and "requestBody" in operation),
        HTTPStatus.NOT_FOUND: "path" in given.values() or path in NOT_FOUND_TOO | BY_WORD or may_name_others,
        HTTPStatus.GATEWAY_TIMEOUT: asks,
        HTTPStatus.CONFLICT: (asks and (changes or not _reads_here(path, operation)))
        or (method, path) in CHANGES_PEOPLE,
        HTTPStatus.PRECONDITION_FAILED: asks and KEY in given,
        HTTPStatus.ACCEPTED: asks and (KEY in given or method == "put"),
    }
    return sorted(map(int, UNREADABLE | {status for status, may in may_be.items() if may}))


def _reads_here(path: str, operation: dict[str, Any]) -> bool:
    """Whether a read asks nobody who asks RdvPermis."""
    return bool(READ_HERE & set(operation["tags"])) or path in READ_HERE_TOO | OPEN


def _names_others(operation: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether what an operation is given can name something that is not there: a field of its body, or a parameter, is an id."""
    names = {one["name"] for one in operation.get("parameters", [])}
    waiting: list[Any] = [operation.get("requestBody")]
    seen: set[str] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            names |= set(one.get("properties", ()))
            waiting += one.values()
            name = str(one.get("$ref", "")).rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                waiting.append(schemas[name])
    return any(name == "id" or name.endswith(("Id", "Ids")) for name in names)


def _say_refusals(operation: dict[str, Any], statuses: Sequence[int], content: dict[str, Any]) -> None:
    """Name each status with which an operation may be refused, and that of an outcome that is not known yet."""
    named = operation["responses"]
    named.pop("422", None)  # FastAPI's, which is never sent
    for status in statuses:
        if status == HTTPStatus.ACCEPTED:
            named.setdefault(str(status), UNKNOWN | {"content": content})
        else:
            named.setdefault(str(status), {"$ref": f"#/components/responses/{REFUSAL}"})


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
