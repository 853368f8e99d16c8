"""An HTTP server that answers, byte for byte, what a test puts into it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

BASE = "/api/v2/auto-ecole"


@dataclass
class ReceivedRequest:
    """A request as the responder saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Raw:
    """Bytes on the wire, and whatever `then` writes; the connection closes after them."""

    data: bytes
    then: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None


Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]] | Raw
Answering = Callable[[ReceivedRequest], Awaitable[Reply] | Reply]
CUT = Raw(b"")


@dataclass
class Responder:
    """An HTTP server that answers what a test puts in `replies` ("METHOD path" -> reply, or a function)."""

    port: int = 0
    replies: dict[str, Reply | Answering] = field(default_factory=dict)
    asked: list[ReceivedRequest] = field(default_factory=list)
    open_writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def calls(self, start: str = "") -> list[ReceivedRequest]:
        return [asked for asked in self.asked if f"{asked.method} {asked.path}".startswith(start)]

    def on(self, method: str, path: str, reply: Reply | Answering) -> None:
        self.replies[f"{method} {BASE}{path}"] = reply

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_writers.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open_writers.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = ReceivedRequest(method, target, headers, body)
        self.asked.append(asked)
        reply = self.replies.get(f"{method} {target.partition('?')[0]}", (404, {"erreur": "ROUTE_ABSENTE"}))
        if callable(reply):
            answer = reply(asked)
            reply = await answer if isinstance(answer, Awaitable) else answer
        if isinstance(reply, Raw):
            writer.write(reply.data)
            await writer.drain()
            if reply.then is not None:
                await reply.then(writer)
            return False
        status, content, *more = reply
        data = b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
        extra = "".join(f"{k}: {v}\r\n" for k, v in (more[0] if more else {}).items())
        writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: {len(data)}\r\n{extra}\r\n".encode() + data)
        await writer.drain()
        return True
