"""Whether every process of a deployment is ready: each replica behind each address is asked by itself."""

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from devstack.components import SERVES, SERVICES, Ports

ASK_SECONDS, BETWEEN_SECONDS = 3.0, 1.0


@dataclass(frozen=True)
class Answer:
    """What a process said. `problem` is "" when it is ready; else what it names, or why it was not heard."""

    url: str
    problem: str


def local(port: int) -> list[str]:
    """Where the processes of a local stack say whether they, and those that they call, serve."""
    ports = Ports(port)
    return [f"http://127.0.0.1:{ports.metrics(service)}{SERVES}" for service in SERVICES]


def of_file(file: Path) -> list[str]:
    """A URL a line; empty lines and those that begin with # are none."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


async def status(urls: Sequence[str]) -> list[Answer]:
    """Ask every replica behind each URL, a name of DNS or an address, once and at the same time."""
    async with httpx2.AsyncClient(timeout=ASK_SECONDS) as web:
        asked = await asyncio.gather(*(_replicas(web, url) for url in urls))
    return [answer for answers in asked for answer in answers]


async def until_ready(urls: Sequence[str], seconds: float) -> list[Answer]:
    """Ask until all are ready, at most `seconds`; the last answers."""
    end = time.monotonic() + seconds
    while True:
        answers = await status(urls)
        if all(not answer.problem for answer in answers) or time.monotonic() >= end:
            return answers
        await asyncio.sleep(BETWEEN_SECONDS)


def as_json(answers: Sequence[Answer]) -> dict[str, Any]:
    """All of them, and whether each is ready."""
    rows = [{"url": one.url, "ready": not one.problem, "problem": one.problem} for one in answers]
    return {"ready": all(row["ready"] for row in rows), "processes": rows}


async def _replicas(web: httpx2.AsyncClient, url: str) -> list[Answer]:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return [Answer(url, "no such name")]
    addresses = sorted({str(one[4][0]) for one in found})
    return list(await asyncio.gather(*(_ask(web, address, port, parts.path or "/readyz") for address in addresses)))


async def _ask(web: httpx2.AsyncClient, address: str, port: int, path: str) -> Answer:
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}{path}"
    try:
        answer = await web.get(url)
    except httpx2.HTTPError as error:
        return Answer(url, f"no answer ({type(error).__name__})")
    return Answer(url, "" if answer.status_code == httpx2.codes.OK else answer.text.strip()[:200] or "not ready")
