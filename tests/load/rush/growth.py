"""`growth`: the same holds with ten thousand, a hundred thousand and a million past bookings behind them."""

import argparse
from collections.abc import Sequence
from typing import Any

from data.seed import School
from measure.terminal import say

from rush import run

ROUNDS = 2
MOST_ACTIONS_A_SECOND = 300


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """One stack that grows older; the spread says how far its throughput moved."""
    sizes: list[int] = arguments.sizes
    many = int(len(sizes) * ROUNDS * (1 + run.WARM_UP) * arguments.seconds * MOST_ACTIONS_A_SECOND / 4) + 64
    schools = [School(number) for number in range(1, many + 1)]
    found: dict[str, Any] = {}
    async with run.session() as session:
        await session.seed(schools, past=0)
        each, there = iter(schools), 0
        async with session.grpc() as platform:
            await session.slice(platform, each, arguments.callers, arguments.seconds)  # warm: the first is not compared
            for size in sizes:
                await session.grow(there, size)
                there = size
                say(f"{size} past bookings")
                slices = [
                    await session.slice(platform, each, arguments.callers, arguments.seconds) for _ in range(ROUNDS)
                ]
                found[str(size)] = slices
                await session.until_published()
        rates = {size: max(one["actions_per_second"] for one in slices) for size, slices in found.items()}
        cpu = {size: min(one["cpu_ms_per_action"]["all"] for one in slices) for size, slices in found.items()}
        return {
            "past_bookings": found,
            "actions_per_second": rates,
            "cpu_ms_per_action": cpu,
            "spread_percent": round(100 * (max(rates.values()) - min(rates.values())) / max(rates.values()), 1),
            "spread_of_cpu_percent": round(100 * (max(cpu.values()) - min(cpu.values())) / max(cpu.values()), 1),
            "invariants": await session.breaches(),
        }


def main(words: Sequence[str]) -> int:
    """Parse `words` and measure; returns the exit status, 1 when something is as it must never be."""
    parser = argparse.ArgumentParser(prog="bench.py growth", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each slice")
    parser.add_argument("--callers", type=int, default=16, help="how many at once")
    parser.add_argument(
        "--sizes", type=lambda text: [int(one) for one in text.split(",")], default=[10_000, 100_000, 1_000_000]
    )
    return run.main(parser, words, measure)
