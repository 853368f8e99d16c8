"""Naming, releasing, cancelling, replacing: once, under rules, settled by reading when the answer is lost."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from basket_peers import MONTH, Basket, LineChanged, Record, candidate

from resapermis.audit.v1.events_pb2 import Outcome
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.booking.v1 import booking_pb2
from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_basket.reconcile.expiry import expire_holds
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_testing.eventually import eventually

LOST = Failure(Code.CODE_UNKNOWN_OUTCOME, "the answer was lost")
DOWN = Failure(Code.CODE_RDVPERMIS_DOWN, "circuit open")


async def name(basket: Basket, line: pb.Line, number: int | None, key: str = "") -> pb.Line:
    who = candidate(number) if number is not None else ""
    request = pb.NameCandidateRequest(request_id=key or basket.key(), line_id=line.id, candidate_id=who)
    return (await basket.ask("NameCandidate", request)).line


async def release(basket: Basket, line: pb.Line, key: str = "") -> pb.Line:
    request = pb.ReleaseLineRequest(request_id=key or basket.key(), line_id=line.id)
    return (await basket.ask("ReleaseLine", request)).line


async def cancel(basket: Basket, line: pb.Line, key: str = "", reason: str = "school") -> pb.Line:
    request = booking_pb2.CancelBookingRequest(request_id=key or basket.key(), booking_id=line.id, reason=reason)
    return (await basket.book("CancelBooking", request)).booking


async def replace(basket: Basket, line: pb.Line, number: int, key: str = "") -> pb.Line:
    request = booking_pb2.ReplaceCandidateRequest(
        request_id=key or basket.key(), booking_id=line.id, candidate_id=candidate(number)
    )
    return (await basket.book("ReplaceCandidate", request)).booking


async def booked(basket: Basket, *slots: tuple[str, int]) -> list[pb.Line]:
    group = await basket.hold(*slots)
    return list((await basket.validate(group.id)).lines)


async def settle(basket: Basket) -> None:
    async def known() -> bool:
        await settle_doubts(basket.dependencies)
        return not await basket.rows("SELECT 1 FROM basket_line WHERE changing <> ''")

    await eventually(known)
    await basket.check()


# Naming


@pytest.mark.req("R-30")
async def test_a_line_is_named_renamed_and_unnamed(basket: Basket) -> None:
    line = (await basket.hold("s1")).lines[0]
    for number, theirs in ((1, "rdv-001"), (2, "rdv-002"), (None, "")):
        line = await name(basket, line, number)
        assert line.candidate_id == (candidate(number) if number else "")
        assert basket.rdvpermis.baskets["basket-1"].candidates == {"s1": theirs}
    assert [record.action for record in await basket.published(Record)][-1] == "basket.name"
    await basket.check()


async def test_a_candidate_without_mandate_is_not_named(basket: Basket) -> None:
    line = (await basket.hold("s1")).lines[0]
    basket.world.no_mandate.add(candidate(1))
    with pytest.raises(Failure) as refused:
        await name(basket, line, 1)
    assert refused.value.code == Code.CODE_NO_MANDATE
    assert "NameCandidate" not in basket.rdvpermis.calls


async def test_of_two_lines_that_want_a_candidate_one_gets_them(basket: Basket) -> None:
    lines = (await basket.hold("s1", "s2", "s3")).lines
    results = await asyncio.gather(*(name(basket, line, 1) for line in lines), return_exceptions=True)
    assert sum(isinstance(one, pb.Line) for one in results) == 1
    assert {one.code for one in results if isinstance(one, Failure)} == {Code.CODE_CANDIDATE_BUSY}
    await basket.check()


async def test_a_hold_does_not_take_a_candidate_who_is_being_named(basket: Basket) -> None:
    line = (await basket.hold("s1")).lines[0]
    basket.rdvpermis.before["NameCandidate"] = LOST
    assert (await name(basket, line, 1)).changing
    group = await basket.hold(("s2", 1))
    assert group.lines[0].refusal.code == Code.CODE_CANDIDATE_BUSY
    await settle(basket)
    assert [line.state for line in (await basket.hold(("s2", 1))).lines] == [pb.LINE_STATE_HELD]


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_naming_whose_answer_was_lost_is_read(basket: Basket, *, arrived: bool) -> None:
    line = (await basket.hold(("s1", 1))).lines[0]
    (basket.rdvpermis.after if arrived else basket.rdvpermis.before)["NameCandidate"] = LOST
    assert (await name(basket, line, 2, key="n")).changing
    await settle(basket)
    shown = (await basket.ask("GetBasket", pb.GetBasketRequest())).groups[0].lines[0]
    assert shown.candidate_id == candidate(2 if arrived else 1)
    again = await name(basket, line, 2, key="n")
    assert again == shown
    assert basket.rdvpermis.calls.count("NameCandidate") == 1


async def test_a_candidate_refused_by_rdvpermis_leaves_the_line_as_it_was(basket: Basket) -> None:
    line = (await basket.hold(("s1", 1))).lines[0]
    basket.rdvpermis.refuse["rdv-002"] = "CANDIDAT_SOUS_PENALITE"
    with pytest.raises(Failure) as refused:
        await name(basket, line, 2, key="n")
    assert refused.value.code == Code.CODE_RDVPERMIS_CANDIDATE_PENALTY
    shown = (await basket.ask("GetBasket", pb.GetBasketRequest())).groups[0].lines[0]
    assert (shown.candidate_id, shown.changing) == (candidate(1), False)
    record = (await basket.published(Record))[-1]
    assert (record.action, record.outcome) == ("basket.name", Outcome.OUTCOME_REFUSED)
    basket.rdvpermis.refuse.clear()
    assert (await name(basket, line, 2, key="n")).candidate_id == candidate(2)


# Releasing


async def test_a_line_is_given_back_and_its_retry_is_answered_so(basket: Basket) -> None:
    line = (await basket.hold(("s1", 1), "s2")).lines[0]
    released = await release(basket, line, key="r")
    assert released.state == pb.LINE_STATE_RELEASED
    assert await release(basket, line, key="r") == released
    assert basket.rdvpermis.owner.keys() == {"s2"}
    with pytest.raises(Failure) as refused:
        await release(basket, line)
    assert refused.value.code == Code.CODE_ILLEGAL_TRANSITION
    await basket.check()


async def test_what_is_not_in_their_basket_is_released(basket: Basket) -> None:
    line = (await basket.hold("s1")).lines[0]
    basket.rdvpermis.baskets.clear()
    assert (await release(basket, line)).state == pb.LINE_STATE_RELEASED


@pytest.mark.parametrize(("arrived", "state"), [(True, "released"), (False, "held")])
async def test_a_release_whose_answer_was_lost_is_read(basket: Basket, *, arrived: bool, state: str) -> None:
    line = (await basket.hold("s1")).lines[0]
    (basket.rdvpermis.after if arrived else basket.rdvpermis.before)["ReleaseSlot"] = LOST
    assert (await release(basket, line)).changing
    await settle(basket)
    assert await basket.states() == {"s1": state}


async def test_a_hold_that_lapses_while_its_release_is_asked_is_answered_as_it_stands(basket: Basket) -> None:
    line = (await basket.hold("s1")).lines[0]  # the school's only one: what is counted twice falls below none
    gate = basket.rdvpermis.gates["ReleaseSlot"] = asyncio.Event()
    releasing = asyncio.create_task(release(basket, line))

    async def asked() -> bool:
        return "ReleaseSlot" in basket.rdvpermis.calls

    await eventually(asked)
    async with transaction(basket.engine) as tx:
        await tx.execute(sa.text("UPDATE basket_line SET expires_at = clock_timestamp()"))
    assert await expire_holds(basket.dependencies) == 1
    gate.set()
    assert (await releasing).state == pb.LINE_STATE_EXPIRED
    await settle(basket)


async def test_rdvpermis_down_keeps_the_hold(basket: Basket) -> None:
    line = (await basket.hold("s1")).lines[0]
    basket.rdvpermis.before["ReleaseSlot"] = DOWN
    with pytest.raises(Failure) as refused:
        await release(basket, line)
    assert refused.value.code == Code.CODE_RDVPERMIS_DOWN
    basket.rdvpermis.before.clear()
    assert (await release(basket, line)).state == pb.LINE_STATE_RELEASED


async def test_a_line_in_doubt_is_left_alone(basket: Basket) -> None:
    basket.rdvpermis.after["HoldSlots"] = LOST
    line = (await basket.hold("s1")).lines[0]
    for act in (release(basket, line), name(basket, line, 1)):
        with pytest.raises(Failure) as refused:
            await act
        assert refused.value.code == Code.CODE_UNKNOWN_OUTCOME


# Cancelling


@pytest.mark.req("R-13")
async def test_a_coming_booking_is_cancelled_and_its_slot_freed(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    cancelled = await cancel(basket, line, key="c", reason="not_ready")
    assert cancelled.state == pb.LINE_STATE_CANCELLED
    assert await cancel(basket, line, key="c", reason="not_ready") == cancelled
    assert basket.rdvpermis.exams == {}
    assert (await basket.counters())[("school-1", MONTH)] == 0
    record = (await basket.published(Record))[-1]
    assert (record.action, record.facts["cause"]) == ("booking.cancel", "not_ready")
    basket.rdvpermis.owner.clear()
    assert [one.state for one in (await basket.hold("s1", school="school-2")).lines] == [pb.LINE_STATE_HELD]
    await basket.check()


@pytest.mark.req("R-12", "R-13")
async def test_a_booking_that_has_begun_is_frozen(basket: Basket) -> None:
    basket.world.starts["s1"] = datetime.now(UTC) + timedelta(hours=1)
    (line,) = await booked(basket, ("s1", 1))
    await basket.rows("UPDATE basket_line SET starts_at = now() RETURNING 1")
    for act in (cancel(basket, line), replace(basket, line, 2)):
        with pytest.raises(Failure) as refused:
            await act
        assert refused.value.code == Code.CODE_RULE_REFUSED
        assert "R-PAST" in [verdict.rule for verdict in refused.value.verdicts]
    assert basket.rdvpermis.exams
    assert (await basket.published(Record))[-1].outcome == Outcome.OUTCOME_REFUSED


@pytest.mark.parametrize(("arrived", "state"), [(True, "cancelled"), (False, "booked")])
async def test_a_cancellation_whose_answer_was_lost_is_read(basket: Basket, *, arrived: bool, state: str) -> None:
    (line,) = await booked(basket, ("s1", 1))
    (basket.rdvpermis.after if arrived else basket.rdvpermis.before)["CancelExam"] = LOST
    assert (await cancel(basket, line)).changing
    await settle(basket)
    assert await basket.states() == {"s1": state}
    assert (await basket.published(LineChanged))[-1].reason == ("" if arrived else "RDVPERMIS_DOWN")


async def test_an_exam_that_rdvpermis_will_not_change_stays(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    basket.rdvpermis.refuse[line.exam_id] = "EXAMEN_NON_MODIFIABLE"
    with pytest.raises(Failure) as refused:
        await cancel(basket, line)
    assert refused.value.code == Code.CODE_RDVPERMIS_EXAM_FIXED
    assert await basket.states() == {"s1": "booked"}


async def test_a_reason_is_a_word_of_the_list(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    with pytest.raises(Failure) as refused:
        await cancel(basket, line, reason="has the flu")
    assert refused.value.code == Code.CODE_MALFORMED


# Replacing


@pytest.mark.req("R-13")
async def test_a_booking_is_given_to_another_candidate(basket: Basket) -> None:
    lines = await booked(basket, ("s1", 1), ("s2", 2), ("s3", 3), ("s4", 4))
    new = await replace(basket, lines[0], 5, key="p")
    assert (new.state, new.candidate_id, new.exam_id) == (pb.LINE_STATE_BOOKED, candidate(5), lines[0].exam_id)
    assert new.id != lines[0].id
    assert await replace(basket, lines[0], 5, key="p") == new
    assert basket.rdvpermis.exams[new.exam_id].rdvpermis_candidate_id == "rdv-005"
    assert (await basket.counters())[("school-1", MONTH)] == 4
    events = (await basket.published(LineChanged))[-2:]
    assert [(event.to, event.candidate_id) for event in events] == [
        (pb.LINE_STATE_REPLACED, candidate(1)),
        (pb.LINE_STATE_BOOKED, candidate(5)),
    ]
    await basket.check()
    again = await replace(basket, new, 1)
    assert again.candidate_id == candidate(1)
    await basket.check()


@pytest.mark.req("R-13")
async def test_the_monthly_allowance_and_the_mandate_are_both_stated(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    basket.rdvpermis.replacements_left = 0
    basket.world.no_mandate.add(candidate(2))
    with pytest.raises(Failure) as refused:
        await replace(basket, line, 2)
    assert [verdict.rule for verdict in refused.value.verdicts] == ["R-MANDATE", "R-REPLACE"]


async def test_a_candidate_who_is_booked_elsewhere_replaces_nobody(basket: Basket) -> None:
    lines = await booked(basket, ("s1", 1), ("s2", 2))
    with pytest.raises(Failure) as refused:
        await replace(basket, lines[0], 2)
    assert refused.value.code == Code.CODE_CANDIDATE_BUSY


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_replacement_whose_answer_was_lost_is_read(basket: Basket, *, arrived: bool) -> None:
    (line,) = await booked(basket, ("s1", 1))
    (basket.rdvpermis.after if arrived else basket.rdvpermis.before)["ReplaceCandidate"] = LOST
    assert (await replace(basket, line, 2, key="p")).changing
    await settle(basket)
    again = await replace(basket, line, 2, key="p")
    assert again.candidate_id == candidate(2 if arrived else 1)
    assert (again.id == line.id) == (not arrived)
    assert basket.rdvpermis.calls.count("ReplaceCandidate") == 1


@pytest.mark.req("R-13")
async def test_cancel_and_replace_at_once_have_one_winner(basket: Basket) -> None:
    for turn in range(4):
        (line,) = await booked(basket, (f"s{turn}", turn + 1))
        results = await asyncio.gather(cancel(basket, line), replace(basket, line, turn + 100), return_exceptions=True)
        assert sum(isinstance(one, pb.Line) for one in results) == 1
        await basket.check()


# Listing


async def test_bookings_are_listed_page_by_page(basket: Basket) -> None:
    for number in range(5):
        basket.world.starts[f"s{number}"] = datetime(2036, 12, 1 + number, 9, tzinfo=UTC)
        await booked(basket, (f"s{number}", number))
    seen: list[str] = []
    cursor = ""
    while True:
        request = booking_pb2.ListBookingsRequest(cursor=cursor, limit=2)
        page = await basket.book("ListBookings", request)
        seen += [line.slot.id for line in page.bookings]
        cursor = page.next_cursor
        if not cursor:
            break
    assert seen == ["s0", "s1", "s2", "s3", "s4"]
    past = booking_pb2.ListBookingsRequest(filter=booking_pb2.BOOKING_FILTER_PAST)
    assert not (await basket.book("ListBookings", past)).bookings
    with pytest.raises(Failure) as refused:
        await basket.book("ListBookings", booking_pb2.ListBookingsRequest(cursor="x"))
    assert refused.value.code == Code.CODE_MALFORMED


@pytest.mark.req("R-05")
async def test_bookings_of_one_candidate_are_listed_alone(basket: Basket) -> None:
    lines = await booked(basket, ("s1", 1), ("s2", 2))
    request = booking_pb2.ListBookingsRequest(candidate_id=candidate(2))
    page = await basket.book("ListBookings", request)
    assert [line.id for line in page.bookings] == [lines[1].id]
    assert not (await basket.book("ListBookings", request, school="school-2")).bookings
    with pytest.raises(Failure) as refused:
        await basket.book("ListBookings", booking_pb2.ListBookingsRequest(candidate_id="x"))
    assert refused.value.code == Code.CODE_MALFORMED


async def test_the_past_and_what_is_to_be_confirmed_are_listed_apart(basket: Basket) -> None:
    lines = await booked(basket, ("s1", 1), ("s2", 2))
    await cancel(basket, lines[0])
    group = await basket.hold(("s3", 3))
    basket.rdvpermis.before["ValidateBasket"] = LOST
    await basket.validate(group.id)
    for kind, slots in (
        (booking_pb2.BOOKING_FILTER_UPCOMING, ["s2"]),
        (booking_pb2.BOOKING_FILTER_PAST, ["s1"]),
        (booking_pb2.BOOKING_FILTER_TO_CONFIRM, ["s3"]),
    ):
        page = await basket.book("ListBookings", booking_pb2.ListBookingsRequest(filter=kind))
        assert [line.slot.id for line in page.bookings] == slots
