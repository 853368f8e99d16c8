"""The HTTP client by itself: what it sends, what it never does, and the word for each way an exchange can fail."""

import asyncio
import gzip
import socket

import pytest

from resapermis_auth_gateway.egress import http
from resapermis_auth_gateway.egress.http import (
    AnswerLost,
    Client,
    ConnectionCut,
    InvalidAnswer,
    PoolFull,
    RequestNotSent,
)

from .responder import CUT, Raw

HEAD = b"HTTP/1.1 200 x\r\ncontent-length: 10\r\n"


@pytest.fixture
async def client():
    found = Client()
    yield found
    await found.close()


def gzipped(body: bytes) -> Raw:
    return Raw(
        b"HTTP/1.1 200 x\r\ncontent-encoding: gzip\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        + body
    )


async def test_a_call_carries_what_it_must_and_nothing_more(client, responder):
    responder.replies["POST /there"] = (201, {"id": 1}, {"X-Kind": "basket"})
    answered = await client.exchange("POST", f"{responder.url}/there?a=b%20c", {"Authorization": "Bearer t"})
    assert (answered.status, answered.body, answered.headers["x-kind"]) == (201, b'{"id": 1}', "basket")
    (asked,) = responder.asked
    assert asked.path == "/there?a=b%20c"
    assert asked.headers == {
        "host": responder.url.removeprefix("http://"),
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "ResaPermis",
        "authorization": "Bearer t",
        "content-length": "0",
    }


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_call_whose_kept_connection_goes_is_never_sent_twice(client, responder, method):
    responder.replies["GET /first"] = (200, None)
    responder.replies[f"{method} /cut"] = CUT
    await client.exchange("GET", f"{responder.url}/first")
    with pytest.raises(ConnectionCut):
        await client.exchange(method, f"{responder.url}/cut")
    assert len(responder.open_writers) == 0, "the second went over the connection of the first"
    assert [asked.path for asked in responder.asked] == ["/first", "/cut"]


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (CUT, ConnectionCut),
        (Raw(HEAD), ConnectionCut),
        (Raw(HEAD + b"\r\nhalf"), AnswerLost),
        (Raw(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel"), AnswerLost),
        (Raw(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzzz\r\n\r\n"), InvalidAnswer),
        (Raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), InvalidAnswer),
        (Raw(b"HTTP/1.1 200 x\r\nx: " + b"y" * 100_000 + b"\r\n\r\n"), InvalidAnswer),
        (Raw(b"HTTP/1.1 200 x\r\ncontent-length: ten\r\n\r\n"), InvalidAnswer),
        (Raw(b"HTTP/1.1 200 x\r\ncontent-length: 1073741824\r\n\r\n"), InvalidAnswer),
        (gzipped(b"no gzip at all"), AnswerLost),
        (gzipped(gzip.compress(b" " * (http.LARGEST_ANSWER + 1))), InvalidAnswer),
    ],
)
async def test_each_answer_that_is_none_has_its_word(client, responder, reply, word):
    responder.replies["GET /it"] = reply
    with pytest.raises(word):
        await client.exchange("GET", f"{responder.url}/it")
    responder.replies["GET /it"] = (200, b"well")
    assert (await client.exchange("GET", f"{responder.url}/it")).body == b"well"


async def test_nobody_there_and_no_such_name_were_surely_not_asked(client):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        with pytest.raises(RequestNotSent):
            await client.exchange("GET", f"http://127.0.0.1:{taken.getsockname()[1]}/")

    async def no_such_name(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    asyncio.get_running_loop().getaddrinfo = no_such_name
    with pytest.raises(RequestNotSent):
        await client.exchange("GET", "https://rdvpermis.invalid/")


async def test_a_silent_server_is_lost_and_one_that_accepts_nothing_was_not_asked(responder, monkeypatch):
    monkeypatch.setattr(http, "READ_SECONDS", 0.05)
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.05)
    client, never = Client(), asyncio.Event()

    async def silence(_asked):
        await never.wait()
        return CUT

    responder.replies["GET /silence"] = silence
    with pytest.raises(AnswerLost):
        await client.exchange("GET", f"{responder.url}/silence")
    never.set()
    with pytest.raises(RequestNotSent):  # that side serves plain HTTP: the handshake never ends
        await client.exchange("GET", responder.url.replace("http:", "https:"))
    await client.close()


async def test_connections_are_bounded_and_come_free_however_a_call_ends(responder, monkeypatch):
    monkeypatch.setattr(http, "POOL_SECONDS", 0.05)
    client, arrived, go_on = Client(connections=1), asyncio.Event(), asyncio.Event()

    async def slow(_asked):
        arrived.set()
        await go_on.wait()
        return 200, None

    responder.replies["GET /slow"] = slow
    first = asyncio.create_task(client.exchange("GET", f"{responder.url}/slow"))
    await arrived.wait()
    with pytest.raises(PoolFull):
        await client.exchange("GET", f"{responder.url}/slow")
    assert len(responder.asked) == 1
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    assert (await client.exchange("GET", f"{responder.url}/slow")).status == 200
    await client.close()


@pytest.mark.req("R19")
async def test_redirects_cookies_and_proxies_are_ignored(responder, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    client = Client()
    responder.replies["GET /moved"] = (302, None, {"location": "/elsewhere", "set-cookie": "a=b; Path=/"})
    for _ in range(2):
        assert (await client.exchange("GET", f"{responder.url}/moved")).status == 302
    assert [asked.path for asked in responder.asked] == ["/moved", "/moved"]
    assert not any("cookie" in asked.headers for asked in responder.asked)
    await client.close()
