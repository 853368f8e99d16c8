"""Hostile connections in a process of their own: `hostile.py PORT HOW_MANY`, until it is terminated; then it prints what became of them.

A quarter each: heads that drip, addresses that never end, connections that ask nothing, bodies that drip. Each comes from one of
many addresses of loopback, and comes back a second after it was cut.
"""

import asyncio
import contextlib
import json
import resource
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import repeat

OF_ADDRESS = 100
PAUSE_SECONDS = 1.0
HEAD = b"GET / HTTP/1.1\r\nHost: here\r\nX-Slow: "
BODY = (
    b"POST /csp-reports HTTP/1.1\r\nHost: here\r\nContent-Type: application/csp-report\r\nContent-Length: 60000\r\n\r\n"
)
Attack = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def slow_head(writer: asyncio.StreamWriter) -> None:
    """A header of which a byte comes each second."""
    writer.write(HEAD)
    await _drip(writer)


async def endless_address(writer: asyncio.StreamWriter) -> None:
    """An address of 32 MB, as fast as it is taken."""
    writer.write(b"GET /")
    for piece in repeat(b"a" * 8192, 4096):
        writer.write(piece)
        await writer.drain()


async def idle(writer: asyncio.StreamWriter) -> None:
    """Nothing at all."""
    await writer.wait_closed()


async def slow_body(writer: asyncio.StreamWriter) -> None:
    """A body of which a byte comes each second."""
    writer.write(BODY)
    await _drip(writer)


async def _drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(1)


ATTACKS: tuple[Attack, ...] = (slow_head, endless_address, idle, slow_body)


async def attack(port: int, number: int, seen: Counter[str]) -> None:
    """One hostile client, again and again."""
    one = ATTACKS[number % len(ATTACKS)]
    source = (f"127.1.{number // OF_ADDRESS // 250}.{number // OF_ADDRESS % 250 + 1}", 0)
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source)
        except OSError:
            seen["not connected"] += 1
        else:
            seen["connected"] += 1
            attacking = asyncio.create_task(_quietly(one(writer)))
            with contextlib.suppress(OSError):
                told = await reader.read(12)  # HTTP/1.1 408
                seen[f"{one.__name__} {told[9:].decode() or 'cut'}"] += 1
            attacking.cancel()
            writer.close()
        await asyncio.sleep(PAUSE_SECONDS)


async def _quietly(work: Awaitable[None]) -> None:
    with contextlib.suppress(OSError):
        await work


async def main(port: int, many: int) -> None:
    """Attack until SIGTERM."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    seen: Counter[str] = Counter()
    attacking = [asyncio.create_task(attack(port, number, seen)) for number in range(many)]
    await stop.wait()
    for one in attacking:
        one.cancel()
    print(json.dumps(dict(sorted(seen.items()))))  # noqa: T201 - its answer


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
