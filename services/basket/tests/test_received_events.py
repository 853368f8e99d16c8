"""What other services publish is acted on, however the line it is about stands when it comes."""

import asyncio

import pytest
from basket_peers import Basket, candidate
from basket_work import due_now, mandate_ended, slot_withdrawn
from paused_acts import stopped_updates, waits_or_ended

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_basket.reconcile.received_events import act_on_events
from resapermis_testing.eventually import eventually
from resapermis_testing.known_fault import KnownFault, known_fault_if


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
    """The hold of s1 has ended so; today it is held as though nothing had been received."""
    states = await basket.states()
    known_fault_if(states == {"s1": "held"}, states)
    assert states == {"s1": right}


@pytest.mark.xfail(strict=True, raises=KnownFault, reason="fault 8: only a held line is looked for, once")
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


@pytest.mark.xfail(strict=True, raises=KnownFault, reason="fault 8: only a held line is looked for, once")
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


@pytest.mark.xfail(strict=True, raises=KnownFault, reason="fault 8: a line that has moved meanwhile is left out")
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


@pytest.mark.xfail(strict=True, raises=KnownFault, reason="fault 8: a line that RdvPermis is asked about is left out")
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
