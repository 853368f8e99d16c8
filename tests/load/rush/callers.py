"""Schools that press the button: each caller takes the next school and does its actions one after the other.

They stand where the gateway stands: its certificate, principals signed by its signer, one channel.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any
from uuid import UUID

import grpc
from data.seed import ACTIONS, CATEGORY, DEPARTMENT, School

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.basket.v1 import basket_pb2_grpc
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Signer


@dataclass(frozen=True)
class Done:
    """One action that was answered."""

    at: float
    """time.monotonic() of the answer."""
    seconds: float
    asked: int
    held: int


@dataclass
class Seen:
    """Actions answered, failures by their code and lines not held, as callers saw them."""

    done: list[Done] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """Lines not held, by the reason on them."""
    unexplained: int = 0
    """Lines refused without a code, or by a rule without its verdict."""


class Platform:
    """Basket as the gateway sees it."""

    def __init__(self, channel: grpc.aio.Channel, signer: Signer) -> None:
        """Ask through `channel` as whomever `signer` signs."""
        self._stub: Any = basket_pb2_grpc.BasketServiceStub(channel)
        self._signer = signer

    async def prepare(self, school: School) -> None:
        """What a school's page does before the opening: a basket at RdvPermis waits for its first hold."""
        token = self._signer.sign(school.principal, "basket")
        request = pb.PrepareOpeningRequest(category=CATEGORY, department=DEPARTMENT)
        await peers.call(self._stub.PrepareOpening, request, principal=token)

    async def hold(
        self, school: School, request_id: str, slots: Sequence[str], candidates: Sequence[UUID], seen: Seen
    ) -> list[str]:
        """One action; what became of it goes into `seen`. Returns the slots held."""
        request = pb.HoldSlotsRequest(
            request_id=request_id,
            lines=[
                pb.HoldLine(slot_id=slot, candidate_id=str(candidate))
                for slot, candidate in zip(slots, candidates, strict=True)
            ],
        )
        started = time.monotonic()
        try:
            token = self._signer.sign(school.principal, "basket")
            answer: pb.HoldSlotsResponse = await peers.call(self._stub.HoldSlots, request, principal=token)
        except Failure as failure:
            seen.failures[failure.name] += 1
            return []
        ended = time.monotonic()
        held = [line.slot.id for line in answer.group.lines if line.state == pb.LINE_STATE_HELD]
        for line in answer.group.lines:
            if line.state != pb.LINE_STATE_HELD:
                seen.refused[f"{pb.LineState.Name(line.state)} {Code.Name(line.refusal.code)}"] += 1
                seen.unexplained += not line.refusal.code
                seen.unexplained += line.refusal.code == Code.CODE_RULE_REFUSED and not line.refusal.verdicts
        seen.done.append(Done(ended, ended - started, len(slots), len(held)))
        return held


async def rush_of(platform: Any, school: School, seen: Seen, goes_on: Callable[[], bool] = lambda: True) -> None:
    """All actions of one school on slots that nobody else wants, as long as it `goes_on`."""
    begin = 0
    for size in ACTIONS:
        if not goes_on():
            return
        mine = slice(begin, begin + size)
        name = f"demande-{size}-{school.digits}"
        await platform.hold(school, name, school.slots[mine], school.candidates[mine], seen)
        begin += size


class Crowd:
    """So many callers at once, until stopped."""

    def __init__(self, platform: Any, schools: Iterator[School], callers: int) -> None:
        """`schools` is shared: each takes the next that was not taken."""
        self._platform, self._schools, self._callers = platform, schools, callers
        self._going = True
        self.seen = Seen()
        self.ran_out = False

    async def run(self) -> None:
        """Until `stop`; actions under way end."""
        await asyncio.gather(*(self._caller() for _ in range(self._callers)))

    def stop(self) -> None:
        """Begin no further action."""
        self._going = False

    async def _caller(self) -> None:
        for school in self._schools:
            await rush_of(self._platform, school, self.seen, lambda: self._going)
            if not self._going:
                return
        self.ran_out = True


@dataclass(frozen=True)
class Slice:
    """Figures of some seconds of a rush."""

    actions_per_second: float
    slots_per_second: float
    mean_ms: float
    p50_ms: float
    p99_ms: float


def slice_of(done: Sequence[Done], begin: float, end: float) -> Slice:
    """What was answered in [begin, end); ValueError when hardly anything was."""
    within = [one for one in done if begin <= one.at < end]
    if len(within) < 2:
        msg = "no action was answered in this slice: see the logs of the services"
        raise ValueError(msg)
    times = [one.seconds * 1000 for one in within]
    hundredths = quantiles(times, n=100, method="inclusive")
    seconds = end - begin
    return Slice(
        len(within) / seconds,
        sum(one.held for one in within) / seconds,
        sum(times) / len(times),
        hundredths[49],
        hundredths[98],
    )


async def contest(platform: Platform, schools: Sequence[School], slots: Sequence[str]) -> dict[str, Any]:
    """All schools at once ask for the same few slots, four at a time, until each asked for all.

    RdvPermis' responder would grant every one of them: only the platform stands between two schools.
    """
    seen, won = Seen(), []
    dice = random.Random(94)  # noqa: S311 - a shuffle that repeats

    async def ask(school: School) -> None:
        wanted = dice.sample(list(slots), len(slots))
        for turn, begin in enumerate(range(0, len(wanted), 4)):
            some = wanted[begin : begin + 4]
            held = await platform.hold(school, f"tous-{turn}", some, school.candidates[begin : begin + len(some)], seen)
            won.extend(held)

    started = time.monotonic()
    await asyncio.gather(*(ask(school) for school in schools))
    return {
        "schools": len(schools),
        "slots": len(slots),
        "slots_held": len(won),
        "held_twice": len(won) - len(set(won)),
        "lines_refused": sum(seen.refused.values()),
        "failures": dict(seen.failures),
        "seconds": round(time.monotonic() - started, 2),
        "slowest_answer_ms": round(max((one.seconds for one in seen.done), default=0.0) * 1000),
    }
