"""What every measure of holds needs: the stack, seeded schools, a platform to ask, slices, and the invariants after."""

import argparse
import asyncio
import contextlib
import json
import os
import platform as machine
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from data import invariants, seed
from data.past import past_bookings, past_lines
from data.seed import School
from measure import hops
from measure.terminal import say
from system.stack import System, started

from devstack.components import service_named
from devstack.settings import REALM
from devstack.stack import CannotStart
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Signer
from resapermis_kit.tls.certificates import Certificates
from rush.callers import Crowd, Platform, slice_of
from rush.opening import sound
from rush.web import WebPlatform

PAST = 10_000
"""Bookings behind every measure."""
WARM_UP = 0.35
"""Seconds of warm-up for each second of a slice."""


@dataclass(frozen=True)
class Session:
    """A started stack with its schools."""

    system: System
    admin: "asyncpg.Connection[Any]"

    @contextlib.asynccontextmanager
    async def grpc(self) -> AsyncIterator[Platform]:
        """Basket as the gateway sees it, all its replicas."""
        stack = self.system.stack
        address = stack.settings.address(service_named("basket"))
        channel = peers.channel(address, Certificates(stack.settings.tls / "auth-gateway"), "basket")
        try:
            yield Platform(channel, Signer(stack.settings.secrets / "principal.jwk.json"))
        finally:
            await channel.close()

    def web(self) -> WebPlatform:
        """Basket as a school's page sees it."""
        return WebPlatform(self.system.stack.settings.public_url, self.system.stack.ports.web)

    async def seed(self, schools: Sequence[School], contested: Sequence[str] = (), past: int = PAST) -> None:
        """Write schools and slots where the services keep them, and bookings of times past.

        Without a past PostgreSQL would keep plans made for empty tables, which no platform in use has.
        """
        since, url = time.monotonic(), self.system.stack.owner_url
        databases = seed.Databases(url("scheduling_rules"), url("mandate"), url("auth_gateway"))
        settings = self.system.stack.settings
        await seed.write(schools, databases, settings.secrets, f"{settings.sandbox_url}/{REALM}", contested)
        await self.grow(0, past)
        say(f"seeded {len(schools)} schools, {len(contested)} shared slots in {time.monotonic() - since:.1f} s")

    async def grow(self, first: int, last: int) -> None:
        """Lay past bookings number `first` + 1 to `last` behind what there is."""
        if last > first:
            await self.basket(lambda connection: past_bookings(connection, first, last))
            connection = await asyncpg.connect(self.system.stack.owner_url("scheduling_rules"), timeout=10)
            try:
                await past_lines(connection, first, last)
            finally:
                await connection.close()

    async def basket(self, question: Callable[["asyncpg.Connection[Any]"], Awaitable[Any]]) -> Any:
        """What `question` returns of a fresh connection of its owner's to basket's database."""
        connection = await asyncpg.connect(self.system.stack.owner_url("basket"), timeout=10)
        try:
            return await question(connection)
        finally:
            await connection.close()

    async def breaches(self) -> dict[str, int]:
        """Rows that break an invariant, by invariant; lines counted again."""

        async def ask(connection: "asyncpg.Connection[Any]") -> dict[str, int]:
            broken = await invariants.breaches(connection, basket_limit=seed.BASKET_LIMIT)
            return broken | {"live_lines": await invariants.live_lines(connection)}

        found: dict[str, int] = await self.basket(ask)
        return found

    async def read(self) -> hops.StackReading:
        """The metrics and CPU accounts of every process at this moment."""
        return await hops.read(self.system.stack, self.system.responder, self.admin)

    async def slice(self, platform: Any, schools: Iterator[School], callers: int, seconds: float) -> dict[str, Any]:
        """Some seconds of schools that each hold their own slots, all answered at the return: figures and shares."""
        crowd = Crowd(platform, schools, callers)
        going = asyncio.create_task(crowd.run())
        await asyncio.sleep(WARM_UP * seconds)
        before = await self.read()
        await asyncio.sleep(seconds)
        after = await self.read()
        crowd.stop()
        await going
        if crowd.ran_out:
            msg = "all seeded schools were used up: seed more"
            raise RuntimeError(msg)
        found = slice_of(crowd.seen.done, before.at, after.at)
        held = {name: round(value, 1) for name, value in vars(found).items()}
        say(f"{callers} callers: {held['actions_per_second']} actions/s, p99 {held['p99_ms']} ms")
        failures = {"failures": dict(crowd.seen.failures), "refusals": dict(crowd.seen.refused)}
        return held | failures | hops.shares([(before, after)], found.mean_ms)

    async def until_published(self) -> None:
        """Wait, not for long, until basket's relay is through: its work is no neighbour's for what comes next."""

        async def published(connection: "asyncpg.Connection[Any]") -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    while await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL"):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)

        await self.basket(published)


@contextlib.asynccontextmanager
async def session(*, web: bool = False, baskets: int = 1) -> AsyncIterator[Session]:
    """Start the stack for one measure."""
    async with started(say, web=web, baskets=baskets) as system:
        admin = await asyncpg.connect(system.stack.admin_url, timeout=10)
        try:
            yield Session(system, admin)
        finally:
            await admin.close()


def about() -> dict[str, Any]:
    """The machine, and how busy it was."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": model,
        "memory_gib": round(memory, 1),
        "load_before": round(os.getloadavg()[0], 1),
        "python": machine.python_version(),
    }


Measure = Callable[[argparse.Namespace], Awaitable[dict[str, Any]]]


def main(parser: argparse.ArgumentParser, words: Sequence[str], measure: Measure) -> int:
    """Run a measure and print its JSON; the exit status is 1 when something is as it must never be."""

    async def run(arguments: argparse.Namespace) -> dict[str, Any]:
        started, before = time.monotonic(), about()
        figures = await measure(arguments)
        return {"machine": before} | figures | {"took_seconds": round(time.monotonic() - started)}

    try:
        figures = uvloop.run(run(parser.parse_args(words)))
    except CannotStart as reason:
        say(f"the stack cannot start: {reason}")
        return 1
    print(json.dumps(figures, indent=2, ensure_ascii=False))  # noqa: T201 - its answer
    return 0 if sound(figures) else 1
