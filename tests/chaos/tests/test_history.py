"""The checker accepts every truth, however its operations overlapped, and no history in which a slot was sold twice."""

import itertools
from dataclasses import replace
from math import inf
from random import Random as Seeded

import pytest
from history import Act, Held, Op, OpOutcome, Register, after, check, explain, soften
from hypothesis import given
from hypothesis import strategies as st

from resapermis_testing.profile import tries

SCHOOLS = ("ae-1", "ae-2", "ae-3")
SLOT = "s"


def seeded(seed: int) -> Seeded:
    return Seeded(seed)  # noqa: S311 - repeatable on purpose


def sequential(rng: Seeded, length: int) -> list[Op]:
    """Operations one after the other, each with the answer of a true register; a unit of time each."""
    register: Register = None
    history: list[Op] = []
    lines = itertools.count()
    for moment in range(length):
        school = rng.choice(SCHOOLS)
        held = isinstance(register, Held) and register.school == school
        act = rng.choice(list(Act)) if held else Act.HOLD
        outcome = OpOutcome.DONE
        line = register.line if held and register is not None else ""
        lapses = -inf
        if act is Act.HOLD:
            outcome = OpOutcome.DONE if register is None else OpOutcome.TAKEN
            line = f"l{next(lines)}" if register is None else ""
            lapses = moment + rng.uniform(1, 9) if register is None else -inf
        elif act is Act.VALIDATE:
            outcome = rng.choice([OpOutcome.DONE, OpOutcome.DONE, OpOutcome.ENDED])
        op = Op(act, SLOT, school, float(moment), float(moment), outcome, line, lapses)
        following = after(register, op)
        if following:
            register = following[0]
            history.append(op)
        if isinstance(register, Held) and not register.booked:
            line = register.line
            ripe = any(one.line == line and one.act is Act.HOLD and one.lapses <= moment + 0.5 for one in history)
            register = None if ripe and rng.random() < 0.5 else register
    return history


def blurred(rng: Seeded, history: list[Op], most: float = 3.0) -> list[Op]:
    """The same, each operation stretched around the moment of its effect."""
    return [
        replace(op, called=op.called - rng.uniform(0, most), answered=op.answered + rng.uniform(0, most))
        for op in history
    ]


def by_force(history: list[Op]) -> bool:
    """Every order of every subset of what may have happened, with lapses wherever they may be: for a few operations."""
    sure = [op for op in history if op.outcome not in {OpOutcome.LOST, OpOutcome.REFUSED}]
    maybe = [op for op in history if op.outcome is OpOutcome.LOST]
    for many in range(len(maybe) + 1):
        for happened in itertools.combinations(maybe, many):
            for order in itertools.permutations([*sure, *happened]):
                late = any(b.answered < a.called for i, a in enumerate(order) for b in order[i + 1 :])
                if not late and _runs(None, list(order), history):
                    return True
    return False


def _runs(register: Register, order: list[Op], history: list[Op]) -> bool:
    if not order:
        return True
    if register is not None and not register.booked:
        lapses = next((op.lapses for op in history if op.act is Act.HOLD and op.line == register.line), -inf)
        sure = [op.answered for op in order if op.outcome is not OpOutcome.LOST]
        if lapses <= min(sure, default=inf) and _runs(None, order, history):
            return True
    return any(_runs(new, order[1:], history) for new in after(register, order[0]))


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_a_sequential_truth_is_explained(seed: int, length: int) -> None:
    history = sequential(seeded(seed), length)
    assert explain(SLOT, history).explained


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_a_truth_whose_operations_overlap_is_explained_in_whatever_order_it_was_recorded(
    seed: int, length: int
) -> None:
    rng = seeded(seed)
    history = blurred(rng, sequential(rng, length))
    rng.shuffle(history)
    assert explain(SLOT, history).explained


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_a_truth_with_lost_answers_is_explained(seed: int, length: int) -> None:
    rng = seeded(seed)
    history = [
        replace(op, outcome=OpOutcome.LOST, answered=inf, line="" if op.act is Act.HOLD else op.line, lapses=-inf)
        if op.act in {Act.HOLD, Act.RELEASE, Act.VALIDATE, Act.CANCEL}
        and op.outcome is not OpOutcome.TAKEN
        and rng.random() < 0.15
        else op
        for op in blurred(rng, sequential(rng, length))
    ]
    assert explain(SLOT, history).explained


@given(st.integers(0, 2**32), st.integers(2, 40))
def test_a_slot_sold_twice_is_found(seed: int, length: int) -> None:
    rng = seeded(seed)
    history = sequential(rng, length)
    bookings = [n for n, op in enumerate(history) if (op.act, op.outcome) == (Act.VALIDATE, OpOutcome.DONE)]
    if not bookings:
        history.append(Op(Act.HOLD, SLOT, "ae-1", 1e3, 1e3, OpOutcome.DONE, "x", 2e3))
        if not explain(SLOT, history).explained:
            return  # it was held to the end: that is a double sale too
        history.append(Op(Act.VALIDATE, SLOT, "ae-1", 1e3 + 1, 1e3 + 1, OpOutcome.DONE, "x"))
        bookings = [len(history) - 1]
    at = history[rng.choice(bookings)].answered
    planted = Op(Act.HOLD, SLOT, "ae-4", at + 0.3, at + 0.4, OpOutcome.DONE, "planted", at + 1e6)
    verdict = explain(SLOT, [*history, planted])
    assert not verdict.explained
    assert verdict.decided


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_it_agrees_with_trying_every_order(seed: int, length: int) -> None:
    rng = seeded(seed)
    history = blurred(rng, sequential(rng, length), 1.5)
    for _ in range(rng.randrange(3)):  # a lie or two
        at = rng.uniform(0, length)
        act = rng.choice(list(Act))
        outcome = rng.choice([OpOutcome.DONE, OpOutcome.LOST])
        line = rng.choice(["l0", "l1", "z"])
        answered = inf if outcome is OpOutcome.LOST else at + rng.uniform(0, 2)
        history.append(
            Op(act, SLOT, rng.choice(SCHOOLS), at, answered, outcome, line, at + 1 if act is Act.HOLD else -inf)
        )
    lines = [op.line for op in history if op.act is Act.HOLD and op.outcome is not OpOutcome.TAKEN]
    if len(lines) == len(set(lines)):
        assert explain(SLOT, history).explained == by_force(history)


def test_two_holds_at_once_cannot_both_be_done() -> None:
    one = Op(Act.HOLD, SLOT, "ae-1", 0, 2, OpOutcome.DONE, "a", 900)
    other = Op(Act.HOLD, SLOT, "ae-2", 1, 3, OpOutcome.DONE, "b", 900)
    assert not explain(SLOT, [one, other]).explained
    assert explain(SLOT, [one, replace(other, outcome=OpOutcome.TAKEN, line="")]).explained
    assert explain(
        SLOT, [one, Op(Act.RELEASE, SLOT, "ae-1", 1.5, 9, OpOutcome.DONE, "a"), replace(other, answered=9)]
    ).explained


def test_a_hold_does_not_lapse_before_its_time_and_a_booking_never_does() -> None:
    one = Op(Act.HOLD, SLOT, "ae-1", 0, 1, OpOutcome.DONE, "a", 10)
    early = Op(Act.HOLD, SLOT, "ae-2", 8, 9, OpOutcome.DONE, "b", 99)
    late = replace(early, called=11, answered=12)
    booked = Op(Act.VALIDATE, SLOT, "ae-1", 2, 3, OpOutcome.DONE, "a")
    assert not explain(SLOT, [one, early]).explained
    assert explain(SLOT, [one, late]).explained
    assert not explain(SLOT, [one, booked, late]).explained


def test_who_is_told_taken_while_the_slot_is_free_is_found_unless_another_was_asking() -> None:
    refused = Op(Act.HOLD, SLOT, "ae-1", 5, 6, OpOutcome.TAKEN)
    asking = Op(Act.HOLD, SLOT, "ae-2", 4, 5.5, OpOutcome.REFUSED)
    assert not explain(SLOT, [refused]).explained
    assert not check(soften([refused, replace(asking, called=1, answered=2)]))[0].explained
    assert check(soften([refused, asking]))[0].explained


def test_another_line_than_ones_own_is_never_released() -> None:
    one = Op(Act.HOLD, SLOT, "ae-1", 0, 1, OpOutcome.DONE, "a", 10)
    assert not explain(SLOT, [one, Op(Act.RELEASE, SLOT, "ae-1", 2, 3, OpOutcome.DONE, "b")]).explained
    assert not explain(SLOT, [one, Op(Act.RELEASE, SLOT, "ae-2", 2, 3, OpOutcome.DONE, "a")]).explained


def test_slots_are_judged_apart_and_what_stands_in_the_way_is_shown() -> None:
    good = Op(Act.HOLD, "s1", "ae-1", 0, 1, OpOutcome.DONE, "a", 10)
    bad = [Op(Act.HOLD, "s2", school, 0, 1, OpOutcome.DONE, school, 10) for school in SCHOOLS[:2]]
    verdicts = {verdict.slot: verdict for verdict in check([good, *bad])}
    assert verdicts["s1"].explained
    assert not verdicts["s2"].explained
    assert (verdicts["s2"].placed, len(verdicts["s2"].stuck)) == (1, 1)


@pytest.mark.long
def test_many_operations_are_judged_within_the_time_of_a_test() -> None:
    slots = tries(briefly=14, long=140)
    history = [
        replace(op, slot=f"s{slot}", line=op.line and f"{slot}{op.line}")
        for slot in range(slots)
        for rng in [seeded(slot)]
        for op in blurred(rng, sequential(rng, 1000))
    ]
    assert len(history) >= 100_000 * slots // 140
    assert all(verdict.explained for verdict in check(history))
