"""Everything at once, in every order: one winner, one effect, one end (security-tests.md, section 5)."""

import ast
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from basket_lines import NOW, line
from basket_peers import Basket, candidate
from basket_work import mandate_ended, settle_and_give_back

import resapermis_basket
from resapermis.audit.v1.events_pb2 import Outcome, Record
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.booking.v1 import booking_pb2 as booking
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket.booking.validation import GroupSituation, ready
from resapermis_basket.domain.line import FIRST, NEXT, Group, State
from resapermis_basket.reconcile.expiry import expire_holds, finish_begun_exams
from resapermis_basket.reconcile.outside_changes import reconcile_school
from resapermis_basket.reconcile.received_events import act_on_events
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure

HELD, BOOKED = pb.LINE_STATE_HELD, pb.LINE_STATE_BOOKED


@pytest.mark.req("C4")
async def test_four_slots_in_opposite_orders_queue_and_never_deadlock(basket: Basket) -> None:
    slots = [f"s{n}" for n in range(6)]
    orders = [order for four in combinations(slots, 4) for order in (four, four[::-1])]
    groups = await asyncio.gather(*(basket.hold(*order, school=f"school-{n}") for n, order in enumerate(orders)))
    won = [one.slot.id for group in groups for one in group.lines if one.state == HELD]
    assert sorted(won) == slots
    await basket.check()


@pytest.mark.req("C8")
async def test_what_was_refused_as_malformed_leaves_its_key_free(basket: Basket) -> None:
    bad = pb.HoldSlotsRequest(request_id="key", lines=[pb.HoldLine(slot_id="s1", candidate_id="nobody")])
    with pytest.raises(Failure):
        await basket.ask("HoldSlots", bad)
    (one,) = (await basket.hold("s1", key="key")).lines
    assert one.state == HELD


@pytest.mark.req("C9")
async def test_two_tabs_and_the_back_button_are_one_booking(basket: Basket) -> None:
    """Each tab has its own key; the second finds the slot taken by its own school."""
    tabs = await asyncio.gather(*(basket.hold(("s1", 1), key=f"tab-{n}") for n in range(2)))
    states = sorted(group.lines[0].state for group in tabs)
    assert states == sorted([HELD, pb.LINE_STATE_REFUSED])
    (group,) = (tab for tab in tabs if tab.lines[0].state == HELD)
    done = await asyncio.gather(
        *(basket.validate(group.id, key=f"click-{n}") for n in range(3)), return_exceptions=True
    )
    assert any(isinstance(one, pb.Group) and one.lines[0].state == BOOKED for one in done)
    assert basket.rdvpermis.calls.count("ValidateBasket") == 1
    assert len(basket.rdvpermis.exams) == 1
    await basket.check()


@pytest.mark.req("C12", "R-15")
@pytest.mark.parametrize("milliseconds", [-1, 0, 1])
def test_at_one_millisecond_from_its_end_a_hold_can_be_validated_or_expires_and_never_both(milliseconds: int) -> None:
    now = NOW + timedelta(milliseconds=milliseconds)
    hold = replace(line(State.HELD), expires_at=NOW)
    group = Group(hold.group_id, "school-1", "account-1", "", False, "", "", NOW)
    situation = GroupSituation(_Still(now), group, [hold], {}, {})  # type: ignore[arg-type]
    expires = hold.expires_at is not None and hold.expires_at <= now
    if expires:
        with pytest.raises(Failure) as refused:
            ready(situation)
        assert refused.value.code == Code.CODE_HOLD_EXPIRED
    else:
        assert ready(situation) == [hold]
    assert expires is (milliseconds >= 0)


class _Still:
    """A time that does not move on."""

    def __init__(self, now: Any) -> None:
        self.now = now


@pytest.mark.req("C12", "R-15")
async def test_validations_around_the_very_end_of_a_hold_have_one_end_and_rdvpermis_the_same(basket: Basket) -> None:
    for turn, late in enumerate((-30, -10, -5, -2, -1, 0, 1, 2, 5, 10)):
        slot = f"s{turn}"
        held = await basket.hold((slot, turn + 1))
        async with transaction(basket.engine) as tx:  # the end is the database's, some milliseconds from now
            await tx.execute(
                sa.text("UPDATE basket_line SET expires_at = clock_timestamp() + interval '30 ms' WHERE slot_id = :s"),
                {"s": slot},
            )
        await asyncio.sleep(max(0.0, (30 + late) / 1000))  # the moment of the click: that is what is varied
        await asyncio.gather(basket.validate(held.id), expire_holds(basket.dependencies), return_exceptions=True)
        await expire_holds(basket.dependencies)
        state = (await basket.states())[slot]
        exams = [exam for exam in basket.rdvpermis.exams.values() if exam.slot_id == slot]
        if state == "held":  # neither came: it is about to end
            await asyncio.sleep(0.05)
            await expire_holds(basket.dependencies)
            state = (await basket.states())[slot]
        assert state in {"booked", "expired"}
        assert bool(exams) == (state == "booked")
    await basket.check()


Acts = dict[str, Callable[[Basket, str, str], Awaitable[Any]]]


async def _cancel(basket: Basket, line_id: str, other_id: str) -> None:
    request = booking.CancelBookingRequest(request_id=basket.key(), booking_id=line_id, reason="school")
    await basket.book("CancelBooking", request)


async def _replace(basket: Basket, line_id: str, other_id: str) -> None:
    request = booking.ReplaceCandidateRequest(request_id=basket.key(), booking_id=line_id, candidate_id=candidate(9))
    await basket.book("ReplaceCandidate", request)


async def _swap(basket: Basket, line_id: str, other_id: str) -> None:
    request = booking.SwapBookingsRequest(request_id=basket.key(), booking_id=line_id, other_booking_id=other_id)
    await basket.book("SwapBookings", request)


async def _start(basket: Basket, line_id: str, other_id: str) -> None:
    """The exam begins: by the database's clock its start has passed."""
    async with transaction(basket.engine) as tx:
        await tx.execute(
            sa.text(
                "UPDATE basket_line SET starts_at = now() - interval '1 second', ends_at = now() + interval '31 minutes' "
                "WHERE id = :id"
            ),
            {"id": line_id},
        )
    await finish_begun_exams(basket.dependencies)


async def _withdraw(basket: Basket, line_id: str, other_id: str) -> None:
    """The State takes the exam away; the next reconciliation finds it."""
    (row,) = await basket.rows("SELECT exam_id FROM basket_line WHERE id = :id", id=line_id)
    basket.rdvpermis.exams.pop(row.exam_id, None)
    await reconcile_school(basket.dependencies, "school-1")


ACTS: Acts = {"cancel": _cancel, "replace": _replace, "swap": _swap, "start": _start, "withdraw": _withdraw}
IN_ORDER = set(combinations(ACTS, 2))


@pytest.mark.req("C13")
@pytest.mark.parametrize(
    "pair",
    # In the other order only in `make test-long`: both are begun at once.
    [
        pytest.param(pair, id="+".join(pair), marks=[pytest.mark.long_only] if pair[::-1] in IN_ORDER else [])
        for pair in permutations(ACTS, 2)
    ],
)
async def test_of_any_two_acts_on_a_booking_the_states_go_their_way_and_rdvpermis_agrees(
    basket: Basket, pair: tuple[str, str]
) -> None:
    group = await basket.hold(("s1", 1), ("s2", 2))
    await basket.validate(group.id)
    one, other = (each.id for each in group.lines)
    await asyncio.gather(*(ACTS[name](basket, one, other) for name in pair), return_exceptions=True)
    for _ in range(3):  # what was in doubt is read
        async with transaction(basket.engine) as tx:
            await tx.execute(sa.text("UPDATE basket_line SET next_poll_at = now() WHERE next_poll_at IS NOT NULL"))
        await settle_and_give_back(basket.dependencies)
    await reconcile_school(basket.dependencies, "school-1")
    rows = await basket.rows("SELECT slot_id, state, ended_at, changing, exam_id FROM basket_line")
    live = [row for row in rows if row.ended_at is None]
    assert {row.state for row in rows} <= {"booked", "cancelled", "replaced", "swapped", "done"}
    assert len({row.slot_id for row in live}) == len(live)
    assert all(row.state == "booked" and row.changing == "" for row in live)
    exams = {exam.slot_id for exam in basket.rdvpermis.exams.values()}
    begun = {row.slot_id for row in rows if row.state == "done"}
    assert {row.slot_id for row in live} == exams - begun
    await basket.check()


@pytest.mark.req("C13")
def test_no_state_is_left_twice_and_what_has_ended_stays_ended() -> None:
    ends = [state for state in State if not NEXT.get(state)]
    assert set(ends) & FIRST == {State.REFUSED}
    assert all(State.BOOKED not in NEXT.get(state, frozenset()) for state in State if state is not State.CONFIRMING)


@pytest.mark.req("C14")
async def test_a_mandate_that_ends_while_rdvpermis_is_asked_for_the_hold_is_never_booked(basket: Basket) -> None:
    basket.rdvpermis.gate = asyncio.Event()
    holding = asyncio.create_task(basket.hold(("s1", 1)))
    async with asyncio.timeout(5):
        while "HoldSlots" not in basket.rdvpermis.calls:  # noqa: ASYNC110 - asked in another process
            await asyncio.sleep(0.01)
    basket.world.no_mandate.add(candidate(1))
    await mandate_ended(basket, 1)
    await act_on_events(basket.dependencies)
    basket.rdvpermis.gate.set()
    group = await holding
    with pytest.raises(Failure):
        await basket.validate(group.id)
    assert basket.rdvpermis.exams == {}
    assert "ValidateBasket" not in basket.rdvpermis.calls
    await basket.check()


@pytest.mark.req("C14")
async def test_a_rule_that_changes_while_rdvpermis_is_asked_refuses_the_booking_and_the_hold_keeps_its_own_snapshot(
    basket: Basket,
) -> None:
    basket.rdvpermis.gate = asyncio.Event()
    holding = asyncio.create_task(basket.hold(("s1", 1)))
    async with asyncio.timeout(5):
        while "HoldSlots" not in basket.rdvpermis.calls:  # noqa: ASYNC110 - asked in another process
            await asyncio.sleep(0.01)
    basket.world.rules_against["s1"] = Verdict(rule="R-NOTICE", allowed=False, source="charter 3.4")
    basket.rdvpermis.gate.set()
    group = await holding
    assert [one.state for one in group.lines] == [HELD]  # judged by what was in force when it was asked
    with pytest.raises(Failure) as refused:
        await basket.validate(group.id)
    assert refused.value.violations == ((group.lines[0].id, "R-NOTICE"),)
    assert "ValidateBasket" not in basket.rdvpermis.calls
    assert [row.purpose for row in await basket.rows("SELECT purpose FROM judgement")] == ["hold"]
    refusal = (await basket.published(Record))[-1]
    assert (refusal.action, refusal.outcome) == ("basket.validate", Outcome.OUTCOME_REFUSED)
    await basket.check()


WALL_CLOCKS = {"now", "utcnow", "today", "utc_now", "time"}


@pytest.mark.req("C15")
def test_no_decision_of_basket_reads_its_own_wall_clock() -> None:
    """A replica whose clock is five minutes off, or steps back, decides as the others: by the database's time alone."""
    source = Path(resapermis_basket.__file__).parent
    read = [
        f"{file.name}:{node.lineno} {ast.unparse(node)}"
        for file in source.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in WALL_CLOCKS
        and ast.unparse(node.func.value) in {"datetime", "date", "time", "clock", "datetime.datetime"}
    ]
    assert read == []


@pytest.mark.req("C15")
async def test_expiry_follows_the_databases_clock_when_it_steps(basket: Basket) -> None:
    """The database's clock is moved by moving what it is compared with: five minutes back, then on."""
    held = await basket.hold(("s1", 1))
    await expire_holds(basket.dependencies)
    assert await basket.states() == {"s1": "held"}
    async with transaction(basket.engine) as tx:
        await tx.execute(sa.text("UPDATE basket_line SET expires_at = expires_at - interval '5 minutes'"))
    await expire_holds(basket.dependencies)
    assert await basket.states() == {"s1": "held"}
    async with transaction(basket.engine) as tx:
        await tx.execute(sa.text("UPDATE basket_line SET expires_at = expires_at - interval '15 minutes'"))
    await expire_holds(basket.dependencies)
    assert await basket.states() == {"s1": "expired"}
    with pytest.raises(Failure) as refused:
        await basket.validate(held.id)
    assert refused.value.code == Code.CODE_HOLD_EXPIRED
