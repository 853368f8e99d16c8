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
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import uvloop

from devstack import CannotStart
from devstack.parts import service_named
from resapermis_kit import peers
from resapermis_kit.auth import Signer
from rush import hops, invariants, profile, seed
from rush.callers import Crowd, Platform, Seen, Slice, contest, medians, slice_of
from rush.house import House, house
from rush.same_statements import Pgbench, Statement, script, transactions
from rush.seed import School

ROUNDS = 3
"""Slices of holds and of pgbench in turn, so that a neighbour's work on the machine falls on both."""
WARM_UP, AGAIN = 0.35, 0.5
"""Seconds of warm-up and of pgbench for each second of a slice."""
MOST_ACTIONS_A_SECOND = 160
"""Schools are seeded for this rate; a faster platform runs out of them, and says so."""
SAMPLE, CONTESTED = 7_777_700_001, 5_000_000
CONTESTANTS = 48
COPY = "basket_again"
"""The copy of basket's database in which pgbench runs."""


def say(line: str) -> None:
    """Progress, for whoever waits; standard output is for the figures."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a bench speaks on its terminal


class Bench:
    """One run."""

    def __init__(self, place: House, arguments: argparse.Namespace) -> None:
        """Everything is started."""
        self._place, self._stack, self._arguments = place, place.stack, arguments
        self._signer = Signer(self._stack.settings.secrets / "principal.jwk.json")
        seconds = ROUNDS * (1 + WARM_UP) * arguments.seconds * len(arguments.callers)
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
            rushes, profiled, contested = await self._rushes(admin, statements)
            connection = await asyncpg.connect(self._stack.database_url("basket"), timeout=10)
            try:
                broken = await invariants.breaches(connection, basket_limit=seed.BASKET_LIMIT)
                lines = await invariants.live_lines(connection)
            finally:
                await connection.close()
            version: str = await admin.fetchval("SHOW server_version")
        finally:
            await admin.close()
        kinds = Counter(" ".join(one.sql.split())[:110] for one in statements)
        return {
            "machine": _machine() | {"postgresql": version},
            "oversold": broken["oversold"] + contested["held_twice"],
            "invariants": broken | {"live_lines": lines},
            "callers": {str(callers): rush for callers, rush in rushes.items()},
            "contest": contested,
            "statements_of_a_school": {"actions": len(seed.ACTIONS), "slots": seed.LINES, "statements": dict(kinds)},
            **({"profile_percent": profiled} if profiled else {}),
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
        async with self._place.without_basket():
            pass
        seen, sample = Seen(), School(SAMPLE)
        async with self._platform() as platform:
            await platform.rush_of(self._warming, seen)
            await platform.rush_of(sample, seen)
        async with self._place.without_basket():
            await admin.execute("ALTER ROLE basket RESET ALL")
            await admin.execute(f"CREATE DATABASE {COPY} TEMPLATE basket OWNER basket")
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
        self, admin: "asyncpg.Connection[Any]", statements: Sequence[Statement]
    ) -> tuple[dict[int, dict[str, Any]], dict[str, dict[str, float]], dict[str, Any]]:
        schools, runs = iter(self._crowd), count(1)
        pgbench = Pgbench(self._place.socket, COPY, self._stack.home)
        rushes = {}
        async with self._platform() as platform:
            for callers in self._arguments.callers:
                rushes[callers] = await self._compare(admin, platform, pgbench, statements, schools, callers, runs)
            profiled = await self._profile(platform, schools)
            hot = [slot for number in range(4) for slot in School(CONTESTED + number).slots[:2]]
            contested = await contest(platform, self._contestants, hot)
            say(f"contest: {contested}")
        return rushes, profiled, contested

    async def _compare(
        self,
        admin: "asyncpg.Connection[Any]",
        platform: Platform,
        pgbench: Pgbench,
        statements: Sequence[Statement],
        schools: Iterator[School],
        callers: int,
        runs: Iterator[int],
    ) -> dict[str, Any]:
        """Holds and pgbench in turn at this number of callers: medians, and the median of the rounds' ratios."""
        digits, seconds = School(SAMPLE).digits, max(1, round(AGAIN * self._arguments.seconds))
        making = await pgbench.making_seconds(statements, digits, callers, next(runs))
        rounds, crowds, costs = [], [], []
        for _ in range(ROUNDS):
            crowd = Crowd(platform, schools, callers)
            slice_, span = await self._slice(admin, crowd)
            await self._until_published()
            used = hops.database_cpu(self._stack)
            gross = await pgbench.rate(script(statements, digits), callers, seconds, next(runs))
            used = hops.database_cpu(self._stack) - used
            net = len(seed.ACTIONS) / (1 / gross - making)
            costs.append(used * 1000 / (net * seconds))
            say(f"{callers} callers: {slice_.actions_per_second:.1f} holds/s, pgbench {net:.1f}/s")
            rounds.append((slice_, span, net))
            crowds.append(crowd.seen)
        hold = medians([slice_ for slice_, _, _ in rounds])
        where = hops.shares([span for _, span, _ in rounds], hold["mean_ms"])
        cost = median(costs)
        return {
            "hold": hold,
            "pgbench_actions_per_second": round(median([net for _, _, net in rounds]), 1),
            "ratio": round(median([slice_.actions_per_second / net for slice_, _, net in rounds]), 4),
            "rounds": [
                {"hold": round(slice_.actions_per_second, 1), "pgbench": round(net, 1)} for slice_, _, net in rounds
            ],
            "failures": dict(sum((seen.failures for seen in crowds), Counter())),
            "lines_not_held": dict(sum((seen.refused for seen in crowds), Counter())),
            "pgbench_cpu_ms_per_action": round(cost, 2),
            "ratio_of_cpu": round(cost / where["cpu_ms_per_action"]["all"], 4),
            **where,
        }

    async def _slice(
        self, admin: "asyncpg.Connection[Any]", crowd: Crowd
    ) -> tuple[Slice, tuple[hops.Reading, hops.Reading]]:
        """Let the crowd rush: warm-up, then one slice; all actions begun have ended at the return."""
        going = asyncio.create_task(crowd.run())
        await asyncio.sleep(WARM_UP * self._arguments.seconds)
        before = await hops.read(self._stack, self._place.responder, admin)
        await asyncio.sleep(self._arguments.seconds)
        after = await hops.read(self._stack, self._place.responder, admin)
        crowd.stop()
        await going
        if crowd.ran_out:
            msg = "all seeded schools were used up: raise MOST_ACTIONS_A_SECOND"
            raise RuntimeError(msg)
        return slice_of(crowd.seen.done, before.at, after.at), (before, after)

    async def _until_published(self) -> None:
        """Wait, not for long, until basket's relay is through: its work is no neighbour's for pgbench."""
        connection = await asyncpg.connect(self._stack.database_url("basket"), timeout=10)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    while await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL"):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
        finally:
            await connection.close()

    async def _profile(self, platform: Platform, schools: Iterator[School]) -> dict[str, dict[str, float]]:
        """A slice of its own: what is sampled is not measured."""
        folder: Path | None = self._arguments.profile
        if folder is None:
            return {}
        crowd = Crowd(platform, schools, self._arguments.callers[0])
        going = asyncio.create_task(crowd.run())
        pids = {name: pid for name in hops.SERVICES if (pid := self._stack.process(name).pid) is not None}
        found = await profile.record(pids, max(2, round(self._arguments.seconds)), folder)
        crowd.stop()
        await going
        say(f"stacks of each service: {folder}")
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
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each of the three slices of holds")
    parser.add_argument("--callers", type=_callers, default=[16, 64], help="how many at once, for example 16,64")
    parser.add_argument(
        "--profile", type=Path, help="write each service's sampled stacks into this folder (one more slice)"
    )
    arguments = parser.parse_args(words)
    if arguments.profile is not None:
        arguments.profile.mkdir(parents=True, exist_ok=True)
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
