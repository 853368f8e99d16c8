"""`http`: the same act through the gateway: session, CSRF, Idempotency-Key."""

import argparse
from collections.abc import Sequence
from typing import Any

from data.seed import School
from measure import hops
from measure.terminal import say

from rush import run
from rush.opening import opening, prepared

ROUNDS = 3
MOST_ACTIONS_A_SECOND = 500
SCHOOLS, SLOTS = 400, 800


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """An opening that each school prepared, then slices of schools on slots of their own that none did."""
    crowd = [School(9_000_000 + number) for number in range(SCHOOLS)]
    many = int(ROUNDS * (1 + run.WARM_UP) * arguments.seconds * MOST_ACTIONS_A_SECOND / 4) + arguments.callers
    schools = iter([School(number) for number in range(1, many + 1)])
    slots = [f"creneau-ouvert-{number}" for number in range(SLOTS)]
    async with run.session(web=True) as session:
        await session.seed([*crowd, *map(School, range(1, many + 1))], slots)
        platform = session.web()
        await prepared(platform, crowd, arguments.callers)
        say(f"{len(crowd)} schools are prepared")
        await session.until_published()
        before = await session.read()
        opened = await opening(platform, crowd, slots, arguments.callers, "web")
        shares = hops.shares([(before, await session.read())], 0.0)
        opened |= {part: shares[part] for part in ("cpu_ms_per_action", "machine_percent")}
        say(f"opening over HTTP: {opened['actions_per_second']} actions/s, p99 {opened['all']['p99_ms']} ms")
        own = [await session.slice(platform, schools, arguments.callers, arguments.seconds) for _ in range(ROUNDS)]
        return {"opening": opened, "own_slots": own, "invariants": await session.breaches()}


def main(words: Sequence[str]) -> int:
    """Parse `words` and measure; returns the exit status, 1 when something is as it must never be."""
    parser = argparse.ArgumentParser(prog="bench.py http", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each slice")
    parser.add_argument("--callers", type=int, default=16, help="browsers at once")
    return run.main(parser, words, measure)
