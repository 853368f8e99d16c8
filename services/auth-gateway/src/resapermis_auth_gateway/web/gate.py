"""What happens around every request, in one place and in this order: span, site, session, token, rate, body; answer, headers."""

import contextlib
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import structlog
from opentelemetry import trace
from prometheus_client import Histogram
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resapermis_auth_gateway.web.dependencies import Dependencies, Visitor, no_session
from resapermis_auth_gateway.web.route_table import ENTRANCE, PATTERN_OF, PROBES, pattern_of, patterns_of
from resapermis_auth_gateway.web.security import body
from resapermis_auth_gateway.web.security.address import counted_as, place_of
from resapermis_auth_gateway.web.security.headers import DEFAULTS, REPORTS, security_headers
from resapermis_auth_gateway.web.security.rates import Headers, Kind
from resapermis_auth_gateway.web.sign_in import page
from resapermis_auth_gateway.web.sign_in.arrival import from_elsewhere
from resapermis_auth_gateway.web.sign_in.cookies import derive, digest, equal_in_constant_time, session_cookie
from resapermis_auth_gateway.web.sign_in.sessions import denial_of
from resapermis_auth_gateway.web.texts.sentences import Language, language_of
from resapermis_auth_gateway.web.wire.problem import bad_request, response_of
from resapermis_kit.clock import new_id
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Code, Failure
from resapermis_kit.process.telemetry import begun_outside
from resapermis_kit.rpc.deadline import deadline

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN = frozenset({"/auth/login", "/auth/callback", "/api/openapi.json"}) | PROBES
"""Nobody's session is asked for here."""
SIGN_IN: Mapping[str, Kind] = {"/auth/login": "login", "/auth/callback": "callback"}
"""Pages that a person opens and nothing embeds; counted for each address."""
SIGN_OUT = "/auth/logout"
PROVIDER_LOGOUT = "/auth/backchannel-logout"
"""The provider itself asks here, without cookie, token or site: what it sends is signed."""
CALENDARS = "/calendars/"
"""Private addresses: who knows one needs no session. The token in it stands in no log and no trace."""
LISTS = frozenset({"centre", "weekdays"})
"""Query parameters that may come more than once."""
OPENED = {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document"}
"""What a browser states of an address that somebody opens."""
TOKEN_HEADER = b"x-csrf-token"
ACT_HEADER = b"x-resapermis-act"
"""The page's word: "1" when a person pressed something since it last said so, "0" for a change that nobody pressed."""
MOST_HEADERS, LARGEST_QUERY = 100, 8 * 1024
log = structlog.get_logger()
tracer = trace.get_tracer("resapermis.http")
ANSWERED = Histogram(
    "resapermis_http_seconds",
    "Time to answer a browser, to the first byte",
    ["route", "method", "status"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 1, 2, 5, 10),
)


@dataclass
class _Answering:
    """Adds headers to an answer and remembers how it went."""

    send: Send
    fixed: Headers
    told: Headers = field(default_factory=list)
    """What is left of a limit that this request counted for."""
    status: int = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            present = {key.lower() for key, _ in message["headers"]}
            headers = [pair for pair in message["headers"] if pair[0].lower() != b"server"]
            headers += self.fixed + self.told
            headers += [
                (name.lower().encode(), value.encode())
                for name, value in DEFAULTS.items()
                if name.lower().encode() not in present
            ]
            message = {**message, "headers": headers}
        await self.send(message)


class Gate:
    """ASGI middleware around every route; an answer of its own where session, token, rate or body refuse."""

    def __init__(self, app: ASGIApp, dependencies: Dependencies) -> None:
        """`app` answers what is let in."""
        self._app, self._dependencies = app, dependencies
        self._cookie = session_cookie(dependencies.settings.secure)
        self._fixed = [
            (name.lower().encode(), value.encode()) for name, value in security_headers(dependencies.settings).items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["path"] in PROBES:  # nobody reads traces of these
            await self._answer(scope, receive, send)
            return
        method = _known(scope["method"])
        begun = begun_outside(_header(scope, b"traceparent"), self._dependencies.settings.trace_ratio)
        with tracer.start_as_current_span(
            method,
            context=begun,
            kind=trace.SpanKind.SERVER,
            record_exception=False,  # its text may hold data
            set_status_on_exception=False,
        ) as span:
            status, route = await self._answer(scope, receive, send)
            if span.is_recording():  # the pattern, not the path: addresses hold codes, states, calendars' tokens
                span.update_name(f"{method} {route}".rstrip())
                span.set_attribute("http.request.method", method)
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", status)
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.set_status(trace.StatusCode.ERROR)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> tuple[int, str]:
        """Admit and answer; return the status and the route's pattern, empty where none was found."""
        started = time.monotonic()
        deadline.set(started + self._dependencies.settings.request_seconds)
        answering = _Answering(send, self._fixed)
        language = language_of(_header(scope, b"accept-language"))
        refusal: Failure | None = None
        if scope["method"] == "HEAD" and "HEAD" in patterns_of(scope["path"]):
            scope = {**scope, "method": "GET"}  # answered as if it were read; the server sends the headers alone
        try:
            with contextlib.ExitStack() as held:
                receive = await self._admit(scope, receive, language, answering.told, held)
                await self._app(scope, receive, answering)
        except Failure as failure:
            refusal = failure
        except Exception as error:  # noqa: BLE001 - the one place where the unexpected becomes INTERNAL
            refusal = unexpected(error)
        if refusal is not None and not answering.status:
            await self._refused(refusal, scope, language)(scope, receive, answering)
        denied = refusal.denied if refusal is not None else scope.get("denied", "")
        if denied:
            self._dependencies.denials.add(self._denial(denied, scope))
        route = PATTERN_OF.get(id(scope.get("route")), "")
        if not route and refusal is not None:
            route = pattern_of(scope["method"], scope["path"])
        ANSWERED.labels(route, _known(scope["method"]), str(answering.status)).observe(time.monotonic() - started)
        return answering.status, route

    def _denial(self, reason: str, scope: Scope) -> Denial:
        """What is recorded of a refused request: its pattern, since addresses hold codes, states, calendars' tokens."""
        method = _known(scope["method"])
        route = f"{method} {pattern_of(method, scope['path'])}".rstrip()
        visitor: Visitor | None = scope.get("state", {}).get("visitor")
        place = place_of(scope)
        denial = Denial(reason, place=place) if visitor is None else denial_of(reason, visitor.session, place)
        return replace(denial, object_kind="route", object_id=route)

    def _refused(self, refusal: Failure, scope: Scope, language: Language) -> Response:
        """A problem body; a page for a person who is on the way to sign in."""
        request, now = Request(scope), self._dependencies.now()
        if scope["path"] in SIGN_IN and page.accepts_html(request):
            return page.render(refusal, request, now)
        return response_of(refusal, language, now)

    async def _admit(
        self, scope: Scope, receive: Receive, language: Language, told: Headers, held: contextlib.ExitStack
    ) -> Receive:
        """What the route then reads its body from; what the request has until its end stands in `held`."""
        path, method = scope["path"], scope["method"]
        if len(scope["headers"]) > MOST_HEADERS or len(scope["query_string"]) > LARGEST_QUERY:
            raise bad_request(
                "headers",
                "too many, or an address too long",
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                denied="large_head",
            )
        _refuse_doubles(scope)
        await self._count_address(scope, told)
        rates = self._dependencies.rates
        if (accepted := await self._unsigned(scope, told)) is not None:
            return await body.admit(scope, receive, accepted)
        if not path.startswith(("/api/", "/auth/")) or path in OPEN:
            return receive
        _check_site(scope, self._dependencies.settings.public_origin)
        visitor = await self._visitor(scope, language, held)
        if method in SAFE:
            if visitor is not None:
                rates.spend("read", str(visitor.session.account_id), told)
            return receive
        if visitor is None:
            raise no_session(scope)
        if not equal_in_constant_time(_header(scope, TOKEN_HEADER), visitor.csrf_token):
            raise Failure(Code.CODE_CSRF, "the token is missing or another session's", denied="csrf_token")
        if path != SIGN_OUT:
            rates.spend("write", str(visitor.session.account_id), told)
        return await self._admit_body(scope, receive)

    async def _unsigned(self, scope: Scope, told: Headers) -> body.Accepted | None:
        """What may be sent without anybody's session, counted for its address; None of all else."""
        path, rates = scope["path"], self._dependencies.rates
        if scope["method"] != "POST":
            return None
        if path == REPORTS:
            rates.spend("report", counted_as(scope), told)
            return body.REPORT
        if path == PROVIDER_LOGOUT:
            rates.spend("provider", counted_as(scope), told)
            return body.FORM
        if path in ENTRANCE:
            _check_site(scope, self._dependencies.settings.public_origin)
            await rates.count("passkey", counted_as(scope), told)
            return body.JSON
        return None

    async def _admit_body(self, scope: Scope, receive: Receive) -> Receive:
        path, method = scope["path"], scope["method"]
        try:
            return await body.admit(scope, receive, body.ACCEPTED.get((method, path), body.JSON))
        except Failure:
            if method in patterns_of(path):
                raise
            return receive  # no such route, or none for this method: the answer says so, and nobody reads the body

    async def _count_address(self, scope: Scope, told: Headers) -> None:
        path = scope["path"]
        if path in SIGN_IN:
            _check_opened(scope)
            if not from_elsewhere(scope):  # which only leads to what is counted
                await self._dependencies.rates.count(SIGN_IN[path], counted_as(scope), told)
        elif path.startswith(CALENDARS):
            await self._dependencies.rates.count("calendar", counted_as(scope), told)

    async def _visitor(self, scope: Scope, language: Language, held: contextlib.ExitStack) -> Visitor | None:
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        value = self._cookie.read(scope)
        if not value:
            state["stranger"] = not self._cookie.came(scope)
            return None
        token = derive(value, "csrf")
        session = await self._dependencies.sessions.find(digest(value), act=_is_act(scope, token))
        if session is None or not session.school_id:
            state["ended"] = True
            return None
        visitor = Visitor(self._dependencies, session, token, place_of(scope), language)
        state["visitor"] = visitor
        if scope["path"] != SIGN_OUT:
            owners = {"session": str(session.id), "account": str(session.account_id)}
            held.enter_context(self._dependencies.under_way.held(owners))
        return visitor


def unexpected(error: Exception) -> Failure:
    """INTERNAL with an id; the error's text may hold data, so its type and place are logged."""
    refusal = Failure(Code.CODE_INTERNAL, "unexpected; see error_id in the logs", error_id=str(new_id()))
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else ""
    log.error("http.unexpected", error_id=refusal.error_id, error_type=type(error).__qualname__, place=place)
    return refusal


def _header(scope: Scope, name: bytes) -> str:
    """The one value of a header; empty when absent or doubled."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def _is_act(scope: Scope, token: str) -> bool:
    """Whether a person is behind a request: the page says so, or it changes something. What is merely read never is."""
    stated = _header(scope, ACT_HEADER)
    if scope["method"] in SAFE:
        return stated == "1"
    return stated != "0" and equal_in_constant_time(_header(scope, TOKEN_HEADER), token)


def _check_site(scope: Scope, own_origin: str) -> None:
    """Other sites ask nothing of the API, and change nothing (Fetch Metadata and Origin, beside the token)."""
    safe = scope["method"] in SAFE
    headers = [(key, value) for key, value in scope["headers"] if key in {b"sec-fetch-site", b"origin"}]
    if len({key for key, _ in headers}) != len(headers):
        raise Failure(Code.CODE_CSRF, "a doubled header", denied="cross_site")
    received = {key: value.decode("latin-1") for key, value in headers}
    site = received.get(b"sec-fetch-site")
    if site not in {None, "same-origin", "none"} or (site == "none" and not safe):
        raise Failure(Code.CODE_CSRF, "asked from another site", denied="cross_site")
    origin = received.get(b"origin")
    if (origin is None and not safe) or (origin is not None and origin != own_origin):
        raise Failure(Code.CODE_CSRF, "asked from another origin", denied="cross_site")


def _check_opened(scope: Scope) -> None:
    """A person opens the way to sign in; pictures, frames and prefetches of other sites' pages are no sign-ins, and count as none.

    Else any page with sixty pictures of that address locks everybody out who shares its reader's. What states nothing of
    itself comes from no such page: browsers do state it (Fetch Metadata).
    """
    stated = {key: value for key, value in scope["headers"] if key in OPENED or key == b"sec-purpose"}
    if b"sec-purpose" in stated or any(stated.get(key, value) != value for key, value in OPENED.items()):
        raise Failure(Code.CODE_CSRF, "asked as a part of a page", denied="embedded")


def _refuse_doubles(scope: Scope) -> None:
    try:
        query = scope["query_string"].decode("ascii")
    except UnicodeDecodeError:
        raise bad_request("query", "percent-encoded ASCII") from None
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    if "" in names:
        raise bad_request("query", "a parameter without a name")
    once = [name for name in names if name not in LISTS]
    if len(set(once)) != len(once):
        raise bad_request("query", "a parameter came twice")


def _known(method: str) -> str:
    """A label for metrics: words of a closed list."""
    return method if method in {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"} else "other"
