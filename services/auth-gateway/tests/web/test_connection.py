"""What a connection may cost before its request is whole, seen from a socket against the real server."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, get_args

import pytest
from prometheus_client import REGISTRY

from resapermis_auth_gateway.web.security import connection
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_auth_gateway.web_process import http_server
from resapermis_kit.denials.denial import Denial
from resapermis_testing.eventually import eventually
from resapermis_testing.ports import free_port

pytestmark = pytest.mark.req("S-05", "B7")
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"
MORE = b"a" * 8192
FIXED = {
    "content-type": "application/problem+json",
    "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; sandbox",
    "connection": "close",
}
Serve = Callable[..., Awaitable[int]]


def counted(name: str, **labels: str) -> float:
    """A metric's value."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def refused(why: str) -> float:
    """How many were refused for this reason, in this test process."""
    return counted("resapermis_http_refused_total", why=why)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Says ok; reads a body first where one was posted; /large is more than sockets hold; /waits until nobody listens."""
    while scope["path"] == "/waits":
        if (await receive())["type"] == "http.disconnect":
            return
    more = scope["method"] == "POST"
    while more:
        message = await receive()
        more = message.get("more_body", False)
    trailers = [name for name, _ in scope["headers"] if name.startswith(b"x-trailer")]
    body = b"a" * 16 * 1024 * 1024 if scope["path"] == "/large" else b"".join(trailers) or b"ok\n"
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


@pytest.fixture
async def serve_http(settings: WebSettings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serve]:
    """Function: changed settings -> the port of the real server, in front of `application`.

    At its end: each refusal that was counted was handed to the journal, with its reason, and the masked network unless
    it is one as browsers leave them.
    """
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.2)
    running = []
    denied = list[Denial]()
    before = {why: refused(why) for why in get_args(connection.Why)}

    async def start(**changed: Any) -> int:
        port = free_port()
        changed = {"web_listen": f"127.0.0.1:{port}", "drain_seconds": 1} | changed
        server, bound = http_server(application, settings.model_copy(update=changed), denied.append)
        running.append((server, asyncio.create_task(server.serve(sockets=[bound]))))
        return port

    yield start
    for server, serving in running:
        server.should_exit = True
        await asyncio.wait_for(serving, 5)
    counted_here = {why: refused(why) - count for why, count in before.items()}
    assert Counter(denial.reason for denial in denied) == {why: many for why, many in counted_here.items() if many}
    for denial in denied:
        place = "" if denial.reason in {"silent", "unread"} else "127.0.0.0/24"
        assert denial == Denial(denial.reason, "connection", place=place)


class Client:
    """A connection that sends what it likes, and keeps what comes as it comes: a reset would drop it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._kept = bytearray()
        self._more = asyncio.Event()
        self._collecting = asyncio.create_task(self._collect(reader))

    async def _collect(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self._kept += data
                self._more.set()

    async def close(self) -> None:
        self._writer.close()
        self._collecting.cancel()
        await asyncio.wait([self._collecting])

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def flood(self, begin: bytes, more: bytes, most: int) -> int:
        """Send `begin` and then `more` again and again, until that is no longer taken or `most` is; return how much was."""
        sent = 0
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self.send(begin), 2)
            while sent < most:
                await asyncio.wait_for(self.send(more), 2)
                sent += len(more)
        return sent

    async def drip(self, piece: bytes = b"a") -> None:
        """Send a little every 50 ms until the other side has had enough."""
        async with asyncio.timeout(10):
            while not self._collecting.done():
                self._writer.write(piece)
                await asyncio.wait([self._collecting], timeout=0.05)

    async def rest(self) -> bytes:
        """All that has not been taken as an `answer` yet, once no more comes."""
        async with asyncio.timeout(10):
            await self._collecting
        return bytes(self._kept)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer, which has a length: status, headers, body."""
        async with asyncio.timeout(10):
            while not (found := self._answer()):
                self._more.clear()
                await self._more.wait()
        return found

    def _answer(self) -> tuple[int, dict[str, str], bytes] | None:
        head, end, rest = bytes(self._kept).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if end)
        length = int(headers.get("content-length", 0))
        if not end or len(rest) < length:
            return None
        del self._kept[: len(head) + 4 + length]
        return int(lines[0].split(" ")[1]), headers, rest[:length]


@asynccontextmanager
async def connected(port: int, source: str = "127.0.0.1") -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0)))
    try:
        yield client
    finally:
        await client.close()


def told(data: bytes, status: int) -> None:
    """The one answer in `data` is a problem with the headers of every answer."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first.startswith(f"HTTP/1.1 {status} "), first
    assert FIXED.items() <= headers.items()
    assert "camera=()" in headers["permissions-policy"]
    assert "date" in headers
    assert len(body) == int(headers["content-length"])
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize(
    ("begin", "why", "status"),
    [
        (b"GET /", "long_address", 414),
        (b"GET / HTTP/1.1\r\nX-Endless: ", "large_head", 431),
        (b"GET / HTTP/1.1\r\n" + b"a", "large_head", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000, "large_head", 431),
        (b"\r\n" * 20_000, "large_head", 431),
        (ALIVE.replace(b"GET", b"HEAD") + b"GET /", "long_address", 414),
    ],
)
async def test_an_endless_head_is_refused_after_32_kib(serve_http: Serve, begin: bytes, why: str, status: int) -> None:
    port, before = await serve_http(), refused(why)
    async with connected(port) as client:
        taken = await client.flood(begin, MORE, 32 * 1024 * 1024)
        answers = await client.rest()
    told(answers[answers.rindex(b"HTTP/1.1 ") :], status)
    assert taken < 12 * 1024 * 1024  # what sockets hold between two processes, and nothing beyond
    assert refused(why) == before + 1


async def test_a_head_may_have_32_kib_and_not_a_byte_more(serve_http: Serve) -> None:
    port = await serve_http()
    begun = b"GET /healthz HTTP/1.1\r\nHost: here\r\nX-Filler: "
    filler = b"a" * (32 * 1024 - len(begun) - 4)
    async with connected(port) as client:
        await client.send(begun + filler + b"\r\n\r\n")
        assert (await client.answer())[0] == 200
        await client.send(begun + filler + b"\r\n\r\n")
        assert (await client.answer())[0] == 200
        await client.send(begun + filler + b"a\r\n\r\n")
        told(await client.rest(), 431)


async def test_a_large_head_hidden_behind_a_body_is_refused_too(serve_http: Serve) -> None:
    port = await serve_http()
    asked = b"GET /healthz HTTP/1.1\r\nHost: here\r\nContent-Length: 20000\r\n\r\n"
    hidden = b"GET /healthz HTTP/1.1\r\n" + b"X-Filler: " + b"a" * 8000 + b"\r\n" + b"X-More: " + b"a" * 30_000
    async with connected(port) as client:
        await client.send(asked + b"b" * 20_000 + hidden + b"\r\n\r\n")
        assert b"HTTP/1.1 200" not in (await client.rest())[20:]


@pytest.mark.parametrize("begin", [b"GET / HTTP/1.1\r\nX-Slow: ", b"G", b"\r\n"])
async def test_a_head_that_drips_is_refused_when_its_time_is_over(serve_http: Serve, begin: bytes) -> None:
    port, before = await serve_http(head_seconds=0.4), refused("slow_head")
    async with connected(port) as client:
        await client.send(begin)
        await client.drip(b"\r\n" if begin == b"\r\n" else b"E" if begin == b"G" else b"a")
        data = await client.rest()
    told(data, 408 if begin != b"G" else int(data[9:12]))
    assert begin == b"G" or refused("slow_head") == before + 1


async def test_a_later_head_has_its_time_from_its_first_byte(serve_http: Serve) -> None:
    port = await serve_http(head_seconds=1.2, keep_alive_seconds=1)
    async with connected(port) as client:
        await client.send(ALIVE)
        assert (await client.answer())[0] == 200
        await client.send(ALIVE[:20])
        told(await client.rest(), 408)


async def test_who_asks_nothing_is_closed_without_a_word(serve_http: Serve) -> None:
    port = await serve_http(head_seconds=0.3)
    async with connected(port) as client:
        assert await client.rest() == b""


async def test_who_asks_nothing_more_is_closed_without_a_word(serve_http: Serve) -> None:
    port = await serve_http(keep_alive_seconds=1)
    async with connected(port) as client:
        await client.send(ALIVE)
        assert (await client.answer())[0] == 200
        assert await client.rest() == b""


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHo st: here\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n",
        b"CONNECT here:443 HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_problem_with_our_headers(serve_http: Serve, data: bytes) -> None:
    port = await serve_http()
    async with connected(port) as client:
        await client.send(data)
        told(await client.rest(), 400)


async def test_what_is_no_http_is_not_answered_in_another_requests_place(serve_http: Serve) -> None:
    port = await serve_http()
    async with connected(port) as client:
        await client.send(b"GET /waits HTTP/1.1\r\n\r\n" + b"\x00")
        assert await client.rest() == b""


async def test_a_refusal_is_in_english_where_that_was_asked_for_already(serve_http: Serve) -> None:
    port = await serve_http()
    async with connected(port) as client:
        await client.send(b"GET / HTTP/1.1\r\nAccept-Language: en\r\nX: y\r\nHo st: here\r\n\r\n")
        data = await client.rest()
    assert b"content-language: en\r\n" in data
    assert json.loads(data.partition(b"\r\n\r\n")[2])["title"] != ""


def report(length: bytes) -> bytes:
    return (
        b"POST /csp-reports HTTP/1.1\r\nHost: here\r\nContent-Type: application/csp-report\r\n" + length + b"\r\n\r\n"
    )


@pytest.mark.parametrize("length", [b"Content-Length: 60000", b"Transfer-Encoding: chunked"])
async def test_a_body_that_drips_is_refused_when_its_time_is_over(serve_http: Serve, length: bytes) -> None:
    port, before = await serve_http(body_seconds=0.4), refused("slow_body")
    async with connected(port) as client:
        await client.send(report(length))
        await client.drip(b"1\r\na\r\n" if b"chunked" in length else b"a")
        told(await client.rest(), 408)
    assert refused("slow_body") == before + 1


async def test_a_body_that_nobody_reads_ends_too(serve_http: Serve) -> None:
    port = await serve_http(body_seconds=0.4)
    async with connected(port) as client:
        await client.send(b"GET /healthz HTTP/1.1\r\nHost: here\r\nContent-Length: 60000\r\n\r\n")
        assert (await client.answer())[0] == 200
        await client.drip()
        assert await client.rest() == b"", "it has had its answer"


@pytest.mark.parametrize(
    ("endless", "more"), [(b"1;ext=", MORE), (b"0\r\nX-Trailer: ", MORE), (b"", b"1\r\na\r\n" * 1000)]
)
async def test_a_body_without_end_is_cut(serve_http: Serve, endless: bytes, more: bytes) -> None:
    port, before = await serve_http(body_bytes=100_000), refused("large_body")
    begin = b"GET /healthz HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n" + endless
    async with connected(port) as client:
        await client.flood(begin, more, 32 * 1024 * 1024)
        await client.rest()
    assert refused("large_body") == before + 1


async def test_trailers_reach_no_route(serve_http: Serve) -> None:
    port = await serve_http()
    async with connected(port) as client:
        await client.send(report(b"Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\nX-Trailer: forged\r\n\r\n" + ALIVE)
        assert [(await client.answer())[2] for _ in range(2)] == [b"ok\n", b"ok\n"]


async def test_requests_in_one_piece_are_answered_in_order_up_to_eight_that_wait(serve_http: Serve) -> None:
    port, before = await serve_http(), refused("pipelined")
    async with connected(port) as client:
        await client.send(ALIVE * 9)
        for _ in range(9):
            assert (await client.answer())[0] == 200
        await client.send(ALIVE * 200)
        assert (await client.rest()).count(b"HTTP/1.1 200") < 20
    assert refused("pipelined") == before + 1


async def test_who_takes_nothing_of_an_answer_is_cut(serve_http: Serve) -> None:
    port, before = await serve_http(unread_seconds=0.4), refused("unread")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n")

    async def cut() -> bool:
        return refused("unread") == before + 1

    await eventually(cut)
    with contextlib.suppress(ConnectionError):
        assert len(await asyncio.wait_for(reader.read(), 5)) < 16 * 1024 * 1024
    writer.close()


async def test_an_address_has_its_connections_and_leaves_others_theirs(serve_http: Serve) -> None:
    port, before = await serve_http(address_connections=3), refused("crowded")
    async with (
        connected(port, "127.0.0.7") as first,
        connected(port, "127.0.0.7") as second,
        connected(port, "127.0.0.7") as third,
    ):
        for client in (first, second, third):
            await client.send(ALIVE)
            assert (await client.answer())[0] == 200
        async with connected(port, "127.0.0.7") as fourth:
            data = await fourth.rest()
        told(data, 503)
        assert b"\r\nretry-after: " in data
        async with connected(port, "127.0.0.8") as other:
            await other.send(ALIVE)
            assert (await other.answer())[0] == 200
    assert refused("crowded") == before + 1

    async def free_again() -> bool:
        async with connected(port, "127.0.0.7") as client:
            await client.send(ALIVE)
            return (await client.answer())[0] == 200

    await eventually(free_again)


async def test_a_trusted_proxy_has_as_many_connections_as_there_are(serve_http: Serve) -> None:
    port = await serve_http(address_connections=1, trusted_proxies="127.0.0.7, 10.0.0.0/8")
    async with connected(port, "127.0.0.7") as first, connected(port, "127.0.0.7") as second:
        for client in (first, second):
            await client.send(ALIVE)
            assert (await client.answer())[0] == 200
        async with connected(port, "127.0.0.8"), connected(port, "127.0.0.8") as other:
            told(await other.rest(), 503)


async def test_beyond_all_connections_one_is_cut_at_once_and_none_is_forgotten(serve_http: Serve) -> None:
    port, before = await serve_http(connections=2), refused("full")
    async with connected(port, "127.0.0.7") as first, connected(port, "127.0.0.8") as second:
        for client in (first, second):
            await client.send(ALIVE)
            assert (await client.answer())[0] == 200
        assert counted("resapermis_http_connections") == 2
        async with connected(port, "127.0.0.9") as third:
            assert await third.rest() == b""
    assert refused("full") == before + 1

    async def none_left() -> bool:
        return counted("resapermis_http_connections") == 0

    await eventually(none_left)
