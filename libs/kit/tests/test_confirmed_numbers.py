"""A source is known by its stream, and a number beyond the next is its source's only if the source says so."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from events_world import EVENT_TYPE, SOURCE, consumer, events_of, has, note, publish, reached, running, seen
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2 as pb
from resapermis.mandate.v1.events_pb2 import CandidateCreated
from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events import outbox as kit_outbox
from resapermis_kit.events import relay as kit_relay
from resapermis_kit.events import replay, stream_handler, wire
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.events.stream_handler import StreamHandler
from resapermis_kit.events.streams import EVENTS
from resapermis_testing.eventually import eventually
from resapermis_testing.nats import make_streams
from resapermis_testing.postgres import MakeEngine

Answer = Callable[[pb.ReplayRequest], Awaitable[pb.ReplayResponse]]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_handler, "FIRST_PAUSE_SECONDS", 0.001)


def unconfirmed() -> float:
    labels = {"source": SOURCE, "stream": EVENTS}
    return REGISTRY.get_sample_value("resapermis_bus_unconfirmed_total", labels) or 0


def asking(engine: AsyncEngine) -> Answer:
    async def answer(request: pb.ReplayRequest) -> pb.ReplayResponse:
        async with transaction(engine) as tx:
            return await replay.replay(tx, SOURCE, request)

    return answer


def handler(sink: AsyncEngine, answer: Answer) -> StreamHandler:
    async def repeat(_source: str, request: pb.ReplayRequest) -> pb.ReplayResponse:
        return await answer(request)

    return StreamHandler(sink, SOURCE, {CandidateCreated: note}, repeat, utc_now)


@pytest.mark.req("E6")
@pytest.mark.parametrize("number", [4, 999, 2**63 - 1])
async def test_a_number_that_its_source_has_not_given_moves_nothing(make_engine: MakeEngine, number: int) -> None:
    """Believed, it would have every event up to it taken for old."""
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a", "b")
    first, second = await events_of(source)
    before = unconfirmed()
    handle = handler(sink, asking(source)).handle
    await handle([first, replace(second, id=str(uuid4()), number=number)])
    assert await seen(sink) == ["a"]
    assert unconfirmed() == before + 1
    await handle([second])
    assert await seen(sink) == ["a", "b"]


@pytest.mark.req("E6")
async def test_a_jump_that_the_source_confirms_is_made_though_it_keeps_nothing_of_what_lies_between(
    make_engine: MakeEngine,
) -> None:
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a", "b", "c")
    *_, last = await events_of(source)
    async with transaction(source) as tx:
        await tx.execute(sa.delete(kit_outbox.outbox))
    before = unconfirmed()
    await handler(sink, asking(source)).handle([last])
    assert await seen(sink) == ["c"]
    assert unconfirmed() == before


@pytest.mark.req("E9")
async def test_a_source_that_was_restored_is_asked_until_it_has_learnt_its_numbers(make_engine: MakeEngine) -> None:
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a", "b", "c")
    *_, last = await events_of(source)
    given = iter([0, 1, 3])

    async def answer(_: pb.ReplayRequest) -> pb.ReplayResponse:
        return pb.ReplayResponse(last_number=next(given))

    await handler(sink, answer).handle([last])
    assert await seen(sink) == ["c"]


async def test_a_source_of_a_release_that_does_not_say_its_last_number_is_believed(make_engine: MakeEngine) -> None:
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a", "b", "c")
    *_, last = await events_of(source)

    async def answer(_: pb.ReplayRequest) -> pb.ReplayResponse:
        return pb.ReplayResponse()

    await handler(sink, answer).handle([last])
    assert await seen(sink) == ["c"]


async def test_a_source_says_its_last_number_promised_or_given(make_engine: MakeEngine) -> None:
    source = await make_engine("kit_sample")
    question = pb.ReplayRequest(stream=EVENTS, first_number=1, last_number=1)
    said = [(await asking(source)(question)).last_number]
    await publish(source, Outbox(SOURCE), "a", "b")
    said.append((await asking(source)(question)).last_number)
    await events_of(source)
    said.append((await asking(source)(question)).last_number)
    assert said == [0, 0, 2]


@pytest.mark.req("E6")
async def test_a_message_that_names_another_source_or_an_odd_number_is_its_streams_or_nobodys(
    make_engine: MakeEngine, make_bus: Any
) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    js = bus.jetstream()
    now = utc_now().isoformat()
    for number in ("-3", "0", str(2**63), "4000"):
        headers = {"ce-id": str(uuid4()), "ce-source": "basket", "ce-type": EVENT_TYPE, "ce-time": now}
        await js.publish(EVENT_TYPE, b"", headers=headers | {wire.NUMBER: number})
    async with running(kit_relay.relay(source, bus, Outbox(SOURCE), utc_now), consumer(sink, source).run(bus)):
        await publish(source, Outbox(SOURCE), "a", "b")
        await eventually(lambda: has(sink, ["a", "b"]), seconds=30)
    assert await reached(sink, 2)
    assert not await reached(sink, 3)
    async with transaction(sink) as tx:
        assert list((await tx.execute(sa.text("SELECT source FROM inbox"))).scalars()) == [SOURCE]


@pytest.mark.parametrize("batched", [False, True])
async def test_an_event_is_of_the_stream_that_brought_it(make_engine: MakeEngine, *, batched: bool) -> None:
    source = await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a", "b")
    async with transaction(source) as tx:
        rows = await kit_relay.numbering.number_unpublished(tx)
    events = [row for row in rows if row.stream == EVENTS]
    _, headers, payload = wire.message_of("basket", events if batched else events[:1])
    assert {one.source for one in wire.events_of(SOURCE, headers, payload)} == {SOURCE}
