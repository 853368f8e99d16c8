"""Is a slot's history that of a register with one holder? A search after Wing, Gong and Lowe, slot by slot.

Each operation was called at one moment and answered at a later one; somewhere between, it took effect at once. The
history is explained when operations can be put in one order that respects these times and in which every answer is
true. An operation whose answer was lost may have taken effect at any moment after its call, or never. A hold lapses by
itself at some moment after its time. Slots are independent, so each is searched alone (Herlihy and Wing 1990: locality).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

MOST_STEPS = 2_000_000
"""Longer searches are given up, which the verdict states and is no explanation."""


class Act(StrEnum):
    """What a school did to a slot."""

    HOLD = "hold"
    RELEASE = "release"
    VALIDATE = "validate"
    CANCEL = "cancel"
    SEE_HELD = "see_held"
    SEE_BOOKED = "see_booked"


class OpOutcome(StrEnum):
    """What it was answered."""

    DONE = "done"
    TAKEN = "taken"
    """Refused, because somebody had the slot."""
    ENDED = "ended"
    """A validation that RdvPermis refused: the hold is over."""
    LOST = "lost"
    """No answer: it may have happened or not."""
    REFUSED = "refused"
    """Refused for another reason: nothing happened, and nothing follows from it."""


@dataclass(frozen=True)
class Op:
    """One operation. Moments are seconds of one monotonic clock; `answered` is infinite when LOST.

    `line` names the hold that it made or was about; "" where the school never learned it. `lapses` is when the hold that
    it made may end by itself, -inf where that is not known.
    """

    act: Act
    slot: str
    school: str
    called: float
    answered: float
    outcome: OpOutcome
    line: str = ""
    lapses: float = -inf


@dataclass(frozen=True)
class Held:
    """The register when somebody has the slot; None when nobody has."""

    school: str
    line: str
    booked: bool = False


Register = Held | None


@dataclass(frozen=True)
class Verdict:
    """Whether a slot's history is explained; if not, how far the best order came and what no order could platform."""

    slot: str
    explained: bool
    operations: int
    decided: bool = True
    placed: int = 0
    stuck: tuple[Op, ...] = ()


def check(operations: Iterable[Op], most_steps: int = MOST_STEPS) -> list[Verdict]:
    """One verdict a slot, in order of slot."""
    by_slot: dict[str, list[Op]] = {}
    for op in operations:
        by_slot.setdefault(op.slot, []).append(op)
    return [explain(slot, ops, most_steps) for slot, ops in sorted(by_slot.items())]


def soften(operations: Sequence[Op]) -> list[Op]:
    """Take the meaning out of a TAKEN that met another school's hold under way.

    A line that is being asked for keeps the slot until RdvPermis answers, and may end refused: while it lives, others are
    answered that the slot is taken although nobody gets it.
    """
    attempts: dict[str, list[Op]] = {}
    for op in operations:
        if op.act is Act.HOLD:
            attempts.setdefault(op.slot, []).append(op)

    def met(op: Op) -> bool:
        others = (one for one in attempts[op.slot] if one is not op and one.school != op.school)
        return any(one.called <= op.answered and one.answered >= op.called for one in others)

    return [
        Op(op.act, op.slot, op.school, op.called, op.answered, OpOutcome.REFUSED, op.line, op.lapses)
        if op.outcome is OpOutcome.TAKEN and met(op)
        else op
        for op in operations
    ]


def _mine(register: Register, op: Op) -> Held | None:
    """The register if it is this school's and may be the line that the operation is about, with its line learned."""
    if register is None or register.school != op.school:
        return None
    if register.line and not register.line.startswith("?"):
        return register if op.line in {"", register.line} else None
    return Held(register.school, op.line or register.line, register.booked)


def _hold(register: Register, op: Op) -> list[Register]:
    if op.outcome is OpOutcome.TAKEN:
        return [register] if register is not None else []
    return [Held(op.school, op.line or f"?{op.called}")] if register is None else []


def _release(register: Register, op: Op) -> list[Register]:
    mine = _mine(register, op)
    return [None] if mine is not None and not mine.booked else []


def _validate(register: Register, op: Op) -> list[Register]:
    mine = _mine(register, op)
    if mine is None or mine.booked:
        return []
    booked = Held(mine.school, mine.line, booked=True)
    ended: list[Register] = [None] if op.outcome is not OpOutcome.DONE else []
    return [booked, *ended] if op.outcome is not OpOutcome.ENDED else ended


def _cancel(register: Register, op: Op) -> list[Register]:
    mine = _mine(register, op)
    return [None] if mine is not None and mine.booked else []


def _see(register: Register, op: Op) -> list[Register]:
    mine = _mine(register, op)
    return [mine] if mine is not None and mine.booked == (op.act is Act.SEE_BOOKED) else []


_STEPS: Mapping[Act, Callable[[Register, Op], list[Register]]] = {
    Act.HOLD: _hold,
    Act.RELEASE: _release,
    Act.VALIDATE: _validate,
    Act.CANCEL: _cancel,
    Act.SEE_HELD: _see,
    Act.SEE_BOOKED: _see,
}


def after(register: Register, op: Op) -> list[Register]:
    """What the register may be once the operation took effect with its outcome; empty when it could not."""
    return _STEPS[op.act](register, op)


@dataclass
class _Search:
    """The operations of one slot: those that took effect in order of call, and those that may have."""

    sure: list[Op]
    maybe: list[Op]
    lapses: dict[str, float]
    whole: int = field(init=False)

    def __post_init__(self) -> None:
        self.whole = (1 << len(self.sure)) - 1

    def window(self, done: int) -> tuple[list[int], float]:
        """Indexes of `sure` that may be next, first answered first; and the moment before which the next one is."""
        index = (~done & (done + 1)).bit_length() - 1
        found: list[int] = []
        end = inf
        while index < len(self.sure) and self.sure[index].called <= end:
            if not done >> index & 1:
                found.append(index)
                end = min(end, self.sure[index].answered)
            index += 1
        found = [one for one in found if self.sure[one].called <= end]
        return sorted(found, key=lambda one: self.sure[one].answered), end

    def next(self, done: int, tried: int, register: Register) -> list[tuple[int, int, Register]]:
        """Every state that one step leads to; the likeliest last, as the search takes it from the end."""
        window, end = self.window(done)
        found: list[tuple[int, int, Register]] = []
        for index, op in enumerate(self.maybe):
            if op.called <= end and not tried >> index & 1:
                found += [(done, tried | 1 << index, new) for new in after(register, op)]
        if register is not None and not register.booked and self.lapses.get(register.line, -inf) <= end:
            found.append((done, tried, None))
        for index in reversed(window):
            found += [(done | 1 << index, tried, new) for new in after(register, self.sure[index])]
        return found


def explain(slot: str, operations: Iterable[Op], most_steps: int = MOST_STEPS) -> Verdict:
    """Search an order for one slot's operations, from a free slot on."""
    telling = [op for op in operations if op.outcome is not OpOutcome.REFUSED]
    sure = sorted((op for op in telling if op.outcome is not OpOutcome.LOST), key=lambda op: (op.called, op.answered))
    maybe = [op for op in telling if op.outcome is OpOutcome.LOST]
    lapses = {op.line or f"?{op.called}": op.lapses for op in telling if op.act is Act.HOLD}
    search = _Search(sure, maybe, lapses)
    best = 0
    stack: list[tuple[int, int, Register]] = [(0, 0, None)]
    seen = {stack[0]}
    while stack:
        done, tried, register = stack.pop()
        if done.bit_count() > best.bit_count():
            best = done
        if done == search.whole:
            return Verdict(slot, explained=True, operations=len(telling), placed=len(sure))
        if len(seen) > most_steps:
            return Verdict(slot, explained=False, operations=len(telling), decided=False, placed=best.bit_count())
        for state in search.next(done, tried, register):
            if state not in seen:
                seen.add(state)
                stack.append(state)
    stuck = tuple(sure[index] for index in search.window(best)[0])
    return Verdict(slot, explained=False, operations=len(telling), placed=best.bit_count(), stuck=stuck)
