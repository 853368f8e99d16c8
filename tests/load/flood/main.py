"""`flood`: a person asks the web face who they are, ten times a second, alone and then beside 2,000 hostile connections.

Every other time over a new connection. The exit status is 1 when an answer fails, or p99 beside them is over 500 ms.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvloop
from measure.hops import cpu_seconds
from measure.terminal import say
from rush.web import Connection
from system import components

from devstack.components import service_named
from devstack.stack import CannotStart, Stack
from resapermis_kit.database.engine import make_engine

COMPONENT = "auth-gateway"
EVERY_SECONDS = 0.1
MOST_P99_MS = 500
SETTLED_SECONDS = 3.0
"""So long hostile connections open before the person is timed: the first of them are cut after ten seconds, within the slice."""
REFUSED = "resapermis_http_refused_total"


@dataclass(frozen=True)
class Person:
    """Somebody with a page open."""

    stack: Stack
    request: bytes

    @classmethod
    async def of(cls, stack: Stack) -> "Person":
        """Sign somebody in."""
        engine = make_engine(stack.database_url("auth_gateway"), pool=1, name="flood")
        try:
            who = await components.visitor(engine, components.profiles_of(stack), "ecole-1")
        finally:
            await engine.dispose()
        return cls(stack, who.get(stack, "/auth/session"))

    async def _connect(self) -> tuple[asyncio.Transport, Connection]:
        return await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self.stack.ports.pages())

    async def slice(self, seconds: float) -> dict[str, Any]:
        """Ask for so long; milliseconds until answers came, and which did not."""
        times, failed = [], list[str]()
        pid = self.stack.process(COMPONENT).pid or 0
        cpu, began = cpu_seconds(pid), time.monotonic()
        transport, kept = await self._connect()
        for number in range(int(seconds / EVERY_SECONDS)):
            due = began + number * EVERY_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            since = time.monotonic()
            try:
                if number % 2:
                    fresh, other = await self._connect()
                    status, _ = await other.ask(self.request)
                    fresh.close()
                else:
                    status, _ = await kept.ask(self.request)
            except (OSError, TimeoutError) as error:
                failed.append(type(error).__name__)
                transport, kept = await self._connect()
                continue
            times.append((time.monotonic() - since) * 1000)
            if status != 200:
                failed.append(str(status))
        transport.close()
        times.sort()
        return {
            "answers": len(times),
            "failed": failed[:20],
            "p50_ms": round(times[len(times) // 2], 1),
            "p99_ms": round(times[int(len(times) * 0.99)], 1),
            "slowest_ms": round(times[-1], 1),
            "web_cpu_percent": round(100 * (cpu_seconds(pid) - cpu) / (time.monotonic() - began)),
        }

    async def refused(self) -> dict[str, int]:
        """What the web face counted as refused, by why."""
        port = self.stack.ports.metrics(service_named(COMPONENT))
        async with httpx2.AsyncClient(trust_env=False) as http:
            text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        lines = [line for line in text.splitlines() if line.startswith(REFUSED)]
        return {line.split('"')[1]: int(float(line.rpartition(" ")[2])) for line in lines}


async def measure(many: int, seconds: float) -> dict[str, Any]:
    """A slice alone, and one beside the hostile connections."""
    async with components.started("flood", 25_000, {COMPONENT: {"RESAPERMIS_READ_RATE": "60000/minute"}}) as stack:
        person = await Person.of(stack)
        alone = await person.slice(seconds)
        say(f"alone: p99 {alone['p99_ms']} ms")
        hostile = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("hostile.py")),
            str(stack.ports.pages()),
            str(many),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            await asyncio.sleep(SETTLED_SECONDS)
            beside = await person.slice(seconds)
            refused = await person.refused()
        finally:
            hostile.terminate()
            answered, _ = await hostile.communicate()
        say(f"beside {many} hostile connections: p99 {beside['p99_ms']} ms")
        return {
            "hostile_connections": many,
            "alone": alone,
            "beside": beside,
            "refused": refused,
            "hostile": json.loads(answered),
        }


def main(words: Sequence[str]) -> int:
    """Parse `words` and measure; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench.py flood", description=__doc__)
    parser.add_argument("--connections", type=int, default=2000, help="hostile ones, open at once")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each slice")
    arguments = parser.parse_args(words)
    try:
        figures = uvloop.run(measure(arguments.connections, arguments.seconds))
    except CannotStart as reason:
        say(str(reason))
        return 1
    print(json.dumps(figures, indent=2))  # noqa: T201 - the figures
    beside = figures["beside"]
    return int(bool(beside["failed"]) or beside["p99_ms"] > MOST_P99_MS)
