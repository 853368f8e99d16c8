"""A school with several people at once: holds, validates, gives back, cancels, lets lapse, reads; writes down what it was answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from math import inf
from random import Random
from typing import Any
from uuid import UUID

from history import Act, Op, OpOutcome

from linear.platform import Platform
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.basket.v1 import basket_pb2_grpc
from resapermis.booking.v1 import booking_pb2 as booking
from resapermis.booking.v1 import booking_pb2_grpc
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Principal

PATIENCE_SECONDS = 10
"""How long a patient caller asks again, with the same request id, as the page does while nobody answers."""
AGAIN = frozenset(
    {Code.CODE_UNAVAILABLE, Code.CODE_IN_PROGRESS, Code.CODE_OVERLOADED, Code.CODE_UNKNOWN_OUTCOME, Code.CODE_DEADLINE}
)
LOST = frozenset(
    {
        Code.CODE_UNSPECIFIED,
        Code.CODE_UNAVAILABLE,
        Code.CODE_DEADLINE,
        Code.CODE_UNKNOWN_OUTCOME,
        Code.CODE_INTERNAL,
        Code.CODE_IN_PROGRESS,
        Code.CODE_OVERLOADED,
    }
)
"""After these it may have happened or not."""
CLOCKS_SECONDS = 0.05
"""How far our reading of the wall clock and of the monotonic one may be apart."""
ACTS = ("hold", "validate", "release", "cancel", "lapse", "read")
WEIGHTS = (40, 22, 14, 14, 6, 4)


@dataclass
class Record:
    """What was done so far, by all; `end` once it is enough."""

    wanted: int
    operations: list[Op] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    telling: int = 0

    @property
    def full(self) -> bool:
        """As many operations as wanted tell something."""
        return self.telling >= self.wanted

    def note(self, op: Op) -> None:
        """Write an operation down."""
        self.operations.append(op)
        self.tally[f"{op.act} {op.outcome}"] += 1
        self.telling += op.outcome is not OpOutcome.REFUSED


@dataclass
class School:
    """`slots` are those that all go for. Candidates are never the same twice, so that only slots are in the way."""

    number: int
    platform: Platform
    slots: Sequence[str]
    record: Record
    rng: Random
    patient: bool = False
    """Ask again, with the same request id, while nobody answers."""
    pause: float = 0
    """Seconds from an answer to the next act of the same person."""
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    """line → (group, slot), as this school believes."""
    booked: dict[str, str] = field(default_factory=dict)
    """line → slot."""
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    """group → line → slot, of all that it ever held."""
    validated: set[str] = field(default_factory=set)
    """Lines whose validation is written down, whatever came of it."""

    def __post_init__(self) -> None:
        """Sign in."""
        self.id = f"ae-{self.number}"
        principal = Principal(f"account-{self.number}", f"session-{self.number}", self.id, ("school_manager",))
        self._token = self.platform.signer.sign(principal, "basket")
        self._signed = time.monotonic()
        self._principal = principal
        self._basket = basket_pb2_grpc.BasketServiceStub(self.platform.channel)
        self._booking = booking_pb2_grpc.BookingServiceStub(self.platform.channel)

    async def work(self) -> None:
        """One of its people, until the record is full."""
        acts = {name: getattr(self, f"_{name}") for name in ACTS}
        while not self.record.full:
            await acts[self.rng.choices(ACTS, WEIGHTS)[0]]()
            await asyncio.sleep(self.pause)

    # Acts

    async def _hold(self) -> None:
        wanted = self.rng.sample(list(self.slots), self.rng.choice((1, 2, 4, 4)))
        request = pb.HoldSlotsRequest(request_id=self._id())
        for slot in wanted:
            request.lines.add(slot_id=slot, candidate_id=self._id())
        called = time.monotonic()
        answer, failure = await self._ask(self._basket.HoldSlots, request)
        if answer is None:
            for slot in wanted:
                self._note(Act.HOLD, slot, called, _lost_or_refused(failure))
            return
        to_monotonic = time.monotonic() - time.time()
        for line in answer.group.lines:
            slot = line.slot.id
            if line.state == pb.LINE_STATE_REFUSED:
                taken = line.refusal.code == Code.CODE_SLOT_TAKEN
                self._note(Act.HOLD, slot, called, OpOutcome.TAKEN if taken else OpOutcome.REFUSED)
            elif line.state == pb.LINE_STATE_ASKING:
                self._note(Act.HOLD, slot, called, OpOutcome.LOST)
            else:
                lapses = line.expires_at.ToDatetime(UTC).timestamp() + to_monotonic - CLOCKS_SECONDS
                self._note(Act.HOLD, slot, called, OpOutcome.DONE, line.id, lapses)
                self.held[line.id] = (answer.group.id, slot)
                self.groups.setdefault(answer.group.id, {})[line.id] = slot

    async def _validate(self) -> None:
        if not self.held:
            return
        group, _ = self.held[self.rng.choice(list(self.held))]
        mine = {line: slot for line, (its, slot) in self.held.items() if its == group}
        for line in mine:
            del self.held[line]
        # The whole group is validated: also what was left to lapse, or is being released meanwhile.
        others = {
            line: slot for line, slot in self.groups[group].items() if line not in mine and line not in self.validated
        }
        self.validated |= mine.keys()
        called = time.monotonic()
        answer, failure = await self._ask(
            self._basket.ValidateGroup, pb.ValidateGroupRequest(request_id=self._id(), group_id=group)
        )
        if answer is None:
            outcome = _lost_or_refused(failure)
            for line, slot in mine.items():
                self._note(Act.VALIDATE, slot, called, outcome, line)
            if outcome is OpOutcome.LOST:
                self._note_others(others, dict.fromkeys(others, pb.LINE_STATE_CONFIRMING), called)
            return
        states = {line.id: line.state for line in answer.group.lines}
        for line, slot in mine.items():
            if states[line] == pb.LINE_STATE_BOOKED:
                self._note(Act.VALIDATE, slot, called, OpOutcome.DONE, line)
                self.booked[line] = slot
            elif states[line] == pb.LINE_STATE_REJECTED:
                self._note(Act.VALIDATE, slot, called, OpOutcome.ENDED, line)
            elif states[line] == pb.LINE_STATE_CONFIRMING:
                self._note(Act.VALIDATE, slot, called, OpOutcome.LOST, line)
        self._note_others(others, states, called)

    def _note_others(self, others: Mapping[str, str], states: Mapping[str, int], called: float) -> None:
        """What a validation did to lines that its school had given up."""
        outcomes = {pb.LINE_STATE_BOOKED: OpOutcome.DONE, pb.LINE_STATE_CONFIRMING: OpOutcome.LOST}
        for line, slot in others.items():
            outcome = outcomes.get(states.get(line, 0))
            if outcome is None or line in self.validated:
                continue
            self.validated.add(line)
            self._note(Act.VALIDATE, slot, called, outcome, line)
            if outcome is OpOutcome.DONE:
                self.booked[line] = slot

    async def _release(self) -> None:
        if not self.held:
            return
        line = self.rng.choice(list(self.held))
        _, slot = self.held.pop(line)
        called = time.monotonic()
        request = pb.ReleaseLineRequest(request_id=self._id(), line_id=line)
        answer, failure = await self._ask(self._basket.ReleaseLine, request)
        outcome = _lost_or_refused(failure)
        if answer is not None and answer.line.state == pb.LINE_STATE_RELEASED:
            outcome = OpOutcome.DONE
        elif answer is not None and answer.line.state == pb.LINE_STATE_EXPIRED:
            outcome = OpOutcome.REFUSED  # answered, and no release of ours: the line lapsed while it was asked
        self._note(Act.RELEASE, slot, called, outcome, line)

    async def _cancel(self) -> None:
        if not self.booked:
            return
        line = self.rng.choice(list(self.booked))
        slot = self.booked.pop(line)
        called = time.monotonic()
        request = booking.CancelBookingRequest(request_id=self._id(), booking_id=line, reason="school")
        answer, failure = await self._ask(self._booking.CancelBooking, request)
        done = answer is not None and answer.booking.state == pb.LINE_STATE_CANCELLED
        self._note(Act.CANCEL, slot, called, OpOutcome.DONE if done else _lost_or_refused(failure), line)

    async def _lapse(self) -> None:
        """Forget a held line: it lapses by itself."""
        if self.held:
            del self.held[self.rng.choice(list(self.held))]

    async def _read(self) -> None:
        called = time.monotonic()
        answer, _ = await self._ask(self._basket.GetBasket, pb.GetBasketRequest())
        for group in answer.groups if answer is not None else ():
            for line in group.lines:
                if line.state == pb.LINE_STATE_HELD:
                    self._note(Act.SEE_HELD, line.slot.id, called, OpOutcome.DONE, line.id)
                elif line.state == pb.LINE_STATE_BOOKED:
                    self._note(Act.SEE_BOOKED, line.slot.id, called, OpOutcome.DONE, line.id)
                    if line.id not in self.booked and line.id not in self.held:
                        self.booked[line.id] = line.slot.id

    # How

    async def _ask(self, method: Any, request: Any) -> tuple[Any, Failure | None]:
        if time.monotonic() - self._signed > 20:
            self._token, self._signed = self.platform.signer.sign(self._principal, "basket"), time.monotonic()
        until = time.monotonic() + (PATIENCE_SECONDS if self.patient else 0)
        while True:
            try:
                return await peers.call(method, request, timeout=15, principal=self._token), None
            except Failure as failure:
                unexpected = failure.code in {Code.CODE_INTERNAL, Code.CODE_UNSPECIFIED}
                self.record.tally[f"{failure.name}: {failure.detail}" if unexpected else failure.name] += 1
                if failure.code not in AGAIN or time.monotonic() >= until:
                    return None, failure
            await asyncio.sleep(0.1)

    def _note(
        self, act: Act, slot: str, called: float, outcome: OpOutcome, line: str = "", lapses: float = -inf
    ) -> None:
        if slot in self.slots:  # left from an earlier record, which is closed
            answered = inf if outcome is OpOutcome.LOST else time.monotonic()
            self.record.note(Op(act, slot, self.id, called, answered, outcome, line, lapses))

    def _id(self) -> str:
        return str(UUID(int=self.rng.getrandbits(128), version=4))


def _lost_or_refused(failure: Failure | None) -> OpOutcome:
    return OpOutcome.LOST if failure is None or failure.code in LOST else OpOutcome.REFUSED
