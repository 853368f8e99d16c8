"""What other services publish is acted on, however the line it is about stands when it comes."""

import asyncio
from typing import Any

import pytest
from basket_peers import Basket, candidate
from basket_work import due_now, mandate_ended, slot_withdrawn
from paused_acts import stopped_updates, waits_or_ended

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.reconcile import received_events
from resapermis_basket.reconcile.decision import decide_by_school
from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_basket.reconcile.received_events import act_on_events
from resapermis_testing.eventually import eventually


async def asked(basket: Basket, method: str) -> None:
    async def is_asked() -> bool:
        return method in basket.rdvpermis.calls

    await eventually(is_asked)


async def act_on_all(basket: Basket) -> None:
    """What is still to be acted on is, with nothing in its way."""
    for _ in range(2):
        await act_on_events(basket.dependencies)
        await due_now(basket)
        await settle_doubts(basket.dependencies)


async def ended_as(basket: Basket, right: str) -> None:
    """The hold of s1 has ended so, and nothing is left to act on."""
    assert await basket.states() == {"s1": right}
    assert await basket.rows("SELECT 1 FROM received_event") == []


async def test_a_slot_withdrawn_while_rdvpermis_is_asked_for_it_ends_the_hold(basket: Basket) -> None:
    basket.rdvpermis.gate = asyncio.Event()
    holding = asyncio.ensure_future(basket.hold("s1"))
    await asked(basket, "HoldSlots")
    await slot_withdrawn(basket, "s1")
    await act_on_events(basket.dependencies)
    basket.rdvpermis.gate.set()
    assert [line.state for line in (await holding).lines] == [pb.LINE_STATE_HELD]
    basket.rdvpermis.baskets["basket-1"].candidates.pop("s1")
    await act_on_all(basket)
    await ended_as(basket, "withdrawn")


async def test_a_mandate_ended_while_rdvpermis_is_asked_for_the_hold_gives_it_back(basket: Basket) -> None:
    basket.rdvpermis.gate = asyncio.Event()
    holding = asyncio.ensure_future(basket.hold(("s1", 1)))
    await asked(basket, "HoldSlots")
    await mandate_ended(basket, 1)
    await act_on_events(basket.dependencies)
    basket.rdvpermis.gate.set()
    await holding
    await act_on_all(basket)
    await ended_as(basket, "released")


async def test_a_slot_withdrawn_while_its_line_is_changed_ends_the_hold(basket: Basket) -> None:
    (line,) = (await basket.hold("s1")).lines
    request = pb.SetLineResourcesRequest(request_id=basket.key(), line_id=line.id, trainer_id="formateur-1")
    async with stopped_updates(basket):
        changing = asyncio.ensure_future(basket.ask("SetLineResources", request))
        await waits_or_ended(basket, changing, 1)
        await slot_withdrawn(basket, "s1")
        acting = asyncio.ensure_future(act_on_events(basket.dependencies))
        await waits_or_ended(basket, acting, 2)
    await asyncio.gather(changing, acting)
    basket.rdvpermis.baskets["basket-1"].candidates.pop("s1")
    await act_on_all(basket)
    await ended_as(basket, "withdrawn")


async def test_a_slot_withdrawn_while_its_candidate_is_being_named_ends_the_hold(basket: Basket) -> None:
    (line,) = (await basket.hold("s1")).lines
    basket.rdvpermis.gates["NameCandidate"] = asyncio.Event()
    request = pb.NameCandidateRequest(request_id=basket.key(), line_id=line.id, candidate_id=candidate(1))
    naming = asyncio.ensure_future(basket.ask("NameCandidate", request))
    await asked(basket, "NameCandidate")
    await slot_withdrawn(basket, "s1")
    await act_on_events(basket.dependencies)
    basket.rdvpermis.gates["NameCandidate"].set()
    await naming
    basket.rdvpermis.baskets["basket-1"].candidates.pop("s1")
    await act_on_all(basket)
    await ended_as(basket, "withdrawn")


async def test_what_breaks_on_one_event_stops_none_of_the_others(
    basket: Basket, monkeypatch: pytest.MonkeyPatch
) -> None:
    await basket.hold("s1", school="school-1")
    await basket.hold("s2", school="school-2")
    await slot_withdrawn(basket, "s1", "s2")

    async def broken_for_school_1(dependencies: Any, due: Any, decide: Any) -> int:
        if due[0].school_id == "school-1":
            raise ValueError
        return await decide_by_school(dependencies, due, decide)

    monkeypatch.setattr(received_events, "decide_by_school", broken_for_school_1)
    with pytest.raises(ValueError, match=r"^$"):
        await act_on_events(basket.dependencies)
    waiting = await basket.rows("SELECT slot_id FROM received_event")
    polled = await basket.rows("SELECT slot_id FROM basket_line WHERE next_poll_at <= now()")
    assert ([row.slot_id for row in waiting], [row.slot_id for row in polled]) == (["s1"], ["s2"])
