"""Schools' browsers: the same act over HTTP through the real gateway, with cookie, CSRF token and Idempotency-Key.

The client is bare on purpose: it runs on the machine that it measures.
"""

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

from data.seed import CATEGORY, DEPARTMENT, School

from resapermis_auth_gateway.web.sign_in.cookies import derive, session_cookie
from rush.callers import Done, Seen

_LENGTH = re.compile(rb"(?im)^content-length:\s*(\d+)")


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection kept alive; asks one thing at a time."""

    def __init__(self) -> None:
        self._read = b""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Whoever waits gets it."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("closed"))

    def data_received(self, data: bytes) -> None:
        """Hand out the answer when it is whole."""
        self._read += data
        head, end, rest = self._read.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        wanted = int(length[1]) if length else 0
        if not end or len(rest) < wanted:
            return
        self._read = rest[wanted:]
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(head[9:12]), rest[:wanted]))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request; returns its answer's status and body."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            msg = "closed"
            raise ConnectionResetError(msg)
        self._transport.write(request)
        async with asyncio.timeout(30):
            return await self._answer


class WebPlatform:
    """Basket as a school's page sees it."""

    def __init__(self, origin: str, port: int) -> None:
        """`origin`: what the browser's address bar says."""
        self._origin, self._port = origin, port
        self._cookie = session_cookie(origin.startswith("https")).name
        self._free: deque[Connection] = deque()
        self._all: list[Connection] = []

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        if self._free:
            connection = self._free.popleft()
        else:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self._port)
            self._all.append(connection)
        yield connection
        self._free.append(connection)  # one that broke is not given back

    def _request(self, school: School, what: str, request_id: str, body: bytes) -> bytes:
        head = (
            f"POST /api/v1/basket/{what} HTTP/1.1\r\n"
            f"Host: {self._origin.partition('://')[2]}\r\nOrigin: {self._origin}\r\nSec-Fetch-Site: same-origin\r\n"
            f"Cookie: {self._cookie}={school.cookie}\r\nX-CSRF-Token: {derive(school.cookie, 'csrf')}\r\n"
            f"Idempotency-Key: {request_id}-{school.digits}\r\nAccept-Language: fr\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def prepare(self, school: School) -> None:
        """What a school's page does before the opening: a basket at RdvPermis waits for its first hold."""
        body = json.dumps({"category": CATEGORY, "department": DEPARTMENT}).encode()
        async with self._connection() as connection:
            status, answer = await connection.ask(self._request(school, "preparation", "preparation", body))
        if status != 200:
            msg = f"preparing was answered {status}: {answer.decode('utf-8', 'replace')[:200]}"
            raise RuntimeError(msg)

    async def hold(
        self, school: School, request_id: str, slots: Sequence[str], candidates: Sequence[UUID], seen: Seen
    ) -> list[str]:
        """One action; what became of it goes into `seen`. Returns the slots held."""
        items = [{"slotId": slot, "candidateId": str(who)} for slot, who in zip(slots, candidates, strict=True)]
        request = self._request(school, "items", request_id, json.dumps({"items": items}).encode())
        started = time.monotonic()
        try:
            async with self._connection() as connection:
                status, answer = await connection.ask(request)
        except (OSError, TimeoutError) as error:
            seen.failures[type(error).__name__] += 1
            return []
        ended = time.monotonic()
        answered: dict[str, Any] = json.loads(answer)
        if status >= 400 or "lines" not in answered.get("group", {}):
            seen.failures[f"{status} {answered.get('code', '')}"] += 1
            return []
        lines = answered["group"]["lines"]
        held = [line["slot"]["id"] for line in lines if line["state"] == "held"]
        for line in lines:
            if line["state"] != "held":
                code = (line.get("reason") or {}).get("code", "")
                seen.refused[f"{line['state']} {code}"] += 1
                seen.unexplained += not code
        seen.done.append(Done(ended, ended - started, len(slots), len(held)))
        return held
