"""RdvPermis answered cheaply: every call after a fixed time, each in the shape of RdvPermis' API, with no rule behind it.

It grants whatever is asked, also the same slot twice: that no slot is held twice is then the platform's own doing.
Runs as a process of its own (`python responder.py PORT SECONDS`), so that its time is not taken from the callers'.
"""

import asyncio
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import uvloop
from joserfc.jwk import ECKey

BASE = "/api/v2/auto-ecole"
REALM = "/realms/formation"
KEY = ECKey.generate_key("P-256").as_dict(private=False)
"""It signs nothing."""
_LENGTH = re.compile(rb"(?im)^content-length:\s*(\d+)")
_SLOTS = re.compile(rf"{BASE}/paniers/([^/]+)/creneaux-multiples")
_NAME = re.compile(rf"{BASE}/paniers/[^/]+/creneaux/[^/]+/candidat")
_EMPTY_LISTS = {f"{BASE}/paniers": [], f"{BASE}/examens-pagines": {"data": []}}
_REASONS = {200: "OK", 201: "Created", 204: "No Content", 404: "Not Found"}


class Answers:
    """What is answered to a call; counts baskets so that each has an id of its own."""

    def __init__(self, origin: str) -> None:
        """`origin` is where we are reached, as the provider's discovery document says it."""
        self._origin, self._baskets = origin, 0

    def __call__(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON body (None: none)."""
        if (method, path) == ("POST", f"{BASE}/paniers"):
            self._baskets += 1
            return 201, _basket(f"panier-{self._baskets}", [])
        if method == "POST" and (added := _SLOTS.fullmatch(path)):
            return 201, _basket(added[1], json.loads(body)["creneauxId"])
        if method == "PUT" and _NAME.fullmatch(path):
            return 204, None
        if method == "GET" and path in _EMPTY_LISTS:
            return 200, _EMPTY_LISTS[path]
        return self._provider(method, path)

    def _provider(self, method: str, path: str) -> tuple[int, Any]:
        if (method, path) == ("GET", f"{REALM}/.well-known/openid-configuration"):
            endpoints = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "certs"}
            addresses = {name: f"{self._origin}{REALM}/{path}" for name, path in endpoints.items()}
            return 200, {"issuer": self._origin + REALM, **addresses}
        if (method, path) == ("GET", f"{REALM}/certs"):
            return 200, {"keys": [KEY]}
        if (method, path) == ("POST", f"{REALM}/token"):
            return 200, {
                "access_token": "renewed",
                "expires_in": 300,
                "refresh_token": "rotated",
                "token_type": "Bearer",
            }
        return 404, {"erreur": "INCONNU"}


def _basket(basket_id: str, slots: list[str]) -> dict[str, Any]:
    expires = datetime.now(UTC) + timedelta(minutes=30)
    return {
        "id": basket_id,
        "elementsDuPanier": [{"creneauId": slot} for slot in slots],
        "dateHeureExpiration": expires.isoformat(timespec="seconds"),
    }


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection kept alive; a client asks one thing at a time."""

    def __init__(self, answers: Answers, seconds: float) -> None:
        """Answer each request `seconds` after it arrived whole."""
        self._answers, self._seconds, self._read = answers, seconds, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write; uvloop's transports are no subclasses of asyncio's."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer when the request is whole."""
        self._read += data
        head, end, rest = self._read.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        wanted = int(length[1]) if length else 0
        if not end or len(rest) < wanted:
            return
        self._read = rest[wanted:]
        method, target, _ = head.split(b" ", 2)
        status, answer = self._answers(method.decode(), target.decode().partition("?")[0], rest[:wanted])
        body = b"" if answer is None else json.dumps(answer).encode()
        lines = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Length: {len(body)}\r\n"
        if body:
            lines += "Content-Type: application/json\r\n"
        asyncio.get_running_loop().call_later(self._seconds, self._write, f"{lines}\r\n".encode() + body)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


async def listen(port: int, seconds: float) -> asyncio.Server:
    """Answer on loopback from now on; port 0 takes a free one."""
    answers = Answers(f"http://localhost:{port}")
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Connection(answers, seconds), "127.0.0.1", port)


async def _serve(port: int, seconds: float) -> None:
    server = await listen(port, seconds)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
