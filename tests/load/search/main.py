"""The order of the search bench: start, seed, warm up, each mix alone, deep pages, all mixes side by side."""

import argparse
import asyncio
import json
import os
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any
from unittest import mock

import uvloop
from measure.hops import cpu_seconds
from measure.terminal import say
from sqlalchemy.ext.asyncio import AsyncEngine
from system import components

from devstack.components import POSTGRES, service_named
from devstack.stack import CannotStart, Stack
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1.scheduling_pb2_grpc import SchedulingServiceStub
from resapermis_kit.database.engine import make_engine
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Principal, Signer
from resapermis_kit.tls.certificates import Certificates
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import Quota
from resapermis_scheduling_rules.domain.slots import School
from resapermis_scheduling_rules.search import queries
from resapermis_scheduling_rules.search.criteria import matches_centre
from resapermis_scheduling_rules.search.page import PageJudge
from resapermis_scheduling_rules.search.search import Finder
from resapermis_scheduling_rules.search.wire import criteria_of
from search import seed
from search.mixes import MIXES, Make
from search.seed import World

COMPONENT = "scheduling-rules"
SIDE_BY_SIDE = 4
WARM_UP = 20


class Timed:
    """Reads as the service reads, and counts the time of it."""

    def __init__(self) -> None:
        self._read_step, self.seconds, self.statements = queries.read_step, 0.0, 0

    async def read_step(self, *arguments: Any) -> Any:
        """As `search.queries.read_step` does it; time and statements are counted."""
        since = time.perf_counter()
        rows = await self._read_step(*arguments)
        self.seconds += time.perf_counter() - since
        self.statements += 1
        return rows


class Bench:
    """One run of the searches on a seeded stack."""

    def __init__(self, stack: Stack, world: World, many: int) -> None:
        self._stack, self._world, self._many = stack, world, many
        self._signer = Signer(stack.settings.secrets / "principal.jwk.json")
        self._channel = peers.channel(
            f"127.0.0.1:{stack.ports.grpc(service_named(COMPONENT))}",
            Certificates(stack.settings.tls / "auth-gateway"),
            COMPONENT,
        )
        self._stub: Any = SchedulingServiceStub(self._channel)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def ask(self, request: pb.SearchSlotsRequest, school: School) -> tuple[float, pb.SearchSlotsResponse]:
        """One search as the gateway asks it: seconds and answer."""
        who = Principal("compte-1", "session-1", school.id, ("school_manager",), "192.0.2.0/24")
        token = self._signer.sign(who, "scheduling-rules")
        since = time.perf_counter()
        answer: pb.SearchSlotsResponse = await peers.call(self._stub.SearchSlots, request, principal=token)
        return time.perf_counter() - since, answer

    async def mix(self, make: Make) -> dict[str, Any]:
        """One kind of search, one after the other."""
        dice = random.Random(7)  # noqa: S311 - searches that repeat
        times, slots, more, cpu = [], 0, 0, (0.0, 0.0)
        for n in range(WARM_UP + self._many):
            if n == WARM_UP:
                cpu = self._cpu()
            school = dice.choice(self._world.schools)
            seconds, answer = await self.ask(make(self._world, school, dice), school)
            if n >= WARM_UP:
                times.append(seconds)
                slots += len(answer.slots)
                more += bool(answer.next_cursor)
        used = [round((now - then) * 1000 / self._many, 2) for then, now in zip(cpu, self._cpu(), strict=True)]
        return figures(times) | {
            "cpu_ms_a_search": {"scheduling-rules": used[0], "postgresql": used[1]},
            "slots_a_page": round(slots / self._many, 1),
            "pages_with_more_percent": round(100 * more / self._many),
        }

    def _cpu(self) -> tuple[float, float]:
        """CPU seconds of the service and of PostgreSQL so far: what a busy machine does not change."""
        service, server = self._stack.process(COMPONENT).pid, self._stack.process(POSTGRES).pid
        return cpu_seconds(service or 0), cpu_seconds(server or 0, children=True)

    async def sql(self, make: Make, engine: AsyncEngine) -> dict[str, Any]:
        """What PostgreSQL takes of the same searches, asked by the same code."""
        dice, times, statements = random.Random(7), [], 0  # noqa: S311
        now = datetime.now(UTC)
        centres = {centre.id: centre for centre in self._world.centres}
        for n in range(WARM_UP + self._many):
            school = dice.choice(self._world.schools)
            wanted = criteria_of(make(self._world, school, dice), now)
            by_centre = bool(wanted.centre_ids) or wanted.within_km is not None
            streams = {wanted.department: wanted.department}
            if by_centre:
                streams = {c.id: c.department for c in centres.values() if matches_centre(wanted, c, school.point)}
            quota = Quota(Parameters().threshold_rate, school.fte)
            judge = PageJudge(school, now, lambda _: Parameters(), lambda _, quota=quota: quota)
            timed = Timed()
            with mock.patch.object(queries, "read_step", timed.read_step):
                await Finder(wanted, streams, by_centre, centres, judge, school.point).page(engine)
            if n >= WARM_UP:
                times.append(timed.seconds)
                statements += timed.statements
        return figures(times) | {"statements_a_page": round(statements / self._many, 2)}

    async def deep(self) -> dict[str, Any]:
        """Through all pages of departments: the last page costs what the first does."""
        dice = random.Random(11)  # noqa: S311
        first, last, every = [], [], []
        for _ in range(max(3, self._many // 20)):
            school = dice.choice(self._world.schools)
            request, times, seen = pb.SearchSlotsRequest(department=school.department, category="B"), [], set()
            while True:
                seconds, answer = await self.ask(request, school)
                times.append(seconds)
                ids = {one.slot.id for one in answer.slots}
                if ids & seen:
                    msg = "a slot came twice"
                    raise RuntimeError(msg)
                seen |= ids
                if not answer.next_cursor:
                    break
                request.cursor = answer.next_cursor
            first.append(times[0])
            last.append(times[-2] if len(times) > 1 else times[-1])
            every += times
        return {"all": figures(every), "first": figures(first), "last_full": figures(last)}

    async def side_by_side(self) -> dict[str, Any]:
        """Every mix in turn, by several callers at once."""
        times: list[float] = []

        async def caller(seed_: int) -> None:
            dice = random.Random(seed_)  # noqa: S311
            for _ in range(self._many):
                school = dice.choice(self._world.schools)
                make = dice.choice(list(MIXES.values()))
                times.append((await self.ask(make(self._world, school, dice), school))[0])

        since = time.perf_counter()
        await asyncio.gather(*(caller(n) for n in range(SIDE_BY_SIDE)))
        spent = time.perf_counter() - since
        return figures(times) | {"callers": SIDE_BY_SIDE, "searches_a_second": round(len(times) / spent, 1)}


def figures(times: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile of `times`, in milliseconds."""
    hundredths = quantiles([one * 1000 for one in times], n=100, method="inclusive")
    return {"p50_ms": round(hundredths[49], 2), "p99_ms": round(hundredths[98], 2)}


async def _bench(arguments: argparse.Namespace) -> dict[str, Any]:
    load = os.getloadavg()[0]
    async with components.started("search", 24_500, {COMPONENT: {"RESAPERMIS_PLAN_SECONDS": "0"}}) as stack:
        since = time.monotonic()
        world = await seed.write(stack.owner_url("scheduling_rules"), arguments.slots, datetime.now(UTC))
        say(f"seeded {arguments.slots} slots in {time.monotonic() - since:.1f} s")
        bench = Bench(stack, world, arguments.searches)
        engine = make_engine(stack.database_url("scheduling_rules"), pool=2, name="bench")
        try:
            rpc, sql = {}, {}
            for name, make in MIXES.items():
                if arguments.only and name not in arguments.only:
                    continue
                rpc[name] = await bench.mix(make)
                sql[name] = await bench.sql(make, engine)
                say(f"{name}: {rpc[name]} sql {sql[name]}")
            deep = await bench.deep()
            at_once = await bench.side_by_side()
        finally:
            await engine.dispose()
            await bench.close()
    return {
        "machine": {"cores": len(os.sched_getaffinity(0)), "load_before": round(load, 1)},
        "slots": arguments.slots,
        "searches_a_mix": arguments.searches,
        "rpc": rpc,
        "sql": sql,
        "deep_pages": deep,
        "side_by_side": at_once,
        "worst_p99_ms": max(one["p99_ms"] for one in rpc.values()),
    }


def main(words: Sequence[str]) -> int:
    """Parse `words` and measure; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench.py search", description=__doc__)
    parser.add_argument("--slots", type=int, default=1_000_000, help="in the mirror")
    parser.add_argument("--searches", type=int, default=200, help="of each kind")
    parser.add_argument("--only", nargs="*", choices=list(MIXES), help="these kinds alone")
    arguments = parser.parse_args(words)
    try:
        found = uvloop.run(_bench(arguments))
    except CannotStart as reason:
        say(f"the stack cannot start: {reason}")
        return 1
    print(json.dumps(found, indent=2, ensure_ascii=False))  # noqa: T201 - its answer
    return 0
