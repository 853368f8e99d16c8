"""An opening as schools live it: many press at once for the same slots, each asks for more until it is refused.

Also the worst of it: hundreds of schools on one slot in one moment.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Protocol
from uuid import UUID

from data.seed import ACTIONS, School

from rush.callers import Done, Seen


class RuleInputs(Protocol):
    """Basket as somebody sees it: through gRPC in the gateway's place, or over HTTP through the gateway."""

    async def hold(
        self, school: School, request_id: str, slots: Sequence[str], candidates: Sequence[UUID], seen: Seen
    ) -> list[str]:
        """One action; what became of it goes into `seen`. Returns the slots held."""


@dataclass
class _Turn:
    """A school and how far it came."""

    school: School
    dice: random.Random
    action: int = 0
    held: int = 0


async def prepared(platform: Any, schools: Sequence[School], callers: int) -> None:
    """Before it: each school opens the page where openings are prepared, `callers` at once."""
    waiting = deque(schools)

    async def caller() -> None:
        while waiting:
            await platform.prepare(waiting.popleft())

    await asyncio.gather(*(caller() for _ in range(callers)))


async def opening(
    platform: RuleInputs, schools: Sequence[School], slots: Sequence[str], callers: int, run: str
) -> dict[str, Any]:
    """Slots open: each school asks for 1, then 2, 3, 4 of them, until a line is refused; all figures of it.

    Schools take turns, action by action, `callers` of them at once; which slots they want, dice that repeat say.
    """
    waiting = deque(_Turn(school, random.Random(school.number)) for school in schools)  # noqa: S311 - dice that repeat
    seen, won = Seen(), []

    async def ask(turn: _Turn) -> bool:
        size = ACTIONS[turn.action]
        wanted = turn.dice.sample(slots, size)
        mine = turn.school.candidates[turn.held : turn.held + size]
        held = await platform.hold(turn.school, f"ouverture-{run}-{turn.action}", wanted, mine, seen)
        won.extend(held)
        turn.action, turn.held = turn.action + 1, turn.held + len(held)
        return len(held) == size and turn.action < len(ACTIONS)

    async def caller() -> None:
        while waiting:
            turn = waiting.popleft()
            if await ask(turn):
                waiting.append(turn)

    started = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(callers)))
    seconds = time.monotonic() - started
    return figures(seen, won, seconds) | {"schools": len(schools), "slots": len(slots), "callers": callers}


async def hot(platform: RuleInputs, schools: Sequence[School], slot: str, run: str) -> dict[str, Any]:
    """All schools ask for one slot in one moment."""
    seen, won = Seen(), []

    async def ask(school: School) -> None:
        won.extend(await platform.hold(school, f"la-meme-{run}", [slot], school.candidates[:1], seen))

    started = time.monotonic()
    await asyncio.gather(*(ask(school) for school in schools))
    return figures(seen, won, time.monotonic() - started) | {"schools": len(schools), "winners": len(won)}


def figures(seen: Seen, won: Sequence[str], seconds: float) -> dict[str, Any]:
    """Every action is counted; those that won a slot and those that were refused stand apart besides."""
    return {
        "seconds": round(seconds, 2),
        "actions_per_second": round(len(seen.done) / seconds, 1),
        "all": times(seen.done),
        "won": times([one for one in seen.done if one.held]),
        "refused": times([one for one in seen.done if not one.held]),
        "slots_held": len(won),
        "oversold": len(won) - len(set(won)),
        "refusals": dict(seen.refused),
        "refused_without_a_reason": seen.unexplained,
        "failures": dict(seen.failures),
    }


def times(done: Sequence[Done]) -> dict[str, float]:
    """Milliseconds of these actions: median, 99th percentile, slowest; the slowest alone for one."""
    if len(done) < 2:
        return {"actions": len(done)} | ({"slowest_ms": round(done[0].seconds * 1000)} if done else {})
    took = [one.seconds * 1000 for one in done]
    hundredths = quantiles(took, n=100, method="inclusive")
    return {
        "actions": len(done),
        "p50_ms": round(hundredths[49], 1),
        "p99_ms": round(hundredths[98], 1),
        "slowest_ms": round(max(took), 1),
    }


def sound(report: Any) -> bool:
    """Whether nothing in these figures, at any depth, is what must never be."""
    if isinstance(report, dict):
        bad = ("oversold", "held_twice", "refused_without_a_reason", "counters_wrong", "above_limit")
        if any(report.get(name) for name in bad) or report.get("winners", 1) != 1 or report.get("INTERNAL"):
            return False
        return all(sound(one) for one in report.values())
    return all(sound(one) for one in report) if isinstance(report, list) else True


def total(counters: Sequence[Counter[str]]) -> dict[str, int]:
    """Counters added up."""
    return dict(sum(counters, Counter()))
