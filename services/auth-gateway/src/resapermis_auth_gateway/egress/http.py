"""The one way in which HTTP leaves the platform: verified TLS, no redirects, no cookies, no proxies, bounded bodies.

aiohttp, because its parser is C and its pool is asked in constant time: httpx2 looked at every socket of its pool at
every call, which was half of this process's CPU at an opening.
"""

import asyncio
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from resapermis_kit.tls import policy
from resapermis_kit.tls.certificates import Authorities

PEER = "rdvpermis"
"""What metrics of failed handshakes call RdvPermis and its provider."""
LARGEST_ANSWER = 5 * 1024 * 1024
CONNECT_SECONDS, READ_SECONDS, POOL_SECONDS = 2.0, 5.0, 1.0
"""For a name, a connection and its TLS; between two pieces of an answer; for a connection of ours to become free."""
KEPT_SECONDS = 4.0
"""An idle connection is closed so early that the other side rarely does it first, under a call of ours."""


class RequestNotSent(Exception):
    """No connection came about: the request never left."""


class PoolFull(RequestNotSent):
    """None of our connections became free in time; who would have been asked may be well."""


class ConnectionCut(Exception):
    """The connection went after the request may have left and before a byte of the answer came."""


class AnswerLost(Exception):
    """The answer stopped before its end, or did not come in time."""


class InvalidAnswer(ValueError):
    """What came is no HTTP answer, or a body past the largest that was allowed."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole HTTP answer. `headers` are asked for in any case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Client:
    """The process's HTTP client; nobody can make it skip the verification of certificates (S-25)."""

    def __init__(self, ca_file: Path | None = None, connections: int = 64) -> None:
        """Inside of a running event loop; nothing is opened yet. `ca_file`: authorities (PEM) instead of the system's, looked at again."""
        # The system's are read once: they take 50 ms.
        self._context = (
            Authorities(PEER, ca_file).client_context
            if ca_file
            else functools.cache(functools.partial(policy.client_context, PEER, None))
        )
        self._free = asyncio.Semaphore(connections)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections,
                keepalive_timeout=KEPT_SECONDS,
            ),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "ResaPermis"},
            # A cookie set for one employee would travel with another's token.
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(connect=CONNECT_SECONDS, sock_read=READ_SECONDS),
            middlewares=(_never_twice,),
        )

    async def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        largest: int = LARGEST_ANSWER,
    ) -> HttpAnswer:
        """Ask once and read the whole answer. RequestNotSent, ConnectionCut, AnswerLost or InvalidAnswer when none comes.

        `largest`: bytes of a body, as it reads once it is unpacked. How long it may take is the caller's to say.
        """
        await self._take_connection()
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                data=body,
                headers=headers,
                skip_auto_headers=_NO_TYPE if body is None else None,
                allow_redirects=False,
                ssl=self._context(),
            ) as response:
                return HttpAnswer(response.status, response.headers, await _whole(response, largest))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise RequestNotSent from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise AnswerLost from error
        except aiohttp.ClientError as error:
            raise InvalidAnswer from error
        finally:
            self._free.release()

    async def _take_connection(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(POOL_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise PoolFull from None

    async def close(self) -> None:
        """Close every connection of the pool; calls under way fail."""
        await self._session.close()


_NO_TYPE = ("Content-Type",)


async def _never_twice(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp repeats a PUT or DELETE whose connection went; whether RdvPermis did it already, it cannot know."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise  # never left, and never repeated
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, ConnectionResetError) as error:
        raise ConnectionCut from error


async def _whole(response: aiohttp.ClientResponse, largest: int) -> bytes:
    """Read a body, as far as it is reasonable; a connection with more in it is not used again."""
    body = bytearray()
    if (response.content_length or 0) <= largest:
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > largest:
                break
        else:
            return bytes(body)
    response.close()
    raise InvalidAnswer


def base_of(url: str) -> str:
    """Accept an address to which tokens may be sent: https, or http that stays on this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or (parts.scheme == "http" and _near(host)):
        return url.rstrip("/")
    msg = "RdvPermis is asked over https; plain http is for this machine alone"
    raise ValueError(msg)


def _near(host: str) -> bool:
    return policy.on_this_machine(host) or host.endswith(".localhost")


def parse(body: bytes) -> Any:
    """Read JSON; None for no body; ValueError for anything else."""
    if not body:
        return None
    try:
        return json.loads(body)
    except RecursionError:
        msg = "nested too deep"
        raise ValueError(msg) from None
