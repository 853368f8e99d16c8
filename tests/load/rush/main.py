"""The order of the bench: start, seed, take the statements of a hold, rush at each number of callers, contest, pgbench."""

import argparse
import asyncio
import contextlib
import json
import os
import platform as machine
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from devstack import CannotStart
from devstack.parts import service_named
from resapermis_kit import peers
from resapermis_kit.auth import Signer
from rush import hops, invariants, profile, seed
from rush.callers import Crowd, Platform, Seen, contest, medians, slice_of
from rush.house import House, house
from rush.same_statements import Pgbench, Statement, transactions
from rush.seed import School

SLICES = 3
WARM_UP = 0.5
"""Seconds of warm-up for each second of a slice."""
MOST_ACTIONS_A_SECOND = 160
"""Schools are seeded for this rate; a faster platform runs out of them, and says so."""
SAMPLE, CONTESTED = 7_777_700_001, 5_000_000
CONTESTANTS = 48


def say(line: str) -> None:
    """Progress, for whoever waits; standard output is for the figures."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a bench speaks on its terminal


class Bench:
    """One run."""

    def __init__(self, place: House, arguments: argparse.Namespace) -> None:
        """Everything is started."""
        self._place, self._stack, self._arguments = place, place.stack, arguments
        self._signer = Signer(self._stack.settings.secrets / "principal.jwk.json")
        seconds = (SLICES + WARM_UP) * arguments.seconds * len(arguments.callers)
        seconds += arguments.seconds * (1 if arguments.profile else 0)
        many = int(seconds * MOST_ACTIONS_A_SECOND / len(seed.ACTIONS)) + max(arguments.callers)
        self._crowd = [School(number) for number in range(1, many + 1)]
        self._contestants = [School(CONTESTED + number) for number in range(CONTESTANTS)]
        self._warming = School(SAMPLE + 1)

    async def run(self) -> dict[str, Any]:
        """All figures."""
        await self._seed()
        admin = await asyncpg.connect(self._stack.admin_url, timeout=10)
        try:
            statements = await self._statements(admin)
            rushes, profiled, contested = await self._rushes(admin)
            connection = await asyncpg.connect(self._stack.database_url("basket"), timeout=10)
            try:
                broken = await invariants.breaches(connection, basket_limit=seed.BASKET_LIMIT)
                lines = await invariants.live_lines(connection)
            finally:
                await connection.close()
            again = await self._pgbench(admin, statements)
            version: str = await admin.fetchval("SHOW server_version")
        finally:
            await admin.close()
        for callers, rush in rushes.items():
            rush["pgbench"] = again[callers]
            rush["ratio"] = round(rush["hold"]["actions_per_second"] / again[callers]["actions_per_second"], 4)
        kinds = Counter(" ".join(one.sql.split())[:110] for one in statements)
        return {
            "machine": _machine() | {"postgresql": version},
            "oversold": broken["oversold"] + contested["held_twice"],
            "invariants": broken | {"live_lines": lines},
            "callers": {str(callers): rush for callers, rush in rushes.items()},
            "contest": contested,
            "statements_of_a_school": {"actions": len(seed.ACTIONS), "slots": seed.LINES, "statements": dict(kinds)},
            **({"profile_of_basket_percent": profiled} if profiled else {}),
        }

    async def _seed(self) -> None:
        since = time.monotonic()
        schools = [*self._crowd, *self._contestants, School(SAMPLE), self._warming]
        url = self._stack.database_url
        databases = seed.Databases(url("scheduling_rules"), url("mandate"), url("auth_gateway"))
        await seed.write(schools, databases, self._stack.settings.secrets)
        say(f"seeded {len(schools)} schools, each with {seed.LINES} slots, in {time.monotonic() - since:.1f} s")

    @contextlib.asynccontextmanager
    async def _platform(self) -> Any:
        address = f"127.0.0.1:{self._stack.ports.grpc(service_named('basket'))}"
        channel = peers.channel(address, self._stack.settings.tls / "auth-gateway", "basket")
        try:
            yield Platform(channel, self._signer)
        finally:
            await channel.close()

    async def _statements(self, admin: "asyncpg.Connection[Any]") -> list[Statement]:
        """Have PostgreSQL log what basket asks while one school does its actions; return it, all transactions in a row."""
        await admin.execute("ALTER ROLE basket SET log_statement = 'all'")
        await admin.execute("ALTER ROLE basket SET log_parameter_max_length = -1")
        await self._place.restart_basket()
        seen, sample = Seen(), School(SAMPLE)
        async with self._platform() as platform:
            await platform.rush_of(self._warming, seen)
            await platform.rush_of(sample, seen)
        await admin.execute("ALTER ROLE basket RESET ALL")
        await self._place.restart_basket()
        if seen.failures or seen.refused:
            msg = f"the sample was not held: {dict(seen.failures | seen.refused)}"
            raise RuntimeError(msg)
        log = self._place.postgres_log.read_text(encoding="utf-8")
        found = transactions(log, "basket", sample.digits)
        say(
            f"one school's {len(seed.ACTIONS)} actions are {len(found)} transactions, {sum(map(len, found))} statements"
        )
        if len(found) < 2 * len(seed.ACTIONS):
            msg = "PostgreSQL's log does not show the intention and the answer of each action"
            raise RuntimeError(msg)
        return [one for transaction in found for one in transaction]

    async def _rushes(
        self, admin: "asyncpg.Connection[Any]"
    ) -> tuple[dict[int, dict[str, Any]], dict[str, float], dict[str, Any]]:
        schools = iter(self._crowd)
        async with self._platform() as platform:
            rushes = {
                callers: await self._rush(admin, platform, schools, callers) for callers in self._arguments.callers
            }
            profiled = await self._profile(platform, schools)
            hot = [slot for number in range(4) for slot in School(CONTESTED + number).slots[:2]]
            contested = await contest(platform, self._contestants, hot)
            say(f"contest: {contested}")
        return rushes, profiled, contested

    async def _rush(
        self, admin: "asyncpg.Connection[Any]", platform: Platform, schools: Iterator[School], callers: int
    ) -> dict[str, Any]:
        seconds: float = self._arguments.seconds
        crowd = Crowd(platform, schools, callers)
        going = asyncio.create_task(crowd.run())
        await asyncio.sleep(WARM_UP * seconds)
        before = await hops.read(self._stack, self._place.responder, admin)
        edges = [time.monotonic()]
        for _ in range(SLICES):
            await asyncio.sleep(seconds)
            edges.append(time.monotonic())
        after = await hops.read(self._stack, self._place.responder, admin)
        crowd.stop()
        await going
        if crowd.ran_out:
            say("all seeded schools were used up: raise MOST_ACTIONS_A_SECOND")
        slices = [slice_of(crowd.seen.done, *edge) for edge in pairwise(edges)]
        hold = medians(slices)
        say(f"{callers} callers: {hold}")
        seen = {"failures": dict(crowd.seen.failures), "lines_not_held": dict(crowd.seen.refused)}
        return {"hold": hold, **seen, "ran_out": crowd.ran_out, **hops.shares(before, after, hold["mean_ms"])}

    async def _profile(self, platform: Platform, schools: Iterator[School]) -> dict[str, float]:
        """A slice of its own: what is sampled is not measured."""
        pid = self._stack.process("basket").pid
        if self._arguments.profile is None or pid is None:
            return {}
        crowd = Crowd(platform, schools, self._arguments.callers[0])
        going = asyncio.create_task(crowd.run())
        found = await profile.record(pid, max(2, round(self._arguments.seconds)), self._arguments.profile)
        crowd.stop()
        await going
        say(f"flamegraph of basket: {self._arguments.profile}")
        return found

    async def _pgbench(
        self, admin: "asyncpg.Connection[Any]", statements: Sequence[Statement]
    ) -> dict[int, dict[str, float]]:
        """The same statements on a copy of basket's database, with every service stopped."""
        for part in ("basket", "scheduling-rules", "mandate", "egress"):
            await self._stack.stop_part(part)
        await admin.execute("CREATE DATABASE basket_again TEMPLATE basket OWNER basket")
        bench = Pgbench(self._place.socket, "basket_again", self._stack.home)
        seconds = max(1, round(self._arguments.seconds / 2))
        found = {}
        for number, callers in enumerate(self._arguments.callers):
            found[callers] = await bench.actions_per_second(
                statements,
                School(SAMPLE).digits,
                actions=len(seed.ACTIONS),
                clients=callers,
                seconds=seconds,
                run=1 + 4 * number,
            )
            say(f"pgbench, {callers} connections: {found[callers]}")
        return found


def _machine() -> dict[str, Any]:
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


def _callers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if not numbers or not all(1 <= number <= 500 for number in numbers) or len(set(numbers)) < len(numbers):
        msg = "numbers from 1 to 500, each once"
        raise argparse.ArgumentTypeError(msg)
    return numbers


async def _bench(arguments: argparse.Namespace) -> dict[str, Any]:
    started = time.monotonic()
    about = _machine()
    async with house(say) as place:
        figures = await Bench(place, arguments).run()
    figures["machine"]["load_before"] = about["load_before"]
    return figures | {"slice_seconds": arguments.seconds, "took_seconds": round(time.monotonic() - started)}


def main(words: Sequence[str]) -> int:
    """Run; the exit status is 1 when something must not be as it is: a slot sold twice, a counter wrong."""
    parser = argparse.ArgumentParser(prog="bench.py", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each of the three slices")
    parser.add_argument("--callers", type=_callers, default=[16, 64], help="how many at once, for example 16,64")
    parser.add_argument("--profile", type=Path, help="write a flamegraph of basket here (one more slice)")
    arguments = parser.parse_args(words)
    try:
        figures = uvloop.run(_bench(arguments))
    except CannotStart as reason:
        say(f"the stack cannot start: {reason}")
        return 1
    print(json.dumps(figures, indent=2, ensure_ascii=False))  # noqa: T201 - its answer
    sound = not figures["oversold"] and not any(
        count for name, count in figures["invariants"].items() if name != "live_lines"
    )
    return 0 if sound else 1
