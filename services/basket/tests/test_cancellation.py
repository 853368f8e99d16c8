"""What a cancellation would cost, what replacements are left, and what decides once a key is forgotten."""

from datetime import UTC, datetime, timedelta

import pytest
from basket_peers import Basket, candidate
from test_line_change import LOST, booked, cancel, replace
from test_swap import swap

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.booking.v1 import booking_pb2
from resapermis_kit.database import idempotency
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_testing.eventually import eventually

LATE = {"late": "true", "restrictedDays": "30", "restrictedUntil": "2027-01-08T23:00:00+00:00"}
FREE = {"late": "false", "restrictedDays": "0", "freeUntil": "2036-12-02T23:00:00+00:00"}


async def preview(basket: Basket, line: pb.Line) -> booking_pb2.PreviewCancellationResponse:
    return await basket.book("PreviewCancellation", booking_pb2.PreviewCancellationRequest(booking_id=line.id))


@pytest.mark.req("R-13", "R-21")
async def test_what_cancelling_costs_is_shown_before_and_changes_nothing(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    basket.world.consequence = FREE
    answer = await preview(basket, line)
    assert (answer.possible, answer.late, answer.restricted_days) == (True, False, 0)
    assert answer.free_until.ToDatetime(UTC) == datetime(2036, 12, 2, 23, tzinfo=UTC)
    assert not answer.HasField("restricted_until")
    basket.world.consequence = LATE
    answer = await preview(basket, line)
    assert (answer.possible, answer.late, answer.restricted_days) == (True, True, 30)
    assert answer.restricted_until.ToDatetime(UTC) == datetime(2027, 1, 8, 23, tzinfo=UTC)
    assert basket.world.evaluated[-1].purpose == "cancel"
    assert basket.world.evaluated[-1].lines[0].candidate_id == candidate(1)
    assert await basket.states() == {"s1": "booked"}
    assert "CancelExam" not in basket.rdvpermis.calls


@pytest.mark.req("R-13")
@pytest.mark.parametrize("why", ["fixed", "begun", "in_doubt"])
async def test_what_may_not_be_cancelled_is_shown_to_be_so(basket: Basket, why: str) -> None:
    (line,) = await booked(basket, ("s1", 1))
    if why == "fixed":
        basket.rdvpermis.exams[line.exam_id].changeable = False
    elif why == "begun":
        await basket.rows("UPDATE basket_line SET starts_at = now() RETURNING 1")
    else:
        basket.rdvpermis.before["CancelExam"] = LOST
        await cancel(basket, line)
    assert not (await preview(basket, line)).possible


@pytest.mark.req("R-13")
async def test_only_bookings_are_previewed(basket: Basket) -> None:
    line = (await basket.hold("s1")).lines[0]
    with pytest.raises(Failure) as refused:
        await preview(basket, line)
    assert refused.value.code == Code.CODE_ILLEGAL_TRANSITION


@pytest.mark.req("R-13")
async def test_a_cancellation_goes_through_while_mandate_and_rules_are_away(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    for peer in basket.peer_servers.values():
        await peer.server.stop(0)
    assert (await cancel(basket, line)).state == pb.LINE_STATE_CANCELLED


# Replacements left


@pytest.mark.req("R-13")
async def test_the_allowance_is_shown_as_last_read_and_never_waited_for(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    first = await basket.book("ListBookings", booking_pb2.ListBookingsRequest())
    assert not first.HasField("replacements_left")

    async def shown(left: int) -> bool:
        page = await basket.book("ListBookings", booking_pb2.ListBookingsRequest())
        return page.HasField("replacements_left") and (page.replacements_left, page.replacements_per_month) == (left, 5)

    await eventually(lambda: shown(5))
    asked = basket.rdvpermis.calls.count("GetReplacements")
    assert await shown(5)
    assert basket.rdvpermis.calls.count("GetReplacements") == asked
    await replace(basket, line, 2)
    await eventually(lambda: shown(4))


@pytest.mark.req("R-13")
async def test_what_is_left_is_of_the_exams_month(basket: Basket) -> None:
    basket.world.starts["s1"] = datetime(2036, 12, 31, 9, tzinfo=UTC)
    basket.world.starts["s2"] = datetime(2037, 1, 2, 9, tzinfo=UTC)
    lines = await booked(basket, ("s1", 1), ("s2", 2))
    months = basket.rdvpermis.replacements_by_month = {"2036-12": 1, "2037-01": 4}

    async def known() -> list[tuple[str, str, int, int]]:
        page = await basket.book("ListBookings", booking_pb2.ListBookingsRequest())
        return [(one.category, one.month, one.left, one.per_month) for one in page.replacements]

    async def both() -> bool:
        return await known() == [("B", "2036-12", 1, 5), ("B", "2037-01", 4, 5)]

    await eventually(both)
    months["2036-12"] = 0
    basket.world.evaluated.clear()
    with pytest.raises(Failure) as refused:
        await replace(basket, lines[0], 3)
    assert refused.value.code == Code.CODE_RULE_REFUSED
    assert basket.world.evaluated[-1].replacements_left == 0
    await replace(basket, lines[1], 3)
    assert basket.world.evaluated[-1].replacements_left == 4


async def test_a_list_is_shown_while_rdvpermis_is_away(basket: Basket) -> None:
    await booked(basket, ("s1", 1))
    basket.rdvpermis.before["GetReplacements"] = Failure(Code.CODE_RDVPERMIS_DOWN, "circuit open")
    for _ in range(2):
        page = await basket.book("ListBookings", booking_pb2.ListBookingsRequest())
        assert len(page.bookings) == 1
        assert not page.HasField("replacements_left")


@pytest.mark.req("R-13")
async def test_rules_are_asked_with_what_is_left(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    await replace(basket, line, 2)
    asked = basket.world.evaluated[-1]
    assert (asked.purpose, asked.replacements_left, asked.replacements_per_month) == ("replace", 5, 5)
    assert asked.lines[0].changeable


# Keys are kept a day; then the state decides (security-tests.md, C7)


async def forgotten(basket: Basket) -> None:
    async with transaction(basket.engine) as tx:
        await idempotency.forget_old(tx, datetime.now(UTC) + idempotency.KEPT + timedelta(minutes=1))


@pytest.mark.req("R-16", "C7")
async def test_after_a_day_a_key_is_forgotten_and_the_state_decides(basket: Basket) -> None:
    held = await basket.hold(("s1", 1), ("s2", 2), key="h")
    lines = list((await basket.validate(held.id, key="v")).lines)
    crossed = await swap(basket, *lines, key="w")
    async with transaction(basket.engine) as tx:
        await idempotency.forget_old(tx, datetime.now(UTC) + idempotency.KEPT - timedelta(minutes=1))
    assert await swap(basket, *lines, key="w") == crossed
    await forgotten(basket)
    calls = list(basket.rdvpermis.calls)
    again = await basket.hold(("s1", 1), ("s2", 2), key="h")
    assert {line.refusal.code for line in again.lines} <= {Code.CODE_SLOT_TAKEN, Code.CODE_CANDIDATE_BUSY}
    for act in (basket.validate(held.id, key="v"), swap(basket, *lines, key="w")):
        with pytest.raises(Failure) as refused:
            await act
        assert refused.value.code == Code.CODE_ILLEGAL_TRANSITION
    assert basket.rdvpermis.calls == calls
    await basket.check()


@pytest.mark.req("R-16", "C7")
async def test_a_key_forgotten_while_in_doubt_asks_nothing_again(basket: Basket) -> None:
    (line,) = await booked(basket, ("s1", 1))
    basket.rdvpermis.before["CancelExam"] = LOST
    await cancel(basket, line, key="c")
    await forgotten(basket)
    with pytest.raises(Failure) as refused:
        await cancel(basket, line, key="c")
    assert refused.value.code == Code.CODE_UNKNOWN_OUTCOME
    assert basket.rdvpermis.calls.count("CancelExam") == 1
