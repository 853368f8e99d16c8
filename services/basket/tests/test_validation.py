"""Validation: line by line, under today's mandates, never unnamed, never guessed."""

import asyncio

import pytest
from basket_peers import MONTH, Basket, LineChanged, Record, candidate

from resapermis.audit.v1.events_pb2 import Outcome
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_basket.reconcile.release import give_back
from resapermis_kit.errors import Code, Failure

HELD, CONFIRMING, BOOKED = pb.LINE_STATE_HELD, pb.LINE_STATE_CONFIRMING, pb.LINE_STATE_BOOKED


def states(group: pb.Group) -> list[int]:
    return [line.state for line in group.lines]


@pytest.mark.req("R-16", "R-30")
async def test_a_named_group_is_booked(basket: Basket) -> None:
    held = await basket.hold(("s1", 1), ("s2", 2))
    group = await basket.validate(held.id)
    assert states(group) == [BOOKED, BOOKED]
    assert all(line.exam_id for line in group.lines)
    assert await basket.counters() == {("school-1", ""): 0, ("school-1", MONTH): 2}
    assert not (await basket.ask("GetBasket", pb.GetBasketRequest())).groups
    assert [event.to for event in await basket.published(LineChanged)][-2:] == [BOOKED, BOOKED]
    assert [r.action for r in await basket.published(Record)][-2:] == ["booking.confirm"] * 2
    await basket.check()


@pytest.mark.req("R-16")
async def test_a_partial_success_is_kept_and_answered_line_by_line(basket: Basket) -> None:
    held = await basket.hold(("s1", 1), ("s2", 2))
    basket.rdvpermis.refuse["validate:s2"] = "CANDIDAT_DEJA_INSCRIT"
    group = await basket.validate(held.id)
    assert states(group) == [BOOKED, pb.LINE_STATE_REJECTED]
    assert group.lines[1].refusal.code == Code.CODE_RDVPERMIS_CANDIDATE_ALREADY
    assert await basket.counters() == {("school-1", ""): 0, ("school-1", MONTH): 1}
    await give_back(basket.dependencies)
    assert basket.rdvpermis.owner.keys() == {"s1"}
    await basket.check()


@pytest.mark.req("R-30")
async def test_an_unnamed_line_refuses_the_group_and_is_named(basket: Basket) -> None:
    held = await basket.hold(("s1", 1), "s2")
    with pytest.raises(Failure) as refused:
        await basket.validate(held.id)
    assert refused.value.code == Code.CODE_LINE_UNNAMED
    assert [field for field, _ in refused.value.violations] == [held.lines[1].id]
    assert [verdict.rule for verdict in refused.value.verdicts] == ["R-NAMED"]
    assert "ValidateBasket" not in basket.rdvpermis.calls
    record = (await basket.published(Record))[-1]
    assert (record.action, record.outcome) == ("basket.validate", Outcome.OUTCOME_REFUSED)


@pytest.mark.req("R-04", "C14")
async def test_a_mandate_lost_meanwhile_refuses(basket: Basket) -> None:
    held = await basket.hold(("s1", 1), ("s2", 2))
    basket.world.no_mandate.add(candidate(2))
    with pytest.raises(Failure) as refused:
        await basket.validate(held.id)
    assert refused.value.code == Code.CODE_NO_MANDATE
    assert refused.value.violations == ((held.lines[1].id, "R-MANDATE"),)
    assert await basket.states() == {"s1": "held", "s2": "held"}


@pytest.mark.req("C11")
async def test_a_line_missing_in_the_answer_stays_confirming(basket: Basket) -> None:
    held = await basket.hold(("s1", 1), ("s2", 2))
    basket.rdvpermis.silent.add("s2")
    assert states(await basket.validate(held.id)) == [BOOKED, CONFIRMING]
    await basket.check()


async def test_rdvpermis_down_leaves_the_hold_and_the_key_may_be_tried_again(basket: Basket) -> None:
    held = await basket.hold(("s1", 1))
    basket.rdvpermis.before["ValidateBasket"] = Failure(Code.CODE_RDVPERMIS_DOWN, "circuit open")
    with pytest.raises(Failure) as refused:
        await basket.validate(held.id, key="v")
    assert refused.value.code == Code.CODE_RDVPERMIS_DOWN
    assert await basket.states() == {"s1": "held"}
    basket.rdvpermis.before.clear()
    assert states(await basket.validate(held.id, key="v")) == [BOOKED]
    await basket.check()


@pytest.mark.req("R-16", "C9")
async def test_a_double_click_books_once(basket: Basket) -> None:
    held = await basket.hold(("s1", 1))
    results = await asyncio.gather(*(basket.validate(held.id) for _ in range(8)), return_exceptions=True)
    booked = [one for one in results if isinstance(one, pb.Group)]
    assert [states(group) for group in booked] == [[BOOKED]]
    failures = {one.code for one in results if isinstance(one, Failure)}
    assert failures <= {Code.CODE_STALE, Code.CODE_UNKNOWN_OUTCOME, Code.CODE_ILLEGAL_TRANSITION}
    assert basket.rdvpermis.calls.count("ValidateBasket") == 1


async def test_a_retry_gets_the_same_booking(basket: Basket) -> None:
    held = await basket.hold(("s1", 1))
    first = await basket.validate(held.id, key="v")
    assert await basket.validate(held.id, key="v") == first
    assert basket.rdvpermis.calls.count("ValidateBasket") == 1


async def test_another_schools_group_is_not_found(basket: Basket) -> None:
    held = await basket.hold(("s1", 1))
    with pytest.raises(Failure) as refused:
        await basket.validate(held.id, school="school-2")
    assert refused.value.code == Code.CODE_NOT_FOUND


async def test_what_was_booked_is_not_validated_again(basket: Basket) -> None:
    held = await basket.hold(("s1", 1))
    await basket.validate(held.id)
    with pytest.raises(Failure) as refused:
        await basket.validate(held.id)
    assert refused.value.code == Code.CODE_ILLEGAL_TRANSITION


async def test_a_basket_that_vanished_at_rdvpermis_is_answered_as_that_and_not_as_a_withdrawn_slot(
    basket: Basket,
) -> None:
    """Who is answered SLOT_GONE looks for another slot, and searches hide it for a quarter of an hour: it is free there."""
    held = await basket.hold(("s1", 1))
    basket.rdvpermis.baskets.clear()
    basket.rdvpermis.owner.clear()
    with pytest.raises(Failure) as refused:
        await basket.validate(held.id)
    assert refused.value.code == Code.CODE_RDVPERMIS_BASKET_GONE
    await settle_doubts(basket.dependencies)
    published = (await basket.published(LineChanged))[-1]
    assert (published.reason, published.to == pb.LINE_STATE_WITHDRAWN) == ("RDVPERMIS_BASKET_GONE", False)
    assert states(await basket.hold("s1", school="school-2")) == [HELD]
