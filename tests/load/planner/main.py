"""The planner beside round-robin: equal world, equal number of polls; prints JSON."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from planner.simulation import ByPollSchedule, Measured, RoundRobin, simulate
from planner.world import World, draw

CLASSES = ("watched", "favourite", "saved", "rest")


def quantile(ages: Counter[int], share: float) -> int:
    """The age that this share of the answers does not exceed."""
    wanted, so_far = share * sum(ages.values()), 0
    for age in sorted(ages):
        so_far += ages[age]
        if so_far >= wanted:
            return age
    return max(ages, default=0)


def report(measured: Measured, world: World) -> dict[str, Any]:
    """Figures of one planner."""
    purse = measured.purse
    assert purse is not None
    found = measured.found_after
    spent = [purse.background[school] for school in world.calls]
    return {
        "polls": measured.polls,
        "age_seconds": {
            why: {"median": quantile(ages, 0.5), "p95": quantile(ages, 0.95), "worst": max(ages)}
            for why in CLASSES
            if (ages := measured.ages.get(why))
        },
        "slot_found_after_seconds": {
            why: {"median": round(median(found[why])), "p95": round(sorted(found[why])[int(0.95 * len(found[why]))])}
            for why in CLASSES
            if found.get(why)
        },
        "most_calls_of_a_token_in_a_minute": {
            str(calls): max(
                (purse.most_in_a_minute[one] for one, kind in world.calls.items() if kind == calls), default=0
            )
            for calls in sorted(set(world.calls.values()))
        },
        "refused_by_our_own_budget": purse.refused,
        "background_calls_of_a_token": {"median": round(median(spent)), "most": max(spent)},
    }


def main(words: Sequence[str]) -> int:
    """Run both; the exit status is 1 when a token was over its budget."""
    parser = argparse.ArgumentParser(prog="bench.py planner", description=__doc__)
    parser.add_argument("--schools", type=int, default=1000)
    parser.add_argument("--centres", type=int, default=300)
    parser.add_argument("--hours", type=float, default=2.25, help="simulated, from 13:30 on a Monday")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(words)
    world = draw(schools=arguments.schools, centres=arguments.centres, hours=arguments.hours, seed=arguments.seed)
    figures: dict[str, Any] = {
        "schools": arguments.schools,
        "connected": len(world.calls),
        "centres": arguments.centres,
        "possible_polls": sum(len(centres) for centres in world.offers.values()) * 56,
        "hours": arguments.hours,
    }
    for name, make in (("planner", ByPollSchedule), ("round_robin", RoundRobin)):
        since = time.process_time()
        measured = simulate(world, make, arguments.hours)
        figures[name] = report(measured, world)
        print(f"{name}: {time.process_time() - since:.0f} s of CPU", file=sys.stderr, flush=True)  # noqa: T201
    print(json.dumps(figures, indent=2))  # noqa: T201 - its answer
    over = [
        calls
        for name in ("planner", "round_robin")
        for calls, most in figures[name]["most_calls_of_a_token_in_a_minute"].items()
        if most > int(calls)
    ]
    return 1 if over else 0
