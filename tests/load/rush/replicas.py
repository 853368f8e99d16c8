"""`replicas`: one basket process and two on the same database: as exact, and as fast as the cores allow."""

import argparse
from collections.abc import Sequence
from typing import Any

from data.seed import School
from measure.terminal import say

from rush import run
from rush.callers import contest
from rush.opening import hot

CONTESTED, CONTESTANTS = 5_000_000, 48
MOST_ACTIONS_A_SECOND = 400


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same slices and contests with one replica, then with two."""
    return {f"{baskets}_replicas": await _with(baskets, arguments) for baskets in (1, 2)}


async def _with(baskets: int, arguments: argparse.Namespace) -> dict[str, Any]:
    many = int(2 * (1 + run.WARM_UP) * arguments.seconds * MOST_ACTIONS_A_SECOND / 4) + arguments.callers
    schools = [School(number) for number in range(1, many + 1)]
    rivals = [School(CONTESTED + number) for number in range(CONTESTANTS)]
    wanted = [f"creneau-dispute-{number}" for number in range(9)]
    async with run.session(baskets=baskets) as session:
        await session.seed([*schools, *rivals], wanted)
        async with session.grpc() as platform:
            each = iter(schools)
            own = [await session.slice(platform, each, arguments.callers, arguments.seconds) for _ in range(2)]
            contested = await contest(platform, rivals, wanted[:8])
            one = await hot(platform, rivals, wanted[8], "replicas")
        say(f"{baskets} replicas: contest {contested['slots_held']} of 8 held, {one['winners']} won the ninth")
        return {"own_slots": own, "contest": contested, "hot": one, "invariants": await session.breaches()}


def main(words: Sequence[str]) -> int:
    """Parse `words` and measure; returns the exit status, 1 when something is as it must never be."""
    parser = argparse.ArgumentParser(prog="bench.py replicas", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each slice")
    parser.add_argument("--callers", type=int, default=32, help="how many at once")
    return run.main(parser, words, measure)
