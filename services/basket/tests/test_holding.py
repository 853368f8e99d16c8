"""Holding slots: exactly one winner, never over a threshold, line by line."""

import asyncio

import pytest
from basket_peers import Basket, LineChanged, Record, candidate

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_kit.errors import Code

HELD, REFUSED, ASKING = pb.LINE_STATE_HELD, pb.LINE_STATE_REFUSED, pb.LINE_STATE_ASKING


def states(group: pb.Group) -> list[int]:
    return [line.state for line in group.lines]


def codes(group: pb.Group) -> list[int]:
    return [line.refusal.code for line in group.lines]


@pytest.mark.req("R-14", "R-11")
async def test_slots_are_held_in_one_basket_of_rdvpermis(basket: Basket) -> None:
    group = await basket.hold(("s1", 1), "s2")
    assert states(group) == [HELD, HELD]
    assert group.lines[0].candidate_id == candidate(1)
    assert group.lines[0].slot.centre.name == "Rungis"
    assert group.lines[0].expires_at == group.expires_at
    assert basket.rdvpermis.baskets["basket-1"].candidates == {"s1": "rdv-001", "s2": ""}
    shown = await basket.ask("GetBasket", pb.GetBasketRequest())
    assert shown.groups == [group]
    assert shown.limits.group == 4
    usage = (await basket.ask("GetUsage", pb.GetUsageRequest())).usage
    assert [(u.department, u.month, u.category, u.taken) for u in usage] == [("94", "2026-12", "B", 2)]
    await basket.check()


@pytest.mark.req("T-01", "T-02")
async def test_each_step_is_told_and_recorded_in_its_commit(basket: Basket) -> None:
    await basket.hold(("s1", 1))
    facts = await basket.said(LineChanged)
    assert [fact.to for fact in facts] == [ASKING, HELD]
    assert facts[1].slot_id == "s1"
    assert facts[1].account_id == "account-school-1"
    records = await basket.said(Record)
    assert [(r.action, r.outcome) for r in records] == [("basket.hold", 4), ("basket.hold", 1)]
    assert records[1].actor.id == "account-school-1"
    assert records[1].candidate_id == candidate(1)


@pytest.mark.req("R-14")
async def test_of_many_schools_exactly_one_gets_the_slot(basket: Basket) -> None:
    groups = await asyncio.gather(*(basket.hold("s1", school=f"school-{n}") for n in range(30)))
    won = [group for group in groups if states(group) == [HELD]]
    assert len(won) == 1
    assert all(codes(group) == [Code.CODE_SLOT_TAKEN] for group in groups if group not in won)
    assert basket.rdvpermis.calls.count("HoldSlots") == 1  # the losers did not even ask
    await basket.check()
