"""In a rolling update a basket of this release works beside peers, sources and consumers of an earlier or a later one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import grpc
import pytest
from basket_peers import Basket, LineChanged, candidate

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.batch.v1 import batch_pb2, batch_pb2_grpc
from resapermis.events.v1 import events_pb2
from resapermis.mandate.v1 import mandate_pb2
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis_basket.reconcile.received_events import act_on_events, on_mandate_changed
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events import numbering, replay, streams, wire
from resapermis_kit.events import relay as kit_relay
from resapermis_kit.events.consumer import Consumer
from resapermis_kit.events.event import Event
from resapermis_kit.events.stream_handler import StreamHandler
from resapermis_kit.process import leader
from resapermis_testing.eventually import eventually
from resapermis_testing.nats import make_streams
from resapermis_testing.postgres import MakeEngine

pytestmark = pytest.mark.req("E17")
MANDATE_CHANGED = MandateChanged.DESCRIPTOR.full_name
OF_A_LATER_RELEASE = "resapermis.mandate.v1.CandidateMoved"
UNKNOWN_FIELD = b"\xaa\xb2\x1e\x05later"
"""Field 62245, a text."""


@pytest.fixture
def peers_without_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of a release before batch.v1."""
    monkeypatch.setattr(batch_pb2_grpc, "add_BatchServiceServicer_to_server", lambda *_: None)


@pytest.mark.usefixtures("peers_without_lots")
async def test_beside_peers_that_know_no_batches_a_crowd_is_held_and_nothing_is_lost(basket: Basket) -> None:
    """They say all verdicts, too, though asked for those against a line only."""
    for name in ("mandate", "scheduling-rules", "egress"):
        stub = batch_pb2_grpc.BatchServiceStub(basket.peer_channels[name])
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            [_ async for _ in stub.Execute(batch_pb2.ExecuteRequest(), timeout=5)]
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED
    for first in (1, 31):  # a crowd that finds it out, and one that comes when it is known
        crowd = (basket.hold((f"s{n}", n), school=f"ecole-{n}") for n in range(first, first + 20))
        groups = await asyncio.gather(*crowd)
        assert {line.state for group in groups for line in group.lines} == {pb.LINE_STATE_HELD}
    assert len(basket.world.evaluated) == basket.rdvpermis.calls.count("HoldSlots") == 40
    await basket.check()


def ended(number: int, to: int = mandate_pb2.MANDATE_STATE_REVOKED) -> bytes:
    """A mandate is no longer active, published by a release that knows more."""
    event = MandateChanged(candidate_id=candidate(number), school_id="school-1", category="B")
    event.MergeFromString(MandateChanged(**{"from": mandate_pb2.MANDATE_STATE_ACTIVE, "to": to}).SerializeToString())  # type: ignore[arg-type]
    return event.SerializeToString() + UNKNOWN_FIELD


def row(number: int, kind: str, payload: bytes) -> numbering.NumberedRow:
    return numbering.NumberedRow(new_id(), streams.EVENTS, kind, payload, "", utc_now(), number)


async def test_sources_that_publish_what_we_do_not_know_and_events_alone_or_batched_are_understood(
    basket: Basket, make_bus: Any
) -> None:
    await basket.hold(*((f"s{n}", n) for n in range(1, 5)))
    theirs, ours = await make_bus("mandate"), await make_bus("basket")
    await make_streams(theirs, "mandate", "basket")
    state_of_a_later_release = 77
    assert state_of_a_later_release not in mandate_pb2.MandateState.values()
    for published in (
        [row(1, OF_A_LATER_RELEASE, b"\xff")],
        [row(2, MANDATE_CHANGED, ended(1))],
        [row(3, MANDATE_CHANGED, ended(2)), row(4, MANDATE_CHANGED, ended(3))],
        [row(5, OF_A_LATER_RELEASE, b""), row(6, OF_A_LATER_RELEASE, b"")],
        [row(7, MANDATE_CHANGED, ended(4, state_of_a_later_release))],
    ):
        alone = len(published) == 1  # as every event was before ADR 15
        headers, payload = wire._single("mandate", published[0]) if alone else wire._batched("mandate", published)
        await theirs.jetstream().publish(published[0].type, payload, headers=headers)
    repeated: list[events_pb2.ReplayRequest] = []

    async def repeat(_source: str, request: events_pb2.ReplayRequest) -> events_pb2.ReplayResponse:
        repeated.append(request)
        return events_pb2.ReplayResponse()

    handlers = {MandateChanged: on_mandate_changed}
    handler = StreamHandler(basket.engine, "mandate", handlers, repeat, utc_now)
    consumer = Consumer("basket", handler)

    async def all_handled() -> bool:
        return [one.position for one in await basket.rows("SELECT position FROM inbox")] == [7]

    async with running(consumer, ours):
        await eventually(all_handled)
    assert len(repeated) == 1, "at the start, and for no gap"
    assert await basket.rows("SELECT * FROM dead_letter") == []
    await act_on_events(basket.dependencies)
    assert set((await basket.states()).values()) == {"released"}
    await basket.check()


class OfTheReleaseBefore(Consumer):
    """Knows no message of several events."""

    def _read(self, headers: Mapping[str, str], payload: bytes) -> list[Event]:
        return super()._read({name: value for name, value in headers.items() if name != wire.BATCH_SIZE}, payload)


async def test_a_consumer_that_knows_no_event_batches_has_them_repeated_and_handles_each_once(
    basket: Basket, make_bus: Any, make_engine: MakeEngine
) -> None:
    theirs, ours = await make_bus("audit"), await make_bus("basket")
    await make_streams(ours, "basket", "audit")
    sink = await make_engine("resapermis_basket")
    received: list[tuple[int, UUID]] = []
    repeated: list[tuple[int, int]] = []

    async def note(_tx: Tx, _event: LineChanged, event: Event) -> None:
        received.append((event.number, UUID(event.id)))

    async def repeat(_source: str, request: events_pb2.ReplayRequest) -> events_pb2.ReplayResponse:
        repeated.append((request.first_number, request.last_number))
        async with transaction(basket.engine) as tx:
            return await replay.replay(tx, "basket", request)

    consumer = OfTheReleaseBefore("audit", StreamHandler(sink, "basket", {LineChanged: note}, repeat, utc_now))

    async def caught_up() -> bool:
        return len(repeated) == 1

    async def all_received() -> bool:
        rows = await basket.rows("SELECT number, id FROM outbox WHERE stream = 'events' ORDER BY number")
        return received == [(one.number, one.id) for one in rows]

    publisher = ours.jetstream()
    async with running(consumer, theirs):
        await eventually(caught_up)  # with nothing: what is published from now on comes by the bus
        await basket.hold("s1", "s2", "s3")
        await kit_relay.relay_round(basket.engine, publisher, "basket", utc_now)  # together: unreadable there
        await basket.hold("s1", school="ecole-2")
        await kit_relay.relay_round(basket.engine, publisher, "basket", utc_now)  # alone: shows the gap
        await eventually(all_received)
    assert len(received) == 7
    assert repeated[1:] == [(1, 6)]


@asynccontextmanager
async def running(consumer: Consumer, bus: Any) -> AsyncIterator[None]:
    task = asyncio.ensure_future(consumer.run(bus))
    try:
        yield
    finally:
        await leader.cancel_all([task])
        await asyncio.gather(task, return_exceptions=True)
