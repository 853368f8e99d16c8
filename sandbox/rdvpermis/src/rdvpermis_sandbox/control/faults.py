"""Faults on demand, as one ASGI middleware around everything but `/control`."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Kind = Literal["latency", "429", "5xx", "html", "cut_before", "cut_after"]


class ConnectionCut(ConnectionError):
    """Where no socket is (in-process tests), the cut reaches the caller as this."""


@dataclass(slots=True)
class Rule:
    """One fault: which calls, how many (None: all), how likely, what."""

    kind: Kind
    path: str = ".*"
    method: str = ""
    count: int | None = None
    probability: float = 1.0
    seed: int = 1
    latency_ms: int = 0
    status: int = 503
    retry_after: str | None = None
    struck: int = 0
    rng: Random = field(default_factory=lambda: Random(1), repr=False)  # noqa: S311 - repeatable on purpose

    def strikes(self, method: str, path: str) -> bool:
        """Say whether it is this call's turn."""
        if self.count is not None and self.struck >= self.count:
            return False
        if (self.method and self.method != method) or not re.search(self.path, path):
            return False
        if self.rng.random() >= self.probability:
            return False
        self.struck += 1
        return True


class Faults:
    """The middleware; `rules` is changed through control."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.rules: list[Rule] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Strike, or pass on."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path.startswith("/control"):
            await self.app(scope, receive, send)
            return
        for rule in self.rules:
            if rule.strikes(scope["method"], path):
                if rule.kind == "latency":
                    await asyncio.sleep(rule.latency_ms / 1000)
                    continue
                await self._strike(rule, scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _strike(self, rule: Rule, scope: Message, receive: Receive, send: Send) -> None:
        if rule.kind in {"cut_before", "cut_after"}:
            if rule.kind == "cut_after":
                await self.app(scope, receive, _swallow)
            await _cut(send)
            return
        headers = [(b"content-type", b"application/json")]
        status, body = rule.status, b'{"erreur": "ERREUR_TECHNIQUE"}'
        if rule.kind == "429":
            status, body = 429, b'{"erreur": "TROP_DE_REQUETES"}'
            headers += [(b"retry-after", rule.retry_after.encode())] if rule.retry_after else []
        if rule.kind == "html":
            status, body, headers = (
                200,
                b"<html><body>Maintenance en cours</body></html>",
                [(b"content-type", b"text/html")],
            )
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _swallow(_message: Message) -> None:
    """Drop the answer."""


async def _cut(send: Send) -> None:
    """Abort the TCP connection (RST or sudden end); uvicorn's `send` is a method of the cycle that has the transport."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionCut("cut on demand")
    transport.abort()
    for _ in range(3):
        await asyncio.sleep(0)  # let the loop tell uvicorn that the peer is gone
