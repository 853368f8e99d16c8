"""A request's body, read once and judged before any route sees it: size, type, and JSON that means one thing only.

One route takes a calendar instead of JSON, and more of it; its text is judged by who reads calendars.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Never

from starlette.types import Message, Receive, Scope

from resapermis_auth_gateway.web.wire.problem import EdgeFailure, bad_request
from resapermis_kit.errors import Code, Failure

SECONDS = 8.0


@dataclass(frozen=True)
class Accepted:
    """What a route accepts: content types, most bytes, and a check that raises for bad content."""

    types: tuple[str, ...]
    largest: int
    check: Callable[[bytes], None]


async def admit(scope: Scope, receive: Receive, accepted: Accepted) -> Receive:
    """Read and judge; return a `receive` that gives the same body again."""
    headers = {key: value for key, value in scope["headers"] if key.startswith(b"content-")}
    length = headers.get(b"content-length", b"")
    if length and (not length.isdigit() or int(length) > accepted.largest):
        raise _too_large(accepted)
    kind = headers.get(b"content-type", b"").decode("latin-1")
    if kind and not _is(kind, accepted.types):
        raise bad_request("Content-Type", f"{accepted.types[0]} in UTF-8", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise bad_request("Content-Encoding", "none", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    body = await _read(receive, accepted)
    if body:
        if not kind:
            raise bad_request("Content-Type", accepted.types[0], HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        accepted.check(body)
    return _again(body, receive)


def _is(kind: str, types: tuple[str, ...]) -> bool:
    name, _, parameters = kind.partition(";")
    return name.strip(" \t").lower() in types and parameters.replace(" ", "").lower().strip('"') in {
        "",
        "charset=utf-8",
        'charset="utf-8',
    }


def _too_large(accepted: Accepted) -> Failure:
    return EdgeFailure(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        Failure(Code.CODE_PAYLOAD_TOO_LARGE, f"more than {accepted.largest} bytes", denied="large_body"),
    )


async def _read(receive: Receive, accepted: Accepted) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise bad_request("body", "not all of it came")
                body += message.get("body", b"")
                if len(body) > accepted.largest:
                    raise _too_large(accepted)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise bad_request("body", "came too slowly", HTTPStatus.REQUEST_TIMEOUT, denied="slow_body") from None


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()  # from here on only a disconnect can come
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def check_json(body: bytes) -> None:
    """Refuse what two parsers could read differently: doubled keys, NaN, lone surrogates, other encodings, deep nests."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):  # UnicodeError and JSONDecodeError among them
        raise bad_request("body", "one JSON value in UTF-8, without doubled keys") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("doubled key")
    return found


def _refuse(_: str) -> Never:
    raise ValueError("not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError("too large a number")
    return value


def check_text(body: bytes) -> None:
    """MALFORMED for a body that is no UTF-8."""
    try:
        body.decode("utf-8")
    except UnicodeError:
        raise bad_request("body", "text in UTF-8") from None


JSON = Accepted(("application/json",), 64 * 1024, check_json)
REPORT = Accepted(("application/reports+json", "application/csp-report"), 64 * 1024, check_json)
FORM = Accepted(("application/x-www-form-urlencoded",), 64 * 1024, check_text)
CALENDAR = Accepted(("text/calendar",), 1024 * 1024, check_text)
ACCEPTED: Mapping[tuple[str, str], Accepted] = {("POST", "/api/v1/unavailabilities/import"): CALENDAR}
"""Routes that take something else than JSON."""
