"""`hot`: 500 schools on one slot in one moment. One wins; how long until the last has its answer."""

import argparse
from collections.abc import Sequence
from typing import Any

from data.seed import School
from measure import hops
from measure.terminal import say

from rush import run
from rush.opening import hot

ROUNDS = 3


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Several rounds, each with a slot and schools of its own."""
    many = arguments.schools
    schools = [School(number) for number in range(1, (ROUNDS + 1) * many + 1)]
    async with run.session() as session:
        slots = [f"creneau-tres-voulu-{number}" for number in range(ROUNDS + 1)]
        await session.seed(schools, slots)
        rounds = []
        async with session.grpc() as platform:
            for number in range(ROUNDS + 1):
                crowd = schools[number * many : (number + 1) * many]
                before = await session.read()
                found = await hot(platform, crowd, slots[number], str(number))
                found |= {"cpu_ms_per_action": hops.shares([(before, await session.read())], 0.0)["cpu_ms_per_action"]}
                say(
                    f"{many} schools, one slot: {found['winners']} won, the last answer after {found['all']['slowest_ms']} ms"
                )
                rounds.append(found)
                await session.until_published()
        return {"hot": rounds[1:], "first_of_a_fresh_process": rounds[0], "invariants": await session.breaches()}


def main(words: Sequence[str]) -> int:
    """Parse `words` and measure; returns the exit status, 1 when something is as it must never be."""
    parser = argparse.ArgumentParser(prog="bench.py hot", description=__doc__)
    parser.add_argument("--schools", type=int, default=500, help="how many at once")
    return run.main(parser, words, measure)
