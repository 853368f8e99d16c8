"""The web application: routes, refusals as problems, the gate around it all."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resapermis_auth_gateway.web.dependencies import Dependencies
from resapermis_auth_gateway.web.gate import Gate, unexpected
from resapermis_auth_gateway.web.openapi import bare_app
from resapermis_auth_gateway.web.security import static
from resapermis_auth_gateway.web.texts.sentences import language_of
from resapermis_auth_gateway.web.wire.problem import EdgeFailure, bad_request, response_of
from resapermis_kit.errors import Code, Failure

MOST_VIOLATIONS = 20
LARGE = 8192
"""Bytes from which an answer is compressed: lists. Answers with a token in them are smaller, and session cookies are
SameSite=Strict, so that no other site can have answers made whose size would tell of their content (BREACH)."""
FAST = 4
"""gzip's level: 72 KB of slots become 6 KB in a millisecond."""


def build(dependencies: Dependencies) -> ASGIApp:
    """The whole application; uvicorn or a test serves it."""
    app = bare_app()
    app.state.dependencies = dependencies
    app.router.default = static.Files(dependencies.settings)
    _refusals(app, dependencies)
    app.add_middleware(UnexpectedErrors, dependencies=dependencies)
    app.add_middleware(GZipMiddleware, minimum_size=LARGE, compresslevel=FAST)
    return Gate(app, dependencies)


class UnexpectedErrors:
    """Closest to the routes: an unexpected error becomes INTERNAL here, before the framework could keep its text."""

    def __init__(self, app: ASGIApp, dependencies: Dependencies) -> None:
        """Around `app`."""
        self._app, self._dependencies = app, dependencies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - logged with an id, answered without its text
            refusal = unexpected(error)
            if not begun:  # else the server sees an answer without end and cuts the connection
                language = language_of(Request(scope).headers.get("accept-language", ""))
                await response_of(refusal, language, self._dependencies.now())(scope, receive, send)


def _refusals(app: FastAPI, dependencies: Dependencies) -> None:
    def answer(request: Request, failure: Failure) -> Response:
        return response_of(failure, language_of(request.headers.get("accept-language", "")), dependencies.now())

    @app.exception_handler(Failure)
    async def refused(request: Request, failure: Failure) -> Response:
        request.scope["denied"] = failure.denied  # the gate has it recorded
        return answer(request, failure)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return answer(request, _violations(error))

    @app.exception_handler(HTTPException)
    async def by_framework(request: Request, error: HTTPException) -> Response:
        response = answer(request, _framework(error))
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response


def _violations(error: RequestValidationError) -> Failure:
    """Which fields, and why; values are never repeated. A bad Idempotency-Key is a 400."""
    found = [(_path(one["loc"]), one["msg"] if one["type"] != "json_invalid" else "not JSON") for one in error.errors()]
    if any(one["loc"][:1] == ("header",) for one in error.errors()):
        field, description = next(pair for pair in found if pair[0] in _headers(error))
        return bad_request(field, description)
    return Failure(Code.CODE_MALFORMED, "fields cannot be read", violations=found[:MOST_VIOLATIONS])


def _headers(error: RequestValidationError) -> set[str]:
    return {_path(one["loc"]) for one in error.errors() if one["loc"][:1] == ("header",)}


def _path(location: tuple[int | str, ...]) -> str:
    """("body", "items", 2, "slotId") → "items[2].slotId"."""
    text = ""
    for part in location[1:] or location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")[:100]


def _framework(error: HTTPException) -> Failure:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return Failure(Code.CODE_NOT_FOUND, "no such resource")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return EdgeFailure(HTTPStatus.METHOD_NOT_ALLOWED, Failure(Code.CODE_NOT_FOUND, "no such method here"))
    if HTTPStatus.BAD_REQUEST <= error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return bad_request("request", "cannot be read", HTTPStatus(error.status_code))
    return Failure(Code.CODE_INTERNAL, "the framework gave up")
