"""What basket does unasked: expiry, doubts settled by reading, slots given back, events of others."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from basket_peers import MONTH, Basket, LineChanged, Record, candidate
from basket_work import KILLED, LOST, decided, due_now, event_of, mandate_ended, settled, slot_withdrawn

from resapermis.audit.v1.events_pb2 import Actor
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.basket.v1.events_pb2 import GroupExpiring
from resapermis.events.v1 import events_pb2
from resapermis.mandate.v1 import mandate_pb2
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.scheduling.v1.events_pb2 import SlotWithdrawn
from resapermis_basket.domain.doubt import pause_seconds
from resapermis_basket.domain.line import Line, State, move
from resapermis_basket.judgement import refusals
from resapermis_basket.line.queries import lines_of_live_groups
from resapermis_basket.reconcile.decision import decide_lines
from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_basket.reconcile.expiry import expire_holds, finish_begun_exams, warn_of_expiry
from resapermis_basket.reconcile.received_events import act_on_events, on_mandate_changed, on_slot_withdrawn
from resapermis_basket.reconcile.release import give_back
from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events import relay as kit_relay
from resapermis_kit.events.consumer import Consumer
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.events.stream_handler import StreamHandler
from resapermis_kit.process import leader
from resapermis_testing.eventually import eventually
from resapermis_testing.nats import make_streams

HELD, ASKING, CONFIRMING, BOOKED = (
    pb.LINE_STATE_HELD,
    pb.LINE_STATE_ASKING,
    pb.LINE_STATE_CONFIRMING,
    pb.LINE_STATE_BOOKED,
)


def states(group: pb.Group) -> list[int]:
    return [line.state for line in group.lines]


# Expiry


@pytest.mark.req("R-15")
async def test_a_hold_expires_on_time_and_frees_its_slot(basket: Basket) -> None:
    basket.rdvpermis.lasts = timedelta(seconds=100)
    await basket.hold("s1", ("s2", 1))
    assert await expire_holds(basket.dependencies) == 0
    await basket.rows("UPDATE basket_line SET expires_at = now() + interval '50 ms' RETURNING 1")
    in_vain: list[datetime] = []

    async def expired() -> bool:
        (search,) = await basket.rows("SELECT now() AS began")
        if await expire_holds(basket.dependencies) == 2:
            return True
        in_vain.append(search.began)
        return False

    await eventually(expired)
    (row,) = await basket.rows("SELECT min(expires_at) AS expires_at FROM basket_line")
    assert all(began < row.expires_at for began in in_vain), "the first search after its end ends it"
    assert await basket.counters() == {("school-1", ""): 0, ("school-1", MONTH): 0}
    events = (await basket.published(LineChanged))[-2:]
    assert [event.reason for event in events] == ["HOLD_EXPIRED"] * 2
    record = (await basket.published(Record))[-1]
    assert (record.action, record.actor.kind) == ("basket.expire", Actor.KIND_SYSTEM)
    await give_back(basket.dependencies)
    assert basket.rdvpermis.owner == {}
    assert states(await basket.hold("s1", school="school-2")) == [HELD]
    await basket.check()


@pytest.mark.req("R-15")
async def test_an_expired_group_is_not_validated(basket: Basket) -> None:
    basket.rdvpermis.lasts = timedelta(milliseconds=1)
    held = await basket.hold(("s1", 1))
    with pytest.raises(Failure) as refused:
        await basket.validate(held.id)
    assert refused.value.code == Code.CODE_HOLD_EXPIRED
    await expire_holds(basket.dependencies)
    with pytest.raises(Failure) as refused:
        await basket.validate(held.id)
    assert refused.value.code == Code.CODE_HOLD_EXPIRED


@pytest.mark.req("R-15", "C12")
async def test_expiry_and_validation_at_once_have_one_end(basket: Basket) -> None:
    for turn in range(5):
        await _race_for_one_end(basket, f"s{turn}", turn)
    await basket.check()


async def _race_for_one_end(basket: Basket, slot: str, number: int) -> None:
    basket.rdvpermis.lasts = timedelta(milliseconds=60)
    held = await basket.hold((slot, number))

    async def ended() -> bool:
        return await expire_holds(basket.dependencies) > 0 or (await basket.states())[slot] != "held"

    validation, _ = await asyncio.gather(basket.validate(held.id), eventually(ended), return_exceptions=True)
    state = (await basket.states())[slot]
    assert state in {"booked", "expired"}
    assert isinstance(validation, pb.Group) == (state == "booked")


@pytest.mark.req("R-15")
async def test_a_school_is_warned_once_before_its_group_expires(basket: Basket) -> None:
    basket.rdvpermis.lasts = timedelta(seconds=100)
    held = await basket.hold("s1", "s2")
    basket.rdvpermis.lasts = timedelta(minutes=20)
    await basket.hold("s3")
    assert await warn_of_expiry(basket.dependencies) == 1
    assert await warn_of_expiry(basket.dependencies) == 0
    (warning,) = await basket.published(GroupExpiring)
    assert (warning.group_id, warning.school_id) == (held.id, "school-1")
    assert warning.expires_at == held.expires_at


# Doubts


@pytest.mark.req("R-16", "C10")
async def test_a_hold_whose_answer_was_lost_is_found_held(basket: Basket) -> None:
    basket.rdvpermis.after["HoldSlots"] = LOST
    basket.rdvpermis.refuse["s2"] = "CRENEAU_DEJA_RESERVE"
    group = await basket.hold(("s1", 1), "s2", key="k")
    assert states(group) == [ASKING, ASKING]
    with pytest.raises(Failure) as refused:
        await basket.hold(("s1", 1), "s2", key="k")
    assert refused.value.code == Code.CODE_IN_PROGRESS
    await settled(basket, s1="held", s2="refused")
    again = await basket.hold(("s1", 1), "s2", key="k")
    assert again.id == group.id
    assert states(again) == [HELD, pb.LINE_STATE_REFUSED]
    assert again.lines[0].candidate_id == candidate(1)
    assert basket.rdvpermis.calls.count("HoldSlots") == 1
    assert states(await basket.validate(group.id)) == [BOOKED, pb.LINE_STATE_REFUSED]


@pytest.mark.req("R-16")
async def test_a_hold_that_never_arrived_is_found_refused(basket: Basket) -> None:
    basket.rdvpermis.before["HoldSlots"] = LOST
    assert states(await basket.hold("s1")) == [ASKING]
    await settled(basket, s1="refused")
    assert basket.rdvpermis.calls == ["HoldSlots", "ListBaskets"]
    assert await basket.counters() == {("school-1", ""): 0, ("school-1", MONTH): 0}


async def shown(basket: Basket) -> list[tuple[str, int]]:
    """Slots of the school's basket as it is shown, with their states."""
    groups = (await basket.ask("GetBasket", pb.GetBasketRequest())).groups
    return [(line.slot.id, line.state) for group in groups for line in group.lines]


@pytest.mark.req("R-15", "R-16")
async def test_what_was_lost_while_nobody_was_answered_stays_shown_for_an_hour(basket: Basket) -> None:
    basket.rdvpermis.before["HoldSlots"] = LOST
    await basket.hold("s1")
    await settled(basket, s1="refused")
    basket.rdvpermis.before.clear()
    await basket.hold("s2")
    await basket.rows("UPDATE basket_line SET expires_at = now() WHERE state = 'held' RETURNING 1")
    assert await expire_holds(basket.dependencies) == 1
    assert sorted(await shown(basket)) == [("s1", pb.LINE_STATE_REFUSED), ("s2", pb.LINE_STATE_EXPIRED)]
    await basket.rows("UPDATE basket_line SET ended_at = ended_at - interval '61 minutes' RETURNING 1")
    assert await shown(basket) == []


@pytest.mark.req("R-16")
async def test_what_a_person_was_refused_or_gave_back_is_not_shown_again(basket: Basket) -> None:
    basket.rdvpermis.refuse["s1"] = "CRENEAU_DEJA_RESERVE"
    await basket.hold("s1")
    group = await basket.hold("s2")
    await basket.ask("ReleaseLine", pb.ReleaseLineRequest(request_id="r", line_id=group.lines[0].id))
    assert await shown(basket) == []


async def test_a_hold_found_without_its_candidate_is_unnamed(basket: Basket) -> None:
    basket.rdvpermis.after["HoldSlots"] = LOST
    basket.rdvpermis.refuse["rdv-001"] = "CANDIDAT_SOUS_PENALITE"
    await basket.hold(("s1", 1))
    await settled(basket, s1="held")
    (shown,) = (await basket.ask("GetBasket", pb.GetBasketRequest())).groups
    assert shown.lines[0].candidate_id == ""


async def test_all_or_nothing_is_kept_when_a_doubt_ends_badly(basket: Basket) -> None:
    basket.rdvpermis.after["HoldSlots"] = LOST
    basket.rdvpermis.refuse["s2"] = "CRENEAU_DEJA_RESERVE"
    await basket.hold("s1", "s2", all_or_nothing=True)
    await settled(basket, s1="released", s2="refused")
    await give_back(basket.dependencies)
    assert basket.rdvpermis.owner == {}


@pytest.mark.req("R-16", "C8")
async def test_a_crash_between_commit_and_call_is_settled_without_asking(basket: Basket, monkeypatch: Any) -> None:
    async def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError(KILLED)

    with monkeypatch.context() as patch:
        patch.setattr(basket.dependencies.peers, "rdvpermis", crash)
        with pytest.raises(Failure):
            await basket.hold("s1")
    assert await basket.states() == {"s1": "asking"}
    await due_now(basket)
    await settled(basket, s1="refused")
    assert "HoldSlots" not in basket.rdvpermis.calls


@pytest.mark.req("R-16", "C8")
async def test_a_crash_between_answer_and_commit_is_settled_by_reading(basket: Basket, monkeypatch: Any) -> None:
    real = basket.dependencies.peers.rdvpermis

    async def crash(method: str, request: Any, **how: Any) -> None:
        await real(method, request, **how)
        raise RuntimeError(KILLED)

    for method, slots in (("hold", ("s1",)), ("validate", ())):
        with monkeypatch.context() as patch:
            patch.setattr(basket.dependencies.peers, "rdvpermis", crash)
            with pytest.raises(Failure):
                if method == "hold":
                    await basket.hold(("s1", 1))
                else:
                    (group,) = (await basket.ask("GetBasket", pb.GetBasketRequest())).groups
                    await basket.validate(group.id)
        await due_now(basket)
        await settled(basket, s1="held" if slots else "booked")
    assert basket.rdvpermis.calls.count("HoldSlots") == basket.rdvpermis.calls.count("ValidateBasket") == 1


@pytest.mark.req("R-16", "C10")
async def test_a_validation_whose_answer_was_lost_is_found_booked(basket: Basket) -> None:
    held = await basket.hold(("s1", 1))
    basket.rdvpermis.after["ValidateBasket"] = LOST
    assert states(await basket.validate(held.id, key="v")) == [CONFIRMING]
    assert await decided(basket, "s1") == "booked"
    await basket.check()
    again = await basket.validate(held.id, key="v")
    assert states(again) == [BOOKED]
    assert again.lines[0].exam_id == next(iter(basket.rdvpermis.exams))
    assert basket.rdvpermis.calls.count("ValidateBasket") == 1


async def test_a_validation_that_never_arrived_leaves_the_hold(basket: Basket) -> None:
    held = await basket.hold(("s1", 1))
    basket.rdvpermis.before["ValidateBasket"] = LOST
    await basket.validate(held.id)
    await settled(basket, s1="held")
    basket.rdvpermis.before.clear()
    assert states(await basket.validate(held.id)) == [BOOKED]


async def test_a_validation_lost_with_its_basket_is_rejected(basket: Basket) -> None:
    held = await basket.hold(("s1", 1))
    basket.rdvpermis.before["ValidateBasket"] = LOST
    await basket.validate(held.id)
    basket.rdvpermis.baskets.clear()
    await settled(basket, s1="rejected")


async def test_confirming_lines_do_not_expire(basket: Basket) -> None:
    basket.rdvpermis.lasts = timedelta(seconds=1)
    held = await basket.hold(("s1", 1))
    basket.rdvpermis.after["ValidateBasket"] = LOST
    await basket.validate(held.id)
    await basket.rows("UPDATE basket_line SET expires_at = now() - interval '1 hour' RETURNING 1")
    assert await expire_holds(basket.dependencies) == 0
    await settled(basket, s1="booked")


async def test_while_rdvpermis_is_away_the_reconciler_waits_longer_and_longer(basket: Basket) -> None:
    basket.rdvpermis.before["HoldSlots"] = LOST
    basket.rdvpermis.before["ListBaskets"] = Failure(Code.CODE_RDVPERMIS_DOWN, "circuit open")
    await basket.hold("s1")
    for polls in range(3):
        await due_now(basket)
        began = utc_now()
        await settle_doubts(basket.dependencies)
        ended = utc_now()
        (row,) = await basket.rows("SELECT state, polls, next_poll_at FROM basket_line")
        pause = timedelta(seconds=pause_seconds(polls, basket.dependencies.settings.grace_seconds))
        assert (row.state, row.polls) == ("asking", polls + 1)
        assert began <= row.next_poll_at - pause <= ended
    assert basket.rdvpermis.calls.count("ListBaskets") == 3
    basket.rdvpermis.before.clear()
    await settled(basket, s1="refused")


async def test_a_late_answer_does_not_undo_what_was_read(basket: Basket) -> None:
    basket.rdvpermis.gate = asyncio.Event()
    holding = asyncio.create_task(basket.hold("s1"))

    async def asked() -> bool:
        return "HoldSlots" in basket.rdvpermis.calls

    await eventually(asked)
    async with transaction(basket.engine) as tx:
        (line,) = await lines_of_live_groups(tx, "school-1")

    def refused(one: Line, now: datetime) -> Line:
        return move(one, State.REFUSED, now, refusals.answer_lost())

    await decide_lines(basket.dependencies, "school-1", [line], refused)
    basket.rdvpermis.gate.set()
    group = await holding
    assert states(group) == [pb.LINE_STATE_REFUSED]
    await basket.check()


# Giving back


async def test_giving_back_is_tried_again_while_rdvpermis_is_away(basket: Basket) -> None:
    basket.rdvpermis.refuse["s2"] = "CRENEAU_NON_DISPONIBLE"
    await basket.hold("s1", "s2", all_or_nothing=True)
    basket.rdvpermis.before["ReleaseSlot"] = Failure(Code.CODE_RDVPERMIS_DOWN, "circuit open")
    await give_back(basket.dependencies)
    assert basket.rdvpermis.owner.keys() == {"s1"}
    basket.rdvpermis.before.clear()

    async def given() -> bool:
        await give_back(basket.dependencies)
        return not basket.rdvpermis.owner

    await eventually(given)
    assert not await basket.rows("SELECT 1 FROM basket_line WHERE owed")


# Facts of others


@pytest.mark.req("R-17")
async def test_a_slot_withdrawn_by_the_state_ends_its_hold(basket: Basket) -> None:
    await basket.hold("s1", "s2")
    basket.rdvpermis.baskets["basket-1"].candidates.pop("s1")
    await slot_withdrawn(basket, "s1", "s2")
    await act_on_events(basket.dependencies)
    await settled(basket, s1="withdrawn", s2="held")  # theirs still has s2: another school's poll saw it as taken
    published = (await basket.published(LineChanged))[-1]
    assert (published.slot_id, published.to, published.reason) == ("s1", pb.LINE_STATE_WITHDRAWN, "RDVPERMIS_SLOT_GONE")


@pytest.mark.req("R-04", "C14")
async def test_a_mandate_that_ends_gives_its_holds_back(basket: Basket) -> None:
    await basket.hold(("s1", 1), ("s2", 2))
    began = MandateChanged(candidate_id=candidate(2), school_id="school-1", category="B")
    began.to = mandate_pb2.MANDATE_STATE_ACTIVE
    await mandate_ended(basket, 1)
    async with transaction(basket.engine) as tx:
        await on_mandate_changed(tx, began, event_of(MandateChanged))
    await act_on_events(basket.dependencies)
    await act_on_events(basket.dependencies)
    assert await basket.states() == {"s1": "released", "s2": "held"}
    await give_back(basket.dependencies)
    assert basket.rdvpermis.owner.keys() == {"s2"}
    await basket.check()


@pytest.mark.req("P-01")
async def test_events_come_over_the_bus(basket: Basket, make_engine: Any, make_bus: Any) -> None:
    held = await basket.hold(("s1", 1))
    assert states(held) == [HELD]
    basket.rdvpermis.baskets["basket-1"].candidates.pop("s1")
    source, bus = await make_engine("resapermis_basket"), await make_bus("scheduling-rules")
    await make_streams(bus, "scheduling-rules", "basket")
    box = Outbox("scheduling-rules")

    async def repeat(*_: Any) -> events_pb2.ReplayResponse:
        return events_pb2.ReplayResponse()

    handlers = {SlotWithdrawn: on_slot_withdrawn}
    consumer = Consumer("basket", StreamHandler(basket.engine, "scheduling-rules", handlers, repeat, utc_now))
    tasks = [
        asyncio.ensure_future(kit_relay.relay(source, bus, box, utc_now)),
        asyncio.ensure_future(consumer.run(bus)),
    ]
    async with transaction(source) as tx:
        await box.add(tx, utc_now(), SlotWithdrawn(slot_id="s1"))

    async def received() -> bool:
        return bool(await basket.rows("SELECT 1 FROM received_event"))

    await eventually(received)
    await act_on_events(basket.dependencies)
    await settled(basket, s1="withdrawn")
    await leader.cancel_all(tasks)


# Exams that have begun


@pytest.mark.req("R-12")
async def test_an_exam_that_has_begun_is_done_and_still_counted(basket: Basket) -> None:
    basket.world.starts["s1"] = datetime.now(UTC) + timedelta(hours=1)
    held = await basket.hold(("s1", 1), ("s2", 2))
    await basket.validate(held.id)
    await basket.rows("UPDATE basket_line SET starts_at = now() WHERE slot_id = 's1' RETURNING 1")
    await finish_begun_exams(basket.dependencies)
    assert await basket.states() == {"s1": "done", "s2": "booked"}
    assert (await basket.counters())[("school-1", MONTH)] == 2
    await basket.check()
