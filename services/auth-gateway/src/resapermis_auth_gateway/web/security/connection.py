"""What a connection may cost before its request is whole: bytes, seconds, and how many connections there are.

uvicorn's protocol hands what comes to the HTTP parser, as much and for as long as it comes; routes and their refusals
begin where the parser ends. `BoundedProtocol` counts and times in between (ADR 30). Where an answer is still possible it
is a problem body with the headers of every answer; else the connection is cut.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal, get_args

import httptools
from prometheus_client import Counter, Gauge
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from resapermis_auth_gateway.web.security.address import counted, network
from resapermis_auth_gateway.web.security.headers import DEFAULTS, security_headers
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_auth_gateway.web.texts.sentences import Language, language_of
from resapermis_auth_gateway.web.wire.problem import MEDIA_TYPE, EdgeFailure, bad_request, body_of, headers_of
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Code, Failure

Why = Literal[
    "malformed",
    "long_address",
    "large_head",
    "slow_head",
    "large_body",
    "slow_body",
    "crowded",
    "full",
    "pipelined",
    "silent",
    "unread",
]
"""Why a connection is served no further, as metrics count it."""
_EVERYBODYS: frozenset[Why] = frozenset({"silent", "unread"})
"""What any browser leaves now and then: it opens connections ahead of need, a phone loses its network."""
MORE_THAN_BROWSERS = 16
"""Connections of one address beyond which it is told whose silent ones are: else every school's network would be, for nothing."""
LARGEST_ADDRESS = 10 * 1024
"""Bytes of a path and its query: the longest query that a route takes is 8 KiB."""
MOST_PIPELINED = 8
"""Requests that wait for the one under way; browsers and proxies send none."""
FIELD_COSTS = 4
"""Bytes of a header beside its name and value: colon, space, end of line."""
LINGER_SECONDS = 1.0
"""So long a refused client has to read why; cut at once, what it sent last would make its system drop the answer."""
REFUSED = Counter("resapermis_http_refused", "Connections cut before a route could answer, by why", ["why"])
for _why in get_args(Why):
    REFUSED.labels(_why)  # there from the start, at 0: Prometheus sees no increase in what begins at 1
CONNECTIONS = Gauge("resapermis_http_connections", "Open connections of browsers and proxies")


class Crowd:
    """How many connections there are, in all and of each address."""

    def __init__(self, most: int, of_address: int, is_proxy: Callable[[str], bool]) -> None:
        """Proxies are not counted by address: everybody comes through them."""
        self._most, self._of_address, self._is_proxy = most, of_address, is_proxy
        self._total = 0
        self._of: dict[str, int] = {}
        """Connections of each address that has any."""

    def holds(self, client: str) -> int:
        """Connections that the address of `client` has now; 0 for a proxy, whose they are not."""
        return 0 if self._is_proxy(client) else self._of.get(counted(client), 0)

    def enter(self, client: str) -> Why | None:
        """Count one, unless there is no room at all ("full"); "crowded" is counted too, as long as it is told so."""
        address, has = counted(client), self.holds(client)
        if self._total >= self._most or has >= 2 * self._of_address:
            return "full"
        self._total += 1
        self._of[address] = self._of.get(address, 0) + 1
        CONNECTIONS.set(self._total)
        return "crowded" if has >= self._of_address else None

    def leave(self, client: str) -> None:
        """One that was counted has ended."""
        address = counted(client)
        self._total -= 1
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]
        CONNECTIONS.set(self._total)


@dataclass(frozen=True)
class Bounds:
    """What every connection of one server is held to."""

    head_bytes: int
    head_seconds: float
    body_bytes: int
    body_seconds: float
    unread_seconds: float
    crowd: Crowd
    denied: Callable[[Denial], None]
    """Is told of each connection that is refused."""
    answers: Mapping[tuple[Why, Language], tuple[bytes, bytes]]
    """Status line, and the rest of an answer; what is not here is cut without one."""

    @classmethod
    def of(cls, settings: WebSettings, connections: int, denied: Callable[[Denial], None]) -> "Bounds":
        """As the settings say, with at most so many connections; `denied` is told of each refusal."""
        proxies = ProxyHeadersMiddleware(_nobody, settings.trusted_proxies).trusted_hosts
        languages: tuple[Language, ...] = ("fr", "en")
        return cls(
            settings.head_bytes,
            settings.head_seconds,
            settings.body_bytes,
            settings.body_seconds,
            settings.unread_seconds,
            Crowd(connections, settings.address_connections, lambda client: client in proxies),
            denied,
            {(why, one): _answer(failure, one, settings) for why, failure in _FAILURES.items() for one in languages},
        )


async def _nobody(*_: object) -> None:
    """The application of a middleware that is only asked whom it trusts."""


_SLOW = bad_request("request", "came too slowly", HTTPStatus.REQUEST_TIMEOUT)
_FAILURES: Mapping[Why, Failure] = {
    "malformed": bad_request("request", "not HTTP/1.1"),
    "long_address": bad_request("address", "too long", HTTPStatus.REQUEST_URI_TOO_LONG),
    "large_head": bad_request("headers", "too large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    "slow_head": _SLOW,
    "large_body": EdgeFailure(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Failure(Code.CODE_PAYLOAD_TOO_LARGE, "more than any route takes")
    ),
    "slow_body": _SLOW,
    "crowded": EdgeFailure(
        HTTPStatus.SERVICE_UNAVAILABLE, Failure(Code.CODE_OVERLOADED, "too many connections of one address")
    ),
}


def _answer(failure: Failure, language: Language, settings: WebSettings) -> tuple[bytes, bytes]:
    problem = body_of(failure, language)
    body = problem.model_dump_json(by_alias=True).encode()
    headers = {
        **security_headers(settings),
        **DEFAULTS,
        **headers_of(failure, language, datetime.min.replace(tzinfo=UTC)),  # none of them says until when
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[problem.status], lines.encode() + b"\r\n" + body


class _TooMuchError(Exception):
    """Makes the parser stop; why stands in the protocol."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection: uvicorn's, with what it may cost bounded.

    Bytes are counted before the parser gets them. In a message's head and in its
    body a timer runs that no byte sets back; a request that comes whole never starts one. Between messages uvicorn's
    keep-alive timer runs.
    """

    def __init__(self, bounds: Bounds, **given: Any) -> None:
        """`given`: uvicorn's own arguments."""
        super().__init__(**given)
        self._bounds = bounds
        self._in_head = True
        """Before the end of a message's headers, or between messages; else in its body."""
        self._count = 0
        """Bytes of the head or body so far, from the piece after the one in which it began."""
        self._why: Why = "malformed"
        self._over = False
        self._entered = False
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Count the connection; what it has not asked within the time of a head it will not ask."""
        super().connection_made(transport)
        why = self._bounds.crowd.enter(self._client)
        self._entered = why != "full"
        if why is not None:
            self._refuse(why)
        else:
            self._timer = self.loop.call_later(self._bounds.head_seconds, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it off."""
        super().connection_lost(exc)
        self._stop_timer()
        self._stop_write_timer()
        if self._entered:
            self._entered = False
            self._bounds.crowd.leave(self._client)

    def data_received(self, data: bytes) -> None:
        """Hand the parser what is within bounds, piece by piece."""
        self._unset_keepalive_if_required()
        at = 0
        while at < len(data) and not self._over:
            piece = data[at : at + self._left]
            at += len(piece)
            self._count += len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade:
                pass  # to nothing that we speak: answered as if it had not been asked
            except httptools.HttpParserError:
                self._refuse(self._why)
                return
            if self._left <= 0:
                self._refuse("large_head" if self._in_head else "large_body")
                return
        if self._timer is None and not self._over and (self._count or not self._in_head):
            seconds = self._bounds.head_seconds if self._in_head else self._bounds.body_seconds
            self._timer = self.loop.call_later(seconds, self._too_late)

    def on_message_begin(self) -> None:
        """A head has begun, somewhere in this piece."""
        super().on_message_begin()
        self._count = max(self._count, 1)

    def on_url(self, url: bytes) -> None:
        """Refuse an address that is too long before it is put together."""
        if len(self.url) + len(url) > LARGEST_ADDRESS:
            self._why = "long_address"
            raise _TooMuchError
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Headers after the body (trailers) are nobody's: dropped."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head ends; one that came in pieces shared with another message is measured here."""
        if len(self.url) + sum(len(name) + len(value) + FIELD_COSTS for name, value in self.headers) > (
            self._bounds.head_bytes
        ):
            self._why = "large_head"
            raise _TooMuchError
        if len(self.pipeline) >= MOST_PIPELINED:
            self._why = "pipelined"
            raise _TooMuchError
        super().on_headers_complete()
        self._begin(head=False)

    def on_message_complete(self) -> None:
        """The body ends, if there was one."""
        super().on_message_complete()
        self._begin(head=True)

    def on_response_complete(self) -> None:
        """An answer that ends the connection must also leave: its client may take nothing of it."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._cut_later()

    def timeout_keep_alive_handler(self) -> None:
        """The same for one that asked nothing more."""
        super().timeout_keep_alive_handler()
        self._cut_later()

    def pause_writing(self) -> None:
        """The client takes less than is answered: it has a while to go on."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._bounds.unread_seconds, self._refuse, "unread")

    def resume_writing(self) -> None:
        """It went on."""
        super().resume_writing()
        self._stop_write_timer()

    @property
    def _client(self) -> str:
        return self.client[0] if self.client else ""

    @property
    def _left(self) -> int:
        return (self._bounds.head_bytes if self._in_head else self._bounds.body_bytes) - self._count

    def _begin(self, *, head: bool) -> None:
        self._in_head, self._count = head, 0
        self._stop_timer()

    def _too_late(self) -> None:
        self._timer = None
        if not self._in_head:
            self._refuse("slow_body")
        else:
            self._refuse("slow_head" if self._count else "silent")

    def _refuse(self, why: Why) -> None:
        """Say why, where no other answer stands in the way, and close."""
        self._over = True
        self._stop_timer()
        self._unset_keepalive_if_required()
        REFUSED.labels(why).inc()
        told = why not in _EVERYBODYS or self._bounds.crowd.holds(self._client) > MORE_THAN_BROWSERS
        self._bounds.denied(Denial(why, "connection", place=network(self._client) if told else ""))
        answer = self._bounds.answers.get((why, self._language()))
        answered = bool(self.cycle) and self.cycle.response_complete
        under_way = bool(self.cycle) and not answered
        closing = self.transport.is_closing()
        if answer is None or closing or self.pipeline or (under_way and (self._in_head or self.cycle.response_started)):
            self.transport.abort()  # what could be said would be taken for the answer to another request
            return
        if under_way:  # its body is what is refused: the route learns that nobody listens any more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self._in_head or not answered:
            line, rest = answer
            dates = b"".join(name + b": " + value + b"\r\n" for name, value in self.server_state.default_headers)
            self.transport.write(line + dates + rest)
        self.flow.pause_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _language(self) -> Language:
        for name, value in self.headers or ():
            if name == b"accept-language":
                return language_of(value.decode("latin-1"))
        return language_of("")

    def _cut_later(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._bounds.unread_seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
