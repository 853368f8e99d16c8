"""The life of a line, purely."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from basket_lines import NOW, line, slot
from hypothesis import given
from hypothesis import strategies as st

from resapermis_basket.domain.answer import (
    Answer,
    AnswerOutcome,
    give_back_all_or_nothing,
    held,
    refuse_all_or_nothing,
    validated,
)
from resapermis_basket.domain.doubt import (
    RdvPermisReading,
    SeenBasket,
    SeenExam,
    SettlingRefusals,
    pause_seconds,
    settle,
)
from resapermis_basket.domain.line import (
    BASKET,
    COUNTED,
    FIRST,
    IN_BASKET,
    LIVE,
    NEXT,
    Change,
    Changing,
    Line,
    Refusal,
    State,
    admit,
    counts,
    deltas,
    in_doubt,
    in_lock_order,
    inseparable,
    key_of,
    move,
    unseen_slot,
)

LOST = Refusal("RDVPERMIS_DOWN", b"")
WHY = SettlingRefusals(LOST, Refusal("RDVPERMIS_SLOT_GONE", b""), Refusal("RDVPERMIS_BASKET_GONE", b""))

states = st.sampled_from(State)
lines = st.builds(
    lambda state, number, month: replace(line(state, f"s{number}"), slot=slot(f"s{number}", month)),
    states,
    st.integers(0, 9),
    st.sampled_from(["2026-12", "2027-01"]),
)
baskets = st.lists(
    st.builds(
        lambda number, slots: SeenBasket(f"basket-{number}", NOW + timedelta(minutes=5), slots),
        st.integers(1, 3),
        st.dictionaries(st.sampled_from(["s1", "s2"]), st.sampled_from(["", "rdv-7", "rdv-8"])),
    ),
    max_size=3,
    unique_by=lambda basket: basket.id,
)
exams = st.lists(
    st.builds(
        lambda number, slot_id, who: SeenExam(f"exam-{number}", slot_id, who),
        st.integers(1, 2),
        st.sampled_from(["s1", "s2"]),
        st.sampled_from(["rdv-7", "rdv-8"]),
    ),
    max_size=3,
)


@given(states, states)
def test_a_line_goes_only_where_its_life_goes(now: State, then: State) -> None:
    if then in NEXT.get(now, ()):
        after = move(line(now), then, NOW)
        assert (after.state, after.live, after.ended_at is None) == (then, then in LIVE, then in LIVE)
        assert not in_doubt(replace(after, state=State.HELD))
    else:
        with pytest.raises(ValueError, match="never goes"):
            move(line(now), then, NOW)


def test_every_state_is_reached_and_only_ended_ones_have_no_way_on() -> None:
    reached = set(FIRST)
    for _ in State:
        reached |= {then for now in reached for then in NEXT.get(now, ())}
    assert reached == set(State)
    assert {state for state in State if state not in NEXT} == set(State) - LIVE


def test_what_counts_is_in_order() -> None:
    assert IN_BASKET < LIVE < COUNTED


@pytest.mark.req("C4")
@given(st.lists(lines, max_size=12))
def test_locks_are_always_taken_in_one_order(some: list[Line]) -> None:
    assert in_lock_order(some) == in_lock_order(reversed(some))
    assert [one.slot.id for one in in_lock_order(some)] == sorted(one.slot.id for one in some)


@given(st.lists(st.tuples(lines, lines), max_size=8))
def test_counters_move_by_what_the_lines_do(pairs: list[tuple[Line, Line]]) -> None:
    changes = [Change(before, after) for before, after in pairs]
    moved = deltas(changes)
    keys = list(moved)
    assert keys == sorted(keys)
    assert all(moved.values())
    for key in {BASKET, *(key_of(one.slot) for pair in pairs for one in pair)}:
        was = sum(counts(before)[key] for before, _ in pairs)
        will = sum(counts(after)[key] for _, after in pairs)
        assert moved.get(key, 0) == will - was


@given(st.lists(lines, max_size=6), st.integers(0, 6), st.integers(0, 6))
def test_nothing_is_admitted_beyond_what_was_granted(some: list[Line], in_basket: int, in_month: int) -> None:
    wanted = [replace(one, state=State.ASKING, ended_at=None, slot=slot(one.slot.id)) for one in some]
    key = key_of(slot())
    admitted, rest = admit(wanted, {BASKET: in_basket, key: in_month})
    assert len(admitted) == min(len(wanted), in_basket, in_month)
    assert admitted + rest == wanted


@given(st.lists(states.filter(lambda state: state in {State.ASKING, State.REFUSED}), max_size=4))
def test_all_or_nothing_asks_for_all_or_for_none(some: list[State]) -> None:
    after = {one.state for one in refuse_all_or_nothing([line(state) for state in some], LOST, NOW)}
    assert after in ({State.ASKING}, {State.REFUSED}, set())


@given(st.lists(states.filter(lambda state: state in {State.ASKING, State.HELD, State.REFUSED}), max_size=4))
def test_all_or_nothing_keeps_nothing_once_one_is_refused(some: list[State]) -> None:
    after = give_back_all_or_nothing([line(state) for state in some], LOST, NOW)
    if State.REFUSED in some:
        assert all(one.state is not State.HELD for one in after)
        assert all(one.owed for one in after if one.state is State.RELEASED)
    else:
        assert [one.state for one in after] == some


@pytest.mark.req("C12")
@given(st.datetimes(NOW.replace(tzinfo=None), datetime(2027, 1, 1)))  # noqa: DTZ001 - given its zone below
def test_our_hold_never_outlives_theirs(theirs: datetime) -> None:
    answer = Answer(AnswerOutcome.DONE, basket_id="basket-1", expires_at=theirs.replace(tzinfo=UTC))
    after = held(line(), answer, NOW)
    assert after.expires_at == min(theirs.replace(tzinfo=UTC), NOW + timedelta(minutes=15))


def test_an_unknown_answer_changes_nothing() -> None:
    unknown = Answer(AnswerOutcome.UNKNOWN)
    asking, confirming = line(), line(State.CONFIRMING)
    assert held(asking, unknown, NOW) == asking
    assert validated(confirming, unknown, NOW) == confirming


def test_a_booking_without_exam_id_is_polled() -> None:
    booked = validated(line(State.CONFIRMING), Answer(AnswerOutcome.DONE), NOW)
    assert (booked.state, booked.next_poll_at) == (State.BOOKED, NOW)
    assert settle(booked, RdvPermisReading(), WHY, NOW) == booked
    found = settle(booked, RdvPermisReading(exams=[SeenExam("exam-1", "s1", "rdv-7")]), WHY, NOW)
    assert (found.exam_id, found.next_poll_at) == ("exam-1", None)


live = st.builds(
    lambda state, changing: line(
        state,
        changing=changing,
        wanted_candidate_id=UUID(int=8),
        wanted_rdvpermis_id="rdv-8",
        exam_id="exam-1" if state is State.BOOKED else "",
        next_poll_at=NOW,
    ),
    st.sampled_from(sorted(LIVE)),
    st.just(Changing.NOTHING),
) | st.sampled_from(
    [
        line(state, changing=changing, wanted_candidate_id=UUID(int=8), wanted_rdvpermis_id="rdv-8", exam_id=exam)
        for state, changing, exam in (
            (State.HELD, Changing.NAME, ""),
            (State.HELD, Changing.RELEASE, ""),
            (State.BOOKED, Changing.CANCEL, "exam-1"),
            (State.BOOKED, Changing.REPLACE, "exam-1"),
        )
    ]
)


@given(live, baskets, exams)
def test_reading_settles_every_doubt_the_same_way_twice(
    one: Line, seen: list[SeenBasket], held_: list[SeenExam]
) -> None:
    sight = RdvPermisReading(seen, held_)
    after = settle(one, sight, WHY, NOW)
    assert not in_doubt(after)
    assert after.state in {one.state} | NEXT[one.state]
    assert after == settle(one, sight, WHY, NOW)


@given(baskets, exams)
def test_a_line_is_booked_exactly_when_their_exam_stands(seen: list[SeenBasket], held_: list[SeenExam]) -> None:
    after = settle(line(State.CONFIRMING), RdvPermisReading(seen, held_), WHY, NOW)
    assert (after.state is State.BOOKED) == any(exam.slot_id == "s1" for exam in held_)


@given(baskets)
def test_a_line_is_held_exactly_when_their_basket_has_it(seen: list[SeenBasket]) -> None:
    after = settle(line(), RdvPermisReading(seen), WHY, NOW)
    assert (after.state is State.HELD) == any("s1" in basket.candidates for basket in seen)
    if after.state is State.HELD:
        theirs: Mapping[str, str] = next(basket for basket in seen if basket.id == after.basket_id).candidates
        assert (after.candidate_id is not None) == (theirs["s1"] == "rdv-7")


def test_pauses_grow_and_stay_below_a_minute() -> None:
    pauses = [pause_seconds(polls, 5.0) for polls in range(50)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (5.0, 60.0)


def test_an_unseen_slot_counts_for_nothing_known() -> None:
    assert key_of(unseen_slot("s9", b"")) == BASKET


def test_lines_that_change_places_are_kept_together_and_all_others_apart() -> None:
    one, other, third, fourth = (line(State.BOOKED, f"s{number}") for number in range(4))
    pair = [replace(one, partner_id=other.id), replace(other, partner_id=one.id)]
    assert inseparable([pair[0], third, pair[1], fourth]) == [pair, [third], [fourth]]


def test_a_slot_taken_out_of_a_basket_is_withdrawn_and_a_basket_that_is_gone_ends_its_holds() -> None:
    one = line(State.HELD, "s1")
    there = RdvPermisReading([SeenBasket("basket-1", NOW, {"s2": ""})])
    found = [settle(one, reading, WHY, NOW) for reading in (there, RdvPermisReading())]
    assert [(after.state, after.refusal) for after in found] == [
        (State.WITHDRAWN, WHY.slot_gone),
        (State.EXPIRED, WHY.basket_gone),
    ]
