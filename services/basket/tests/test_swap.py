"""Two bookings change places: both or neither, once, settled by reading when the answer is lost."""

import asyncio
import dataclasses
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from basket_lines import NOW
from basket_lines import line as a_line
from basket_peers import MONTH, Basket, LineChanged, Record, candidate
from basket_work import KILLED, due_now
from hypothesis import given
from hypothesis import strategies as st
from test_line_change import DOWN, LOST, booked, cancel, replace, settle

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.booking.v1 import booking_pb2
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket.domain.doubt import RdvPermisReading, SeenExam, SettlingRefusals
from resapermis_basket.domain.doubt import settle as settled_line
from resapermis_basket.domain.line import Changing, State
from resapermis_basket.judgement import refusals
from resapermis_basket.reconcile.expiry import finish_begun_exams
from resapermis_basket.reconcile.outside_changes import reconcile_school
from resapermis_kit.errors import Code, Failure
from resapermis_testing.profile import tries

WHY = SettlingRefusals(refusals.answer_lost(), refusals.hold_gone(), refusals.basket_gone())


async def swap(basket: Basket, one: pb.Line, other: pb.Line, key: str = "") -> list[pb.Line]:
    request = booking_pb2.SwapBookingsRequest(
        request_id=key or basket.key(), booking_id=one.id, other_booking_id=other.id
    )
    return list((await basket.book("SwapBookings", request)).bookings)


def who(lines: list[pb.Line]) -> list[str]:
    return [line.candidate_id for line in lines]


async def on_slots(basket: Basket) -> dict[str, str]:
    rows = await basket.rows("SELECT slot_id, candidate_id FROM basket_line WHERE ended_at IS NULL")
    return {row.slot_id: str(row.candidate_id) for row in rows}


@pytest.mark.req("R-26")
async def test_two_bookings_change_places(basket: Basket) -> None:
    one, other = await booked(basket, ("s1", 1), ("s2", 2))
    crossed = await swap(basket, one, other, key="w")
    assert [(line.slot.id, line.candidate_id, line.exam_id) for line in crossed] == [
        ("s1", candidate(2), one.exam_id),
        ("s2", candidate(1), other.exam_id),
    ]
    assert basket.rdvpermis.exams[one.exam_id].rdvpermis_candidate_id == "rdv-002"
    assert await swap(basket, one, other, key="w") == crossed
    assert basket.rdvpermis.calls.count("SwapExams") == 1
    assert (await basket.counters())[("school-1", MONTH)] == 2
    events = [(event.slot_id, event.to, event.candidate_id) for event in (await basket.published(LineChanged))[-4:]]
    assert events == [
        ("s1", pb.LINE_STATE_SWAPPED, candidate(1)),
        ("s2", pb.LINE_STATE_SWAPPED, candidate(2)),
        ("s1", pb.LINE_STATE_BOOKED, candidate(2)),
        ("s2", pb.LINE_STATE_BOOKED, candidate(1)),
    ]
    assert {record.action for record in (await basket.published(Record))[-4:]} == {"booking.swap"}
    await basket.check()
    assert who(await swap(basket, *crossed)) == [candidate(1), candidate(2)]


@pytest.mark.req("R-26", "R-23")
async def test_what_was_judged_goes_to_the_new_lines(basket: Basket) -> None:
    crossed = await swap(basket, *await booked(basket, ("s1", 1), ("s2", 2)))
    kept = await basket.rows("SELECT line_id FROM judgement WHERE purpose = 'swap'")
    assert {str(row.line_id) for row in kept} == {line.id for line in crossed}
    assert {line.candidate_id for line in basket.world.evaluated[-1].lines} == {candidate(1), candidate(2)}
    assert all(line.changeable and line.line_id for line in basket.world.evaluated[-1].lines)


@pytest.mark.req("R-26")
async def test_only_what_rdvpermis_lets_change_places_is_offered(basket: Basket) -> None:
    basket.world.starts["s4"] = datetime(2036, 12, 10, 9, tzinfo=UTC)
    one, other, fixed, _ = await booked(basket, ("s1", 1), ("s2", 2), ("s3", 3), ("s4", 4))
    basket.rdvpermis.exams[fixed.exam_id].changeable = False
    basket.rdvpermis.put_exam("exam-of-theirs", "school-1", "s9", "rdv-009")
    offered = await basket.book("ListSwappable", booking_pb2.ListSwappableRequest(booking_id=one.id))
    assert [line.id for line in offered.bookings] == [other.id]
    with pytest.raises(Failure) as refused:
        await basket.book("ListSwappable", booking_pb2.ListSwappableRequest(booking_id=one.id, date="tomorrow"))
    assert refused.value.code == Code.CODE_MALFORMED


@pytest.mark.req("R-26")
async def test_a_swap_is_refused_with_every_reason(basket: Basket) -> None:
    one, other = await booked(basket, ("s1", 1), ("s2", 2))
    basket.world.no_mandate.add(candidate(1))
    basket.world.rules_against["s1"] = Verdict(rule="R-NOTICE", allowed=False)
    with pytest.raises(Failure) as refused:
        await swap(basket, one, other)
    assert {verdict.rule for verdict in refused.value.verdicts if not verdict.allowed} == {"R-MANDATE", "R-NOTICE"}
    assert "SwapExams" not in basket.rdvpermis.calls
    with pytest.raises(Failure) as refused:
        await swap(basket, one, one)
    assert refused.value.code == Code.CODE_MALFORMED
    with pytest.raises(Failure) as refused:
        request = booking_pb2.SwapBookingsRequest(request_id="x", booking_id=one.id, other_booking_id=other.id)
        await basket.book("SwapBookings", request, school="school-2")
    assert refused.value.code == Code.CODE_NOT_FOUND


@pytest.mark.req("R-12", "R-26")
async def test_a_booking_that_has_begun_is_not_swapped(basket: Basket) -> None:
    one, other = await booked(basket, ("s1", 1), ("s2", 2))
    await basket.rows("UPDATE basket_line SET starts_at = now() WHERE slot_id = 's2' RETURNING 1")
    with pytest.raises(Failure) as refused:
        await swap(basket, one, other)
    assert "R-PAST" in [verdict.rule for verdict in refused.value.verdicts]


@pytest.mark.req("R-26")
@pytest.mark.parametrize("why", [DOWN, "PERMUTATION_IMPOSSIBLE"])
async def test_a_swap_that_surely_did_not_happen_changes_nothing(basket: Basket, why: Failure | str) -> None:
    one, other = await booked(basket, ("s1", 1), ("s2", 2))
    if isinstance(why, Failure):
        basket.rdvpermis.before["SwapExams"] = why
    else:
        basket.rdvpermis.refuse[one.exam_id] = why
    with pytest.raises(Failure):
        await swap(basket, one, other, key="w")
    assert await on_slots(basket) == {"s1": candidate(1), "s2": candidate(2)}
    assert not await basket.rows("SELECT 1 FROM basket_line WHERE changing <> '' OR partner_id IS NOT NULL")
    basket.rdvpermis.before.clear()
    basket.rdvpermis.refuse.clear()
    assert who(await swap(basket, one, other, key="w")) == [candidate(2), candidate(1)]


@pytest.mark.req("R-26", "R-16")
@pytest.mark.parametrize("arrived", [True, False])
async def test_a_swap_whose_answer_was_lost_is_read(basket: Basket, *, arrived: bool) -> None:
    basket.world.starts["s2"] = datetime(2036, 12, 11, 9, tzinfo=UTC)  # another day: another poll
    one, other = await booked(basket, ("s1", 1), ("s2", 2))
    (basket.rdvpermis.after if arrived else basket.rdvpermis.before)["SwapExams"] = LOST
    assert all(line.changing for line in await swap(basket, one, other, key="w"))
    with pytest.raises(Failure) as refused:
        await swap(basket, one, other, key="w")
    assert refused.value.code == Code.CODE_IN_PROGRESS
    await settle(basket)
    again = await swap(basket, one, other, key="w")
    assert who(again) == ([candidate(2), candidate(1)] if arrived else [candidate(1), candidate(2)])
    assert ({line.id for line in again} == {one.id, other.id}) == (not arrived)
    assert basket.rdvpermis.calls.count("SwapExams") == 1
    assert (await basket.published(LineChanged))[-1].reason == ("" if arrived else "RDVPERMIS_DOWN")


@pytest.mark.req("R-26", "R-16")
@pytest.mark.parametrize("asked", [True, False])
async def test_a_crash_on_either_side_of_the_call_is_settled_by_reading(
    basket: Basket, monkeypatch: Any, *, asked: bool
) -> None:
    one, other = await booked(basket, ("s1", 1), ("s2", 2))
    real = basket.dependencies.peers.rdvpermis

    async def crash(method: str, request: Any, **how: Any) -> Any:
        if method != "SwapExams":
            return await real(method, request, **how)
        if asked:
            await real(method, request, **how)
        raise RuntimeError(KILLED)

    with monkeypatch.context() as patch:
        patch.setattr(basket.dependencies.peers, "rdvpermis", crash)
        with pytest.raises(Failure):
            await swap(basket, one, other)
    await due_now(basket)
    await settle(basket)
    crossed = {"s1": candidate(2), "s2": candidate(1)}
    assert await on_slots(basket) == (crossed if asked else {"s1": candidate(1), "s2": candidate(2)})


@pytest.mark.req("R-26", "R-16")
async def test_a_swap_of_which_one_half_was_cancelled_since_is_still_known(basket: Basket) -> None:
    one, other = await booked(basket, ("s1", 1), ("s2", 2))
    basket.rdvpermis.after["SwapExams"] = LOST
    await swap(basket, one, other)
    del basket.rdvpermis.exams[other.exam_id]
    await settle(basket)
    assert (await on_slots(basket))["s1"] == candidate(2)


# Of any two acts at once on a booking, one wins (security-tests.md, C13)

Act = Callable[[Basket, pb.Line, pb.Line], Awaitable[Any]]


async def _start(basket: Basket, line: pb.Line, _other: pb.Line) -> Any:
    await basket.rows("UPDATE basket_line SET starts_at = now() WHERE id = :id RETURNING 1", id=line.id)
    await finish_begun_exams(basket.dependencies)


async def _withdraw(basket: Basket, line: pb.Line, _other: pb.Line) -> Any:
    """The State takes the slot back, and we poll."""
    basket.rdvpermis.exams.pop(line.exam_id, None)
    await reconcile_school(basket.dependencies, "school-1")


ACTS: dict[str, Act] = {
    "withdraw": _withdraw,
    "swap": swap,
    "cancel": lambda basket, line, _other: cancel(basket, line),
    "replace": lambda basket, line, _other: replace(basket, line, int(line.candidate_id[-3:]) + 400),
    "start": _start,
}
LEGAL = {"booked", "cancelled", "replaced", "swapped", "done"}


@pytest.mark.long
@pytest.mark.req("R-13", "R-26", "C13")
@pytest.mark.parametrize(("first", "second"), list(itertools.combinations_with_replacement(ACTS, 2)))
async def test_of_two_acts_at_once_one_wins(basket: Basket, first: str, second: str) -> None:
    for turn in range(tries(briefly=1, long=5)):
        one, other = await booked(basket, (f"a{turn}", 10 * turn + 1), (f"b{turn}", 10 * turn + 2))
        results = await asyncio.gather(
            ACTS[first](basket, one, other), ACTS[second](basket, one, other), return_exceptions=True
        )
        people = sum(isinstance(result, (pb.Line, list)) for result in results)
        assert people <= 1
        if not {"start", "withdraw"} & {first, second}:
            assert people == 1
        assert all(isinstance(result, (pb.Line, list, Failure, type(None))) for result in results)
        await settle(basket)
        await reconcile_school(basket.dependencies, "school-1")
        (row,) = await basket.rows("SELECT state, changing FROM basket_line WHERE id = :id", id=one.id)
        assert row.state in LEGAL
        assert row.changing == ""
        theirs = {exam.slot_id: exam.rdvpermis_candidate_id for exam in basket.rdvpermis.exams.values()}
        lines = await basket.rows(
            "SELECT slot_id, rdvpermis_candidate_id AS who, state FROM basket_line WHERE state IN ('booked', 'done')"
        )
        begun = {row.slot_id for row in lines if row.state == "done"}  # frozen, whatever the State does to its slot
        live = {row.slot_id: row.who for row in lines if row.state == "booked"}
        assert live == {slot: who for slot, who in theirs.items() if slot not in begun}
        await basket.check()


# Pure


@pytest.mark.req("R-26", "R-16")
@given(seen=st.lists(st.sampled_from(["crossed", "as_was", "gone"]), min_size=2, max_size=2))
def test_both_halves_of_a_swap_are_read_alike(seen: list[str]) -> None:

    one, other = (
        a_line(
            state=State.BOOKED, slot_id=f"s{n}", exam_id=f"e{n}", changing=Changing.SWAP, rdvpermis_candidate_id=f"c{n}"
        )
        for n in range(2)
    )
    pair = [_wants(one, other), _wants(other, one)]
    exams = [
        SeenExam(f"e{n}", f"s{n}", f"c{1 - n}" if what == "crossed" else f"c{n}")
        for n, what in enumerate(seen)
        if what != "gone"
    ]
    sight = RdvPermisReading((), exams, {each.id: each for each in pair})
    after = [settled_line(each, sight, WHY, NOW + timedelta(1)) for each in pair]
    assert after[0].state is after[1].state
    assert (after[0].state is State.SWAPPED) == ("as_was" not in seen and "crossed" in seen)
    alone = RdvPermisReading((), exams, {})
    assert settled_line(pair[0], alone, WHY, NOW) == pair[0]


def _wants(mine: Any, theirs: Any) -> Any:

    return dataclasses.replace(mine, partner_id=theirs.id, wanted_rdvpermis_id=theirs.rdvpermis_candidate_id)
