"""`rush`: slots open and a thousand schools press at once; how many holds a second that is, beside what PostgreSQL could do.

Start, seed, take the statements of a hold from PostgreSQL's log, slices of holds and of pgbench in turn at each number
of callers, the opening, a contest; at the end everything is counted again.
"""

import argparse
import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from data import seed
from data.seed import School
from measure import hops, profile
from measure.same_statements import Pgbench, Statement, script, transactions
from measure.terminal import say

from rush import run
from rush.callers import Crowd, Platform, Seen, contest, rush_of
from rush.opening import opening, prepared

ROUNDS = 3
"""Slices of holds and of pgbench in turn, so that a neighbour's work on the machine falls on both."""
AGAIN = 0.5
"""Seconds of pgbench for each second of a slice."""
MOST_ACTIONS_A_SECOND = 300
"""Schools are seeded for this rate; a faster platform runs out of them, and says so."""
WARMING, SAMPLE, LATE, CONTESTED, OPENING = 7_777_700_000, 7_777_700_001, 7_777_700_002, 5_000_000, 6_000_000
CONTESTANTS = 48
COPY = "basket_again"
"""The copy of basket's database in which pgbench runs."""


class Rush:
    """One run of the bench on a started stack."""

    def __init__(self, session: run.Session, arguments: argparse.Namespace) -> None:
        self._session, self._stack, self._arguments = session, session.system.stack, arguments
        seconds = ROUNDS * (1 + run.WARM_UP) * arguments.seconds * len(arguments.callers)
        seconds += arguments.seconds * (2 if arguments.profile else 0)
        many = int(seconds * MOST_ACTIONS_A_SECOND / len(seed.ACTIONS)) + max(arguments.callers)
        self._crowd = [School(number) for number in range(1, many + 1)]
        self._contestants = [School(CONTESTED + number) for number in range(CONTESTANTS)]
        self._openers = [School(OPENING + number) for number in range(arguments.schools)]
        self._open_slots = [f"creneau-ouvert-{number}" for number in range(arguments.slots)]
        self._runs = count(1)
        self._pgbench = Pgbench(session.system.socket, COPY, Path(tempfile.mkdtemp(dir=self._stack.home)))

    async def run(self) -> dict[str, Any]:
        """Seed, sample statements, slice, open and contest; returns the figures that are printed."""
        others = [School(number) for number in (WARMING, SAMPLE, LATE)]
        await self._session.seed([*self._crowd, *self._contestants, *self._openers, *others], self._open_slots)
        won, lost = await self._statements()
        schools, rushes = iter(self._crowd), {}
        async with self._session.grpc() as platform:
            for callers in self._arguments.callers:
                rushes[str(callers)] = await self._compare(platform, won, schools, callers)
            profiled = await self._profile(platform, schools)
            opened = await self._open(platform, won, lost)
            hot = [slot for number in range(4) for slot in School(CONTESTED + number).slots[:2]]
            contested = await contest(platform, self._contestants, hot)
            say(f"contest: {contested}")
        broken = await self._session.breaches()
        kinds = {
            name: Counter(" ".join(one.sql.split())[:110] for one in each)
            for name, each in (("won", won), ("lost", lost))
        }
        version: str = await self._session.admin.fetchval("SHOW server_version")
        return {
            "postgresql": version,
            "oversold": broken["oversold"] + contested["held_twice"] + opened["oversold"],
            "invariants": broken,
            "opening": opened,
            "callers": rushes,
            "contest": contested,
            "statements_of_four_actions": {name: dict(each) for name, each in kinds.items()},
            **({"profile_percent": profiled} if profiled else {}),
        }

    @asynccontextmanager
    async def _logged(self) -> AsyncIterator[None]:
        """Have PostgreSQL log whatever basket asks meanwhile; afterwards lay a copy of its database beside it."""
        admin = self._session.admin
        await admin.execute("ALTER ROLE basket SET log_statement = 'all'")
        await admin.execute("ALTER ROLE basket SET log_parameter_max_length = -1")
        async with self._session.system.without_basket():
            pass
        yield
        async with self._session.system.without_basket():
            await admin.execute("ALTER ROLE basket RESET ALL")
            await admin.execute(f"CREATE DATABASE {COPY} TEMPLATE basket OWNER basket_owner")

    async def _statements(self) -> tuple[list[Statement], list[Statement]]:
        """What basket asks while a school does its four actions, and while another comes too late four times."""
        seen, late = Seen(), Seen()
        sample, loser = School(SAMPLE), School(LATE)
        async with self._logged(), self._session.grpc() as platform:
            await rush_of(platform, School(WARMING), seen)
            await rush_of(platform, sample, seen)
            begin = 0
            for size in seed.ACTIONS:
                mine = slice(begin, begin + size)
                name = f"trop-tard-{size}-{loser.digits}"
                await platform.hold(loser, name, sample.slots[mine], loser.candidates[mine], late)
                begin += size
        if seen.failures or seen.refused or late.failures or any(one.held for one in late.done):
            msg = f"the samples went otherwise: {dict(seen.failures | seen.refused | late.failures)}"
            raise RuntimeError(msg)
        log = self._session.system.postgres_log.read_text(encoding="utf-8")
        found = [transactions(log, "basket", school.digits) for school in (sample, loser)]
        # What is won: what stands for and against it, and its intention. What is lost: one read and refusal.
        for name, each, least in zip(("won", "lost"), found, (2, 1), strict=True):
            say(f"four actions {name} are {len(each)} transactions, {sum(map(len, each))} statements")
            if len(each) < least * len(seed.ACTIONS):
                msg = "PostgreSQL's log does not show what stands for and against each action and its intention"
                raise RuntimeError(msg)
        won, lost = ([one for transaction in each for one in transaction] for each in found)
        return won, lost

    async def _compare(
        self, platform: Platform, statements: Sequence[Statement], schools: Iterator[School], callers: int
    ) -> dict[str, Any]:
        """Holds and pgbench in turn at this number of callers: the middle slice by rate, the median of the ratios."""
        digits, seconds = School(SAMPLE).digits, max(1, round(AGAIN * self._arguments.seconds))
        making = await self._pgbench.making_seconds(statements, digits, callers, next(self._runs))
        rounds, costs = [], []
        for _ in range(ROUNDS):
            hold = await self._session.slice(platform, schools, callers, self._arguments.seconds)
            await self._session.until_published()
            used = hops.database_cpu(self._stack)
            text = script(statements, digits)
            gross = await self._pgbench.rate({text: 1}, callers, seconds, next(self._runs))
            used = hops.database_cpu(self._stack) - used
            net = len(seed.ACTIONS) / (1 / gross - making)
            costs.append(used * 1000 / (net * seconds))
            say(f"{callers} callers: {hold['actions_per_second']} holds/s, pgbench {net:.1f}/s")
            rounds.append((hold, net))
        middle = sorted(rounds, key=lambda one: one[0]["actions_per_second"])[ROUNDS // 2][0]
        cost = median(costs)
        return {
            "hold": middle,
            "pgbench_actions_per_second": round(median([net for _, net in rounds]), 1),
            "ratio": round(median([hold["actions_per_second"] / net for hold, net in rounds]), 4),
            "rounds": [{"hold": hold["actions_per_second"], "pgbench": round(net, 1)} for hold, net in rounds],
            "pgbench_cpu_ms_per_action": round(cost, 2),
            "ratio_of_cpu": round(cost / middle["cpu_ms_per_action"]["all"], 4),
        }

    async def _open(self, platform: Platform, won: Sequence[Statement], lost: Sequence[Statement]) -> dict[str, Any]:
        """The opening, and pgbench with as many actions won and lost as it had."""
        callers = max(self._arguments.callers)
        await prepared(platform, self._openers, callers)
        say(f"{len(self._openers)} schools are prepared")
        await self._session.until_published()
        before = await self._session.read()
        opened = await opening(platform, self._openers, self._open_slots, callers, "grpc")
        shares = hops.shares([(before, await self._session.read())], 0.0)
        await self._session.until_published()
        scripts = {
            script(won, School(SAMPLE).digits): opened["won"]["actions"],
            script(lost, School(LATE).digits): opened["refused"]["actions"],
        }
        seconds = max(2, round(self._arguments.seconds))
        rate = await self._pgbench.rate(
            {text: many for text, many in scripts.items() if many}, callers, seconds, next(self._runs)
        )
        net = len(seed.ACTIONS) * rate
        say(f"opening: {opened['actions_per_second']} actions/s, p99 {opened['all']['p99_ms']} ms, pgbench {net:.1f}/s")
        return opened | {
            "pgbench_actions_per_second": round(net, 1),
            "ratio": round(opened["actions_per_second"] / net, 4),
            "cpu_ms_per_action": shares["cpu_ms_per_action"],
            "machine_percent": shares["machine_percent"],
        }

    async def _profile(self, platform: Platform, schools: Iterator[School]) -> dict[str, dict[str, float]]:
        """A slice of its own: what is sampled is not measured."""
        folder: Path | None = self._arguments.profile
        if folder is None:
            return {}
        crowd = Crowd(platform, schools, self._arguments.callers[0])
        going = asyncio.create_task(crowd.run())
        pids = {name: pid for name in hops.SERVICES if (pid := self._stack.process(name).pid) is not None}
        found: dict[str, dict[str, float]] = await profile.record(pids, max(2, round(self._arguments.seconds)), folder)
        crowd.stop()
        await going
        say(f"stacks of each service: {folder}")
        return found


def _callers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if not numbers or not all(1 <= number <= 500 for number in numbers) or len(set(numbers)) < len(numbers):
        msg = "numbers from 1 to 500, each once"
        raise argparse.ArgumentTypeError(msg)
    return numbers


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start the stack, run, say which slices there were."""
    async with run.session() as session:
        return await Rush(session, arguments).run() | {"slice_seconds": arguments.seconds}


def main(words: Sequence[str]) -> int:
    """Parse `words` and measure; returns the exit status, 1 when something is as it must never be."""
    parser = argparse.ArgumentParser(prog="bench.py rush", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each of the three slices of holds")
    parser.add_argument("--callers", type=_callers, default=[16, 64], help="how many at once, for example 16,64")
    parser.add_argument("--schools", type=int, default=1000, help="schools of the opening")
    parser.add_argument("--slots", type=int, default=2000, help="slots that open")
    parser.add_argument("--profile", type=Path, help="write each service's sampled stacks into this folder")
    arguments = parser.parse_args(words)
    if arguments.profile is not None:
        arguments.profile.mkdir(parents=True, exist_ok=True)
    return run.main(parser, words, measure)
