"""Record, judge, break the record on purpose, take the guard away: the checker must distinguish them."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any

import history
import uvloop
from history import Act, Op, OpOutcome

from linear.platform import Platform, started
from linear.school import Record, School

SCHOOLS, PEOPLE, SLOTS = 12, 2, 8
"""How many there are, people at once in each, and slots for each of them: schools go for those of all."""
MUTANTS = 60
UNGUARDED = 4_000
"""Operations without the index: it takes a few hundred until a slot is sold twice."""
_records = count(1)


def say(text: str) -> None:
    """Progress, beside the JSON."""
    sys.stderr.write(f"{text}\n")


@dataclass(frozen=True)
class Outages:
    """Every `every` seconds one of `components` falls and is started again: by SIGKILL, or `softly` as in a rolling restart."""

    every: float
    components: tuple[str, ...] = ("basket", "basket-2")
    softly: bool = False
    once: bool = False
    """Each component in turn, and no more: the record goes on until then."""


async def record(
    platform: Platform,
    seed: int,
    operations: int,
    outages: Outages | None = None,
    schools: int = SCHOOLS,
    pause: float = 0,
) -> Record:
    """Let all schools work until `operations` were conclusive, while components fall, each person `pause` seconds after an answer.

    In a rolling restart callers do as the gateway does: while nobody answers they ask again with the same request id.
    """
    number = next(_records)
    slots = [f"s{number}-{slot:03d}" for slot in range(SLOTS * schools)]
    made = Record(operations)
    rngs = [Random(f"{seed} {number} {school}") for school in range(schools)]  # noqa: S311 - repeatable on purpose
    patient = outages is not None and outages.softly
    working = [School(n, platform, slots, made, rng, patient, pause) for n, rng in enumerate(rngs)]
    striking = asyncio.create_task(_cause_outages(platform, Random(f"{seed} outages"), outages, made))  # noqa: S311
    try:
        async with asyncio.TaskGroup() as group:
            for school in working:
                for _ in range(PEOPLE):
                    group.create_task(school.work())
    finally:
        made.wanted = 0
        await striking
    return made


async def _cause_outages(platform: Platform, rng: Random, outages: Outages | None, made: Record) -> None:
    if outages is None:
        return
    enough, falling = made.wanted, iter(outages.components)
    if outages.once:
        made.wanted = sys.maxsize
    while not made.full:
        component = next(falling, None) if outages.once else rng.choice(outages.components)
        if component is None:
            made.wanted = enough
            return
        await asyncio.sleep(outages.every * rng.uniform(0.5, 1.5))
        await (platform.stack.stop_component if outages.softly else platform.stack.kill)(component)
        await platform.stack.start_component(component)
        if outages.softly:  # as minReadySeconds in Kubernetes: the next goes when callers have found this one again
            await platform.found_again(component, until=lambda: made.full)
        made.tally[f"{'SIGTERM' if outages.softly else 'kill -9'} {component}"] += 1


def judged(made: Record, *, killed: bool) -> dict[str, Any]:
    """The verdict on a record, for people and programs.

    A line that a killed replica was asking for keeps its slot until the reconciler has read: refusals that met such a
    hold tell nothing. Without kills every answer counts as it was given.
    """
    since = time.monotonic()
    operations = history.soften(made.operations) if killed else made.operations
    verdicts = history.check(operations)
    unexplained = [verdict for verdict in verdicts if not verdict.explained]
    return {
        "operations": made.telling,
        "slots": len(verdicts),
        "linearizable": not unexplained,
        "unexplained": [_described(verdict) for verdict in unexplained[:5]],
        "slots_unexplained": len(unexplained),
        "undecided": sum(not verdict.decided for verdict in verdicts),
        "judged_in_seconds": round(time.monotonic() - since, 1),
        "acts": dict(sorted(made.tally.items())),
    }


def _described(verdict: history.Verdict) -> dict[str, Any]:
    return {
        "slot": verdict.slot,
        "placed": f"{verdict.placed} of {verdict.operations}",
        "stuck": [f"{op.act} {op.outcome} {op.school} {op.called:.3f}-{op.answered:.3f}" for op in verdict.stuck],
    }


def mutants(operations: Sequence[Op], seed: int, many: int) -> list[list[Op]]:
    """True records with one lie each: somebody else gets what a school surely has booked.

    Each mutant is the record of one slot; the lie falls between the answer of a validation and the call of whatever
    ended that booking, so that no order of a register explains it.
    """
    by_slot: dict[str, list[Op]] = {}
    for op in operations:
        by_slot.setdefault(op.slot, []).append(op)
    found = []
    for ops in by_slot.values():
        for booked in (op for op in ops if (op.act, op.outcome) == (Act.VALIDATE, OpOutcome.DONE)):
            ends = [op.called for op in ops if op.line == booked.line and op.act is Act.CANCEL]
            until = min(ends, default=max(op.called for op in ops) + 1)
            if until - booked.answered > 0.01:
                found.append((ops, booked, booked.answered + (until - booked.answered) / 2))
    made = []
    rng = Random(seed)  # noqa: S311 - repeatable on purpose
    for ops, booked, at in rng.sample(found, min(many, len(found))):
        lie = Op(Act.HOLD, booked.slot, "ae-liar", at, at + 1e-6, OpOutcome.DONE, "lie", at + 1e6)
        kind = len(made) % 3
        if kind == 1:  # the booking is given back by a stranger
            lie = replace(lie, act=Act.CANCEL)
        elif kind == 2:  # the same booking is validated again, on another line of its school
            lie = replace(lie, act=Act.VALIDATE, school=booked.school)
        made.append([*ops, lie])
    return made


def caught(operations: Sequence[Op], seed: int, many: int) -> dict[str, int]:
    """How many mutants there are, of `many`, and how many the checker refuses."""
    made = mutants(operations, seed, many)
    verdicts = [history.explain("mutant", ops) for ops in made]
    return {"made": len(made), "caught": sum(not one.explained and one.decided for one in verdicts)}


async def linear(asked: argparse.Namespace) -> dict[str, Any]:
    """Start the replicas, record, judge, and take the index away; returns the report that is printed."""
    async with started(asked.replicas) as platform:
        say(f"{asked.replicas} replicas of basket ready, home {platform.stack.home}")
        since = time.monotonic()
        made = await record(platform, asked.seed, asked.operations)
        seconds = time.monotonic() - since
        say(f"{made.telling} operations in {seconds:.0f} s; judging")
        report: dict[str, Any] = {"replicas": asked.replicas, "seconds": round(seconds, 1)}
        report["history"] = judged(made, killed=False)
        report["mutants"] = caught(made.operations, asked.seed, MUTANTS)
        if asked.kills:
            struck = await record(platform, asked.seed, asked.operations // 10, Outages(asked.kills))
            report["history_under_kill"] = judged(struck, killed=True)
        if asked.control:
            await platform.without_guard()
            control = await record(platform, asked.seed, UNGUARDED)
            report["without_the_index"] = judged(control, killed=False)
    history_holds = report["history"]["linearizable"] and report.get("history_under_kill", {}).get("linearizable", True)
    bites = not asked.control or report["without_the_index"]["slots_unexplained"] > 0
    sees = report["mutants"]["made"] > 0 and report["mutants"]["made"] == report["mutants"]["caught"]
    return {"holds": history_holds and bites and sees, **report}


def main(given: Sequence[str]) -> int:
    """Exit status 0 when the history is explained, every lie is found and the guard is shown to be needed."""
    parser = argparse.ArgumentParser(prog="make chaos ARGS=linear", description=__doc__)
    parser.add_argument(
        "--operations", type=int, default=100_000, help="conclusive operations to reach (default 100000)"
    )
    parser.add_argument("--replicas", type=int, default=2, help="of basket (default 2)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=float, default=3.0, help="seconds between two kill -9, 0 for none (default 3)")
    parser.add_argument("--no-control", dest="control", action="store_false", help="leave the index in place")
    report = uvloop.run(linear(parser.parse_args(given)))
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["holds"] else 1
