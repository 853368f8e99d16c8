"""What is done at RdvPermis without ResaPermis is found, counted, audited and published (R-31)."""

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from basket_lines import NOW
from basket_lines import line as a_line
from basket_peers import MONTH, Basket, LineChanged, Record, candidate
from basket_work import slot_withdrawn
from hypothesis import given
from hypothesis import strategies as st
from paused_acts import break_s1, broken
from sqlalchemy.exc import IntegrityError
from test_line_change import LOST, booked, cancel, replace, settle

from resapermis.audit.v1.events_pb2 import Actor
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.domain.line import State
from resapermis_basket.domain.reconciliation import FoundExam, changes_for, compare
from resapermis_basket.hold.queue import HoldQueue
from resapermis_basket.reconcile import outside_changes
from resapermis_basket.reconcile.outside_changes import (
    LONGEST_PAUSE,
    YIELDS,
    Reconciliation,
    next_pause,
    reconcile_school,
)
from resapermis_basket.reconcile.received_events import act_on_events
from resapermis_kit.errors import Code, Failure


async def reconciled(basket: Basket, school: str = "school-1") -> int:
    return await reconcile_school(basket.dependencies, school)


async def live(basket: Basket) -> dict[str, tuple[str, bool]]:
    rows = await basket.rows(
        "SELECT slot_id, coalesce(candidate_id::text, '') AS who, found_elsewhere FROM basket_line "
        "WHERE ended_at IS NULL"
    )
    return {row.slot_id: (row.who, row.found_elsewhere) for row in rows}


async def last(basket: Basket, many: int = 1) -> list[tuple[str, int, str]]:
    """The newest events, each of which must say that it was done elsewhere, and its record that the State showed it."""
    events, records = (await basket.published(LineChanged))[-many:], (await basket.published(Record))[-many:]
    assert all(event.found_elsewhere for event in events)
    assert {record.actor.kind for record in records} == {Actor.KIND_RDVPERMIS}
    return [(event.slot_id, event.to, event.candidate_id) for event in events]


@pytest.mark.req("R-31", "R-11")
async def test_a_booking_made_by_hand_is_found_and_counted(basket: Basket) -> None:
    basket.rdvpermis.put_exam("e1", "school-1", "s1", "rdv-001")
    assert await reconciled(basket) == 1
    assert await live(basket) == {"s1": (candidate(1), True)}
    assert await last(basket) == [("s1", pb.LINE_STATE_BOOKED, candidate(1))]
    assert (await basket.counters())[("school-1", MONTH.replace("2026", "2036"))] == 1
    published = (await basket.published(LineChanged))[-1]
    assert (published.department, published.category, published.kind, published.centre_id) == (
        "94",
        "B",
        "CIRCULATION",
        "centre-1",
    )
    assert (await basket.published(Record))[-1].action == "booking.find"
    assert await reconciled(basket) == 0
    found = (await basket.bookings())[0]
    assert (found.found_elsewhere, found.exam_id, found.slot.centre.name) == (True, "e1", "Rungis")
    cancelled = await cancel(basket, found)
    assert cancelled.state == pb.LINE_STATE_CANCELLED


@pytest.mark.req("R-31")
async def test_a_candidate_unknown_to_us_is_named_as_soon_as_they_are_known(basket: Basket) -> None:
    basket.world.strangers.add("rdv-001")
    basket.rdvpermis.put_exam("e1", "school-1", "s1", "rdv-001")
    assert await reconciled(basket) == 1
    assert await live(basket) == {"s1": ("", True)}
    basket.world.strangers.clear()
    assert await reconciled(basket) == 1
    assert await last(basket) == [("s1", pb.LINE_STATE_BOOKED, candidate(1))]


@pytest.mark.req("R-31", "R-30")
async def test_who_named_nobody_at_rdvpermis_and_then_somebody_is_named_not_replaced(basket: Basket) -> None:
    basket.rdvpermis.put_exam("e1", "school-1", "s1", "")
    assert await reconciled(basket) == 1
    assert await live(basket) == {"s1": ("", True)}
    basket.rdvpermis.exams["e1"].rdvpermis_candidate_id = "rdv-001"
    assert await reconciled(basket) == 1
    assert await live(basket) == {"s1": (candidate(1), True)}


@pytest.mark.req("R-30")
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE basket_line SET found_elsewhere = false RETURNING 1",
        "UPDATE basket_line SET state = 'confirming' RETURNING 1",
        "UPDATE basket_line SET state = 'held', expires_at = now() RETURNING 1",
    ],
)
async def test_only_a_booking_found_elsewhere_may_name_nobody(basket: Basket, change: str) -> None:
    basket.rdvpermis.put_exam("e1", "school-1", "s1", "")
    await reconciled(basket)
    with pytest.raises(IntegrityError, match="check"):
        await basket.rows(change)


@pytest.mark.req("R-31", "R-11")
async def test_what_is_found_counts_above_the_cap_and_stops_holds(basket: Basket) -> None:
    basket.world.quota_limit = 1
    basket.world.starts |= {f"s{n}": datetime(2026, 12, 20, 9, tzinfo=UTC) for n in range(4)}
    await booked(basket, ("s0", 10))
    for number in (1, 2):
        basket.rdvpermis.put_exam(f"e{number}", "school-1", f"s{number}", f"rdv-00{number}")
    assert await reconciled(basket) == 2
    assert (await basket.counters())[("school-1", MONTH)] == 3
    group = await basket.hold(("s3", 11))
    assert group.lines[0].refusal.code == Code.CODE_QUOTA_EXHAUSTED
    await basket.check()


@pytest.mark.req("R-31")
async def test_a_booking_cancelled_by_hand_or_withdrawn_by_the_state_ends(basket: Basket) -> None:
    one, _ = await booked(basket, ("s1", 1), ("s2", 2))
    del basket.rdvpermis.exams[one.exam_id]
    await slot_withdrawn(basket, "s1")
    await act_on_events(basket.dependencies)
    (row,) = await basket.rows("SELECT next_reconciliation_at < now() + interval '2 minutes' AS soon FROM watched")
    assert row.soon
    assert await reconciled(basket) == 1
    assert await last(basket) == [("s1", pb.LINE_STATE_CANCELLED, candidate(1))]
    assert list(await live(basket)) == ["s2"]
    await basket.check()


@pytest.mark.req("R-31")
async def test_a_booking_missing_from_a_page_is_searched_for_on_its_day(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    basket.rdvpermis.skipped.add(line.exam_id)
    assert await reconciled(basket) == 0
    assert await live(basket) == {"s1": (candidate(1), False)}


@pytest.mark.req("R-31")
async def test_an_exam_shown_without_its_slot_is_known_by_its_id(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    for exam_id in (line.exam_id, "exam-unknown"):
        exam = basket.rdvpermis.put_exam(exam_id, "school-1", "s1", "rdv-001")
        exam.slot_id = ""
    assert await reconciled(basket) == 0
    basket.rdvpermis.exams[line.exam_id].rdvpermis_candidate_id = "rdv-002"
    assert await reconciled(basket) == 2


@pytest.mark.req("R-31")
async def test_a_candidate_replaced_by_hand_is_found(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    basket.rdvpermis.exams[line.exam_id].rdvpermis_candidate_id = "rdv-005"
    assert await reconciled(basket) == 2
    assert await last(basket, 2) == [
        ("s1", pb.LINE_STATE_REPLACED, candidate(1)),
        ("s1", pb.LINE_STATE_BOOKED, candidate(5)),
    ]
    await basket.check()


@pytest.mark.req("R-31", "R-26")
@pytest.mark.parametrize("how", ["candidates", "places"])
async def test_a_swap_by_hand_is_found_as_one(basket: Basket, how: str) -> None:
    one, other = await booked(basket, ("s1", 1), ("s2", 2))
    if how == "candidates":
        basket.rdvpermis.swap_exams(one.exam_id, other.exam_id)
    else:  # the exams keep their candidates and cross their slots
        basket.rdvpermis.put_exam(one.exam_id, "school-1", "s2", "rdv-001")
        basket.rdvpermis.put_exam(other.exam_id, "school-1", "s1", "rdv-002")
    assert await reconciled(basket) == 4
    assert await live(basket) == {"s1": (candidate(2), True), "s2": (candidate(1), True)}
    assert [to for _, to, _ in await last(basket, 4)] == [pb.LINE_STATE_SWAPPED, pb.LINE_STATE_BOOKED] * 2
    assert await reconciled(basket) == 0
    await basket.check()


@pytest.mark.req("R-31")
async def test_a_booking_that_cannot_be_written_keeps_no_other_from_being_reconciled(basket: Basket) -> None:
    one, other, third, fourth = await booked(basket, ("s1", 1), ("s2", 2), ("s3", 3), ("s4", 4))
    for gone in (one, other):
        del basket.rdvpermis.exams[gone.exam_id]
    basket.rdvpermis.swap_exams(third.exam_id, fourth.exam_id)
    await break_s1(basket)
    before = broken("outside")
    assert await reconciled(basket) == 5
    assert await live(basket) == {
        "s1": (candidate(1), False),
        "s3": (candidate(4), True),
        "s4": (candidate(3), True),
    }
    assert broken("outside") == before + 1


@pytest.mark.req("R-31")
async def test_a_candidate_who_is_held_elsewhere_waits_for_their_name(basket: Basket) -> None:
    group = await basket.hold(("s1", 1))
    basket.rdvpermis.put_exam("e9", "school-1", "s9", "rdv-001")
    assert await reconciled(basket) == 1
    assert (await live(basket))["s9"] == ("", True)
    await basket.ask("ReleaseLine", pb.ReleaseLineRequest(request_id="r", line_id=group.lines[0].id))
    assert await reconciled(basket) == 1
    assert (await live(basket))["s9"] == (candidate(1), True)


# Never against an act of ours


@pytest.mark.req("R-31", "R-16")
async def test_lines_in_doubt_are_left_to_the_reconciler(basket: Basket) -> None:
    one, other, third = await booked(basket, ("s1", 1), ("s2", 2), ("s3", 3))
    basket.rdvpermis.after["CancelExam"] = LOST
    await cancel(basket, one)
    basket.rdvpermis.before["ReplaceCandidate"] = LOST
    await replace(basket, other, 7)
    held = await basket.hold(("s4", 4))
    basket.rdvpermis.after["ValidateBasket"] = LOST
    await basket.validate(held.id)
    assert await reconciled(basket) == 0
    await settle(basket)
    del basket.rdvpermis.exams[third.exam_id]
    assert await reconciled(basket) == 1


@pytest.mark.req("R-31", "R-16")
@pytest.mark.parametrize("act", ["cancel", "validate", "replace"])
async def test_an_act_of_ours_between_the_reading_and_the_writing_stands(
    basket: Basket, monkeypatch: Any, act: str
) -> None:
    (line,) = await booked(basket, ("s1", 1))
    held = await basket.hold(("s2", 2))
    basket.rdvpermis.put_exam("e9", "school-1", "s9", "rdv-009")  # so that there is something to write
    real = outside_changes._candidates

    async def meanwhile(*lists: Any) -> Any:
        if act == "cancel":
            await cancel(basket, line)
        elif act == "replace":
            await replace(basket, line, 3)
        else:
            await basket.validate(held.id)
        return await real(*lists)

    monkeypatch.setattr(outside_changes, "_candidates", meanwhile)
    assert await reconciled(basket) == 1
    monkeypatch.undo()
    await basket.check()
    assert await reconciled(basket) == 0


@pytest.mark.req("R-31")
async def test_a_slot_that_another_school_of_ours_had_is_first_reconciled_there(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    del basket.rdvpermis.exams[line.exam_id]
    basket.rdvpermis.put_exam("e2", "school-2", "s1", "rdv-002")
    assert await reconciled(basket, "school-2") == 0
    await Reconciliation(basket.dependencies, basket.holds.queue.idle).round()
    assert await live(basket) == {}
    assert await reconciled(basket, "school-2") == 1
    assert await live(basket) == {"s1": (candidate(2), True)}


# SlotRequests


@pytest.mark.req("R-31", "R-27")
@pytest.mark.parametrize("why", ["disconnected", "unreachable", "budget", "mandate"])
async def test_without_a_token_an_answer_or_budget_nothing_is_concluded(basket: Basket, why: str) -> None:
    (line,) = await booked(basket, ("s1", 1))
    del basket.rdvpermis.exams[line.exam_id]
    basket.rdvpermis.put_exam("e9", "school-1", "s9", "rdv-009")
    if why == "disconnected":
        basket.rdvpermis.connected = False
    elif why == "unreachable":
        basket.rdvpermis.reachable = False
    elif why == "budget":
        basket.rdvpermis.before["ListExams"] = Failure(Code.CODE_RDVPERMIS_BUDGET, "none left")
    else:
        await basket.peer_servers["mandate"].server.stop(0)
    await Reconciliation(basket.dependencies, basket.holds.queue.idle).round()
    assert await live(basket) == {"s1": (candidate(1), False)}
    (row,) = await basket.rows("SELECT failures, next_reconciliation_at - now() AS wait FROM watched")
    soon = why == "budget"  # people went first, and it fills again by the minute
    assert row.failures == (1 if why == "mandate" else 0)
    assert timedelta() < row.wait <= (timedelta(minutes=1) if soon else timedelta(minutes=10))


@pytest.mark.req("R-31", "S-24")
async def test_a_school_that_nobody_connected_waits_alone_and_is_reconciled_once_a_grant_stands(basket: Basket) -> None:
    rdvpermis, reconciliation = basket.rdvpermis, Reconciliation(basket.dependencies, basket.holds.queue.idle)
    await booked(basket, ("s1", 1))
    await basket.bookings("school-2")
    rdvpermis.unconnected.add("school-1")
    rdvpermis.put_exam("e5", "school-2", "s5", "rdv-005")
    rdvpermis.put_exam("e6", "school-1", "s6", "rdv-006")
    before = broken("outside")
    for _ in range(4):  # a night of it
        await basket.rows("UPDATE watched SET next_reconciliation_at = now() RETURNING 1")
        await reconciliation.round()
    assert set(await live(basket)) == {"s1", "s5"}  # the other school did not wait
    assert broken("outside") == before  # and nothing alerts
    (row,) = await basket.rows(
        "SELECT failures, next_reconciliation_at - now() AS wait FROM watched WHERE school_id = 'school-1'"
    )
    assert row.failures == 0
    assert row.wait <= timedelta(minutes=10)
    rdvpermis.unconnected.clear()
    await basket.rows("UPDATE watched SET next_reconciliation_at = now() RETURNING 1")
    await reconciliation.round()
    assert set(await live(basket)) == {"s1", "s5", "s6"}


@pytest.mark.req("R-31", "S-24")
@pytest.mark.parametrize("granted", [False, True])
async def test_while_its_grant_stands_a_school_is_watched_though_nobody_comes(basket: Basket, granted: bool) -> None:  # noqa: FBT001
    await basket.bookings("school-2")
    basket.rdvpermis.granted = granted
    reconciliation = Reconciliation(basket.dependencies, basket.holds.queue.idle)
    for _ in range(2):
        await basket.rows(
            "UPDATE watched SET seen_at = seen_at - interval '29 days', next_reconciliation_at = now() RETURNING 1"
        )
        await reconciliation.round()
    (row,) = await basket.rows("SELECT now() - seen_at AS since, next_reconciliation_at > now() AS later FROM watched")
    assert (row.since < timedelta(days=1), row.later) == (granted, granted)


@pytest.mark.req("R-31")
async def test_a_round_goes_on_until_nothing_is_due(basket: Basket, monkeypatch: Any) -> None:
    monkeypatch.setattr(outside_changes, "A_ROUND", 2)
    basket.rdvpermis.connected = False
    for number in range(5):
        await basket.bookings(f"school-{number}")
    await Reconciliation(basket.dependencies, basket.holds.queue.idle).round()
    rows = await basket.rows("SELECT next_reconciliation_at > now() AS later FROM watched")
    assert [row.later for row in rows] == [True] * 5


@pytest.mark.req("R-31")
async def test_each_school_is_reconciled_within_the_interval(basket: Basket) -> None:
    await booked(basket, ("s1", 1))
    await basket.bookings("school-2")  # somebody is here, without any booking
    basket.rdvpermis.put_exam("e5", "school-2", "s5", "rdv-005")
    await Reconciliation(basket.dependencies, basket.holds.queue.idle).round()
    assert set(await live(basket)) == {"s1", "s5"}
    rows = await basket.rows("SELECT school_id, next_reconciliation_at - now() AS wait FROM watched")
    assert {row.school_id for row in rows} == {"school-1", "school-2"}
    assert all(timedelta(minutes=9) < row.wait <= timedelta(minutes=10) for row in rows)
    before = list(basket.rdvpermis.calls)
    await Reconciliation(basket.dependencies, basket.holds.queue.idle).round()
    assert basket.rdvpermis.calls == before


@pytest.mark.req("R-31")
async def test_holds_go_first_for_half_a_minute_and_no_longer(basket: Basket) -> None:
    await booked(basket, ("s1", 1))
    basket.rdvpermis.put_exam("e5", "school-1", "s5", "rdv-005")
    queue: HoldQueue[str, None] = HoldQueue(nobody_judges)
    reconciliation = Reconciliation(basket.dependencies, queue.idle)
    async with queue.enter("at work", []):
        reconciling = asyncio.ensure_future(reconciliation.round())
        await basket.bookings()  # time enough for a poll
        assert set(await live(basket)) == {"s1"}
    await reconciling
    assert set(await live(basket)) == {"s1", "s5"}
    basket.rdvpermis.put_exam("e6", "school-1", "s6", "rdv-006")
    await basket.rows("UPDATE watched SET next_reconciliation_at = now() - interval '31 seconds' RETURNING 1")
    async with queue.enter("at work", []), asyncio.timeout(5):
        await Reconciliation(basket.dependencies, queue.idle).round()
    assert set(await live(basket)) == {"s1", "s5", "s6"}


async def nobody_judges(batch: Sequence[object]) -> None:
    """The holds of this queue are at work as long as the test wants."""


async def test_two_reconciliations_at_once_find_a_booking_once(basket: Basket) -> None:
    basket.rdvpermis.put_exam("e1", "school-1", "s1", "rdv-001")
    results = await asyncio.gather(*(reconciled(basket) for _ in range(4)), return_exceptions=True)
    assert sum(result for result in results if isinstance(result, int)) == 1
    await basket.check()


# Pure


@pytest.mark.req("R-31")
@given(st.lists(st.sampled_from(list(Code.values())), max_size=30))
def test_what_can_be_read_is_read_within_the_interval_whatever_was_before_at_any_hour(codes: list[Any]) -> None:
    every, failures = timedelta(minutes=10), 0
    for code in codes:
        pause, failures = next_pause(every, failures, code)
        if code in {
            Code.CODE_UNSPECIFIED,
            Code.CODE_RECONNECT_NEEDED,
            Code.CODE_RDVPERMIS_DOWN,
            Code.CODE_RDVPERMIS_BUDGET,
        }:
            # With what a school may wait for holds.
            assert pause + every * YIELDS <= every
            assert failures == 0
        else:
            assert pause <= LONGEST_PAUSE
            assert failures > 0


@pytest.mark.req("R-31")
@given(
    ours=st.dictionaries(st.integers(0, 4), st.sampled_from("abcde"), max_size=4).filter(
        lambda ours: len(set(ours.values())) == len(ours)  # the database lets nobody stand on two lines
    ),
    theirs=st.dictionaries(st.integers(0, 6), st.sampled_from(["a", "b", "c", "d", "f", ""]), max_size=6),
    in_doubt=st.sets(st.integers(0, 4)),
)
def test_after_the_changes_both_sides_say_the_same(
    ours: dict[int, str], theirs: dict[int, str], in_doubt: set[int]
) -> None:
    start = NOW + timedelta(days=3)
    lines = {}
    for number, who in ours.items():
        line = a_line(State.BOOKED, f"s{number}", exam_id=f"e{number}", rdvpermis_candidate_id=who)
        slot = _at(line.slot, start)
        asked = NOW if number in in_doubt else None
        lines[number] = _with(line, slot=slot, candidate_id=UUID(int=ord(who)), next_poll_at=asked)
    exams = {
        number: FoundExam(f"e{number}", _at(a_line(State.BOOKED, f"s{number}").slot, start), who)
        for number, who in theirs.items()
    }
    outside = compare(lines.values(), [exam for number, exam in exams.items() if number not in in_doubt], NOW)
    ids = iter(range(1000, 2000))
    known = {who: UUID(int=ord(who)) for who in "abcdef"}
    ended = {*outside.gone, *(line for line, _ in (*outside.replaced, *outside.swapped))}
    busy = {(line.candidate_id, "B") for line in lines.values() if line not in ended}
    changes = changes_for(outside, known, busy, "school-1", lambda: UUID(int=next(ids)), NOW)
    after = {line.id: line for line in lines.values()}
    for change in changes:
        if change.before is not None:
            assert after[change.after.id] is change.before
        after[change.after.id] = change.after
    agreed = {line.slot.id: line for line in after.values() if line.live and line.next_poll_at is None}
    wanted = {f"s{number}": who for number, who in theirs.items() if number not in in_doubt}
    assert {slot: line.rdvpermis_candidate_id for slot, line in agreed.items()} == wanted
    named = [line.candidate_id for line in agreed.values() if line.candidate_id]
    assert len(set(named)) == len(named)
    assert all(change.before is None or change.before.next_poll_at is None for change in changes)


def _at(slot: Any, start: datetime) -> Any:
    return _with(slot, starts_at=start, ends_at=start + timedelta(minutes=32))


def _with(one: Any, **more: Any) -> Any:
    return dataclasses.replace(one, **more)
