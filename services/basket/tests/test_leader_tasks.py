"""What one replica does for all: no task holds up another, and one bad line stops none of the others."""

import asyncio
import contextlib
from typing import Any

import pytest
from basket_peers import Basket, candidate
from basket_work import LOST, due_now, mandate_ended
from test_process import leader_tasks, wired

from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_basket.reconcile.release import give_back
from resapermis_basket.settings import Settings
from resapermis_kit.errors import Code, Failure
from resapermis_testing.eventually import eventually
from resapermis_testing.known_fault import KnownFault, known_fault_if

HANGS_SECONDS = 60.0
"""How long an answer of RdvPermis is waited for that does not come: longer than any of these tests."""
IN_VAIN_SECONDS = 1.0
"""How long these wait for what a fault keeps from them: some twenty rounds. Whoever mends it gives a busy machine more."""


async def owed(basket: Basket, *slots: str, school: str = "school-1") -> None:
    """A slot that RdvPermis granted and is to have back: the first of an action that got not all of its slots."""
    basket.rdvpermis.refuse[slots[1]] = "CRENEAU_NON_DISPONIBLE"
    group = await basket.hold(*slots, school=school, all_or_nothing=True)
    assert [line.refusal.code for line in group.lines] == [
        Code.CODE_ALL_OR_NOTHING_FAILED,
        Code.CODE_RDVPERMIS_SLOT_GONE,
    ]


async def doubtful(basket: Basket, slot: str, school: str = "school-1") -> None:
    """A hold whose answer was lost; RdvPermis never got the question."""
    basket.rdvpermis.before["HoldSlots"] = LOST
    await basket.hold(slot, school=school)
    del basket.rdvpermis.before["HoldSlots"]


@pytest.mark.xfail(strict=True, raises=KnownFault, reason="fault 4: a round lasts as long as what it gives back")
async def test_while_rdvpermis_is_slow_to_take_slots_back_doubts_are_settled_and_ended_mandates_acted_on(
    basket: Basket, settings_for: Any, make_bus: Any
) -> None:
    await owed(basket, "s1", "s2")
    await doubtful(basket, "s3")
    await basket.hold(("s4", 1))
    await due_now(basket)
    basket.rdvpermis.gates["ReleaseSlot"] = asyncio.Event()
    settings = settings_for(
        Settings, "basket", grace_seconds=0.05, settle_every_seconds=0.05, egress_seconds=HANGS_SECONDS
    )

    async def first_round_hangs() -> bool:
        return "ReleaseSlot" in basket.rdvpermis.calls and (await basket.states())["s3"] == "refused"

    async def all_done() -> bool:
        states = await basket.states()
        return (states["s4"], states["s5"]) == ("released", "refused")

    async with leader_tasks(await wired(basket, settings, make_bus)):
        await eventually(first_round_hangs)
        await doubtful(basket, "s5")
        await mandate_ended(basket, 1)
        try:
            await eventually(all_done, seconds=IN_VAIN_SECONDS)
        except TimeoutError:
            states = await basket.states()
            known_fault_if((states["s4"], states["s5"]) == ("held", "asking"), states)
            raise


@pytest.mark.xfail(strict=True, raises=KnownFault, reason="fault 4: one line is given back after the other")
async def test_a_slot_that_rdvpermis_does_not_take_back_holds_up_no_other_schools(basket: Basket) -> None:
    await owed(basket, "s1", "s2")
    await owed(basket, "s3", "s4", school="school-2")
    await basket.rows("UPDATE basket_line SET next_poll_at = now() - interval '1 s' WHERE slot_id = 's1' RETURNING 1")
    basket.rdvpermis.gates["ReleaseSlot school-1"] = asyncio.Event()
    giving = asyncio.ensure_future(give_back(basket.dependencies))

    async def the_others_is_back() -> bool:
        return "s3" not in basket.rdvpermis.owner

    try:
        await eventually(the_others_is_back, seconds=IN_VAIN_SECONDS)
    except TimeoutError:
        known_fault_if(basket.rdvpermis.calls.count("ReleaseSlot") == 1, "s1 is asked for still, s3 was never")
        raise
    finally:
        giving.cancel()
        await asyncio.gather(giving, return_exceptions=True)


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="fault 7: a school's lines are settled all or none")
async def test_a_line_that_cannot_be_settled_stops_none_of_its_schools_others(basket: Basket) -> None:
    """RdvPermis has put candidate 2 on the booking of s1, who stands on s2 here: that cannot be written down."""
    group = await basket.hold(("s1", 1))
    (booked,) = (await basket.validate(group.id)).lines
    await basket.hold(("s2", 3))
    await doubtful(basket, "s3")
    await basket.rows(
        "UPDATE basket_line SET changing = 'replace', wanted_candidate_id = :id, wanted_rdvpermis_id = 'rdv-002', "
        "next_poll_at = now() WHERE slot_id = 's1' RETURNING 1",
        id=candidate(2),
    )
    basket.rdvpermis.exams[booked.exam_id].rdvpermis_candidate_id = "rdv-002"
    await basket.rows("UPDATE basket_line SET candidate_id = :id WHERE slot_id = 's2' RETURNING 1", id=candidate(2))
    await due_now(basket)
    with contextlib.suppress(Failure):
        await settle_doubts(basket.dependencies)
    assert (await basket.states())["s3"] == "refused"


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="fault 7: the first that breaks ends the round for all")
async def test_a_school_that_cannot_be_settled_ends_the_round_for_no_other(
    basket: Basket, monkeypatch: pytest.MonkeyPatch
) -> None:
    await doubtful(basket, "s1")
    await doubtful(basket, "s2", school="school-2")
    await due_now(basket)
    real, broke = basket.dependencies.peers.rdvpermis, asyncio.Event()
    read: list[str] = []

    async def one_breaks(method: str, request: Any, **how: Any) -> Any:
        school = request.on_behalf.school_id
        if school == "school-1":
            broke.set()
            raise RuntimeError(method)
        await broke.wait()
        answer = await real(method, request, **how)  # over a socket: many turns of the loop after the other broke
        read.append(school)
        return answer

    monkeypatch.setattr(basket.dependencies.peers, "rdvpermis", one_breaks)
    with contextlib.suppress(RuntimeError, ExceptionGroup):
        await settle_doubts(basket.dependencies)
    assert read == ["school-2"]
