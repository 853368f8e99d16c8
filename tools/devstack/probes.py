"""Questions to a component that starts: are you there? No library, so that asking every 50 ms costs nothing."""

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

PROBE_SECONDS = 2.0


async def http_ok(port: int, path: str) -> bool:
    """Whether GET on loopback answers 200."""
    return (await _exchange(port, f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n")).split(
        b" ", 2
    )[1:2] == [b"200"]


async def listens(port: int) -> bool:
    """Whether a connection is taken; NATS listens after JetStream is up, and says nothing before TLS."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def http_body(port: int, path: str) -> bytes:
    """The body of a small answer, empty when there is none."""
    answer = await _exchange(port, f"GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n", whole=True)
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if head.split(b" ", 2)[1:2] == [b"200"] else b""


async def http_answer(port: int, path: str) -> tuple[int, str]:
    """Status and body of a small answer; (0, "") when there is none."""
    answer = await _exchange(port, f"GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n", whole=True)
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return (int(words[1]), body.decode("utf-8", "replace").strip()) if len(words) > 1 else (0, "")


async def _exchange(port: int, request: str, *, whole: bool = False) -> bytes:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request.encode())
                return await (reader.read() if whole else reader.read(256))
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""


def busy_ports(wanted: Mapping[str, int]) -> list[str]:
    """Which of `wanted` (purpose → port) cannot be listened on, as lines for a person."""
    return [line for purpose, port in wanted.items() if (line := _refusal(purpose, port))]


def _refusal(purpose: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError as error:
            why = (
                "is in use by another program" if error.errno == errno.EADDRINUSE else f"is refused ({error.strerror})"
            )
            return f"port {port}, wanted for {purpose}, {why}"
    return ""


def free_port(offsets: Iterable[int], start: int = 20000, step: int = 40, attempts: int = 500) -> int:
    """A base port whose `offsets` are all free; for stacks of tests, which run beside others.

    They are this process' until it ends: nobody else of this account is given them, though nothing may listen there yet.
    """
    offsets = tuple(offsets)
    for number in range(attempts):
        base = start + number * step
        if _claim([base + offset for offset in offsets]):
            return base
    msg = "no free range of ports"
    raise OSError(msg)


_claimed: list[int] = []
"""File descriptors whose locks say which ports are ours."""


def _claim(ports: Iterable[int]) -> bool:
    folder = Path(tempfile.gettempdir()) / f"resapermis-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    made: list[int] = []
    for port in ports:
        made.append(os.open(folder / str(port), os.O_CREAT | os.O_RDWR, 0o600))
        try:
            fcntl.flock(made[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = bool(_refusal("", port))
        except BlockingIOError:
            taken = True
        if taken:
            for file in made:
                os.close(file)
            return False
    _claimed.extend(made)
    return True
