"""Wherever relay, consumer or bus die, an event has its effect once (security-tests.md, section 6)."""

import asyncio
import random
from typing import Any

import pytest
from events_world import (
    EVENT_TYPE,
    SOURCE,
    consumer,
    events_of,
    forget_published,
    handler,
    has,
    note,
    publish,
    running,
    seen,
    waiting,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import Tx
from resapermis_kit.events import backlog, numbering, wire
from resapermis_kit.events import relay as kit_relay
from resapermis_kit.events.event import Event
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.events.streams import stream_name
from resapermis_testing.eventually import eventually
from resapermis_testing.nats import Nats, make_streams
from resapermis_testing.postgres import MakeEngine

pytestmark = pytest.mark.timeout(180)  # what is shown does not depend on how busy the machine is


class Killed(BaseException):
    """The process ended here."""


@pytest.mark.req("E1")
@pytest.mark.parametrize("where", ["before publishing", "before the acknowledgement", "before marking"])
async def test_a_relay_killed_anywhere_publishes_everything_once_in_effect(
    make_engine: MakeEngine, make_bus: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    await publish(source, Outbox(SOURCE), "a", "b", "c")
    publisher = bus.jetstream()

    async def die(*_: Any, **__: Any) -> None:
        raise Killed

    async def unacknowledged(*arguments: Any, **more: Any) -> asyncio.Future[Any]:
        await publisher.publish(*arguments, **more)  # the stream has it
        raise Killed

    with monkeypatch.context() as fate:
        if where == "before marking":
            fate.setattr(numbering, "mark_published", die)
        else:
            fate.setattr(publisher, "publish_async", die if where == "before publishing" else unacknowledged)
        with pytest.raises(Killed):
            await kit_relay.relay_round(source, publisher, SOURCE, utc_now)
    async with running(
        kit_relay.relay(source, bus, Outbox(SOURCE), utc_now), consumer(sink, source).run(bus)
    ):  # the next process
        await eventually(lambda: has(sink, ["a", "b", "c"]), seconds=60)
    assert await waiting(source) == 0


@pytest.mark.req("E2")
async def test_an_event_stored_twice_after_the_duplicate_window_is_handled_once(
    make_engine: MakeEngine, make_bus: Any
) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    js = bus.jetstream()
    stream = stream_name("events", SOURCE)
    config = (await js.stream_info(stream)).config
    config.duplicate_window = 0.1
    await js.update_stream(config)
    await publish(source, Outbox(SOURCE), "a", "b")
    await kit_relay.relay_round(source, js, SOURCE, utc_now)
    await forget_published(source)  # both acknowledgements were lost

    async def stored_twice() -> bool:
        await forget_published(source)
        await kit_relay.relay_round(source, js, SOURCE, utc_now)
        return (await js.stream_info(stream)).state.messages >= 4

    await eventually(stored_twice)
    async with running(consumer(sink, source).run(bus)):
        await publish(source, Outbox(SOURCE), "c")
        await kit_relay.relay_round(source, js, SOURCE, utc_now)
        await eventually(lambda: has(sink, ["a", "b", "c"]), seconds=60)


@pytest.mark.req("E3")
async def test_an_event_delivered_again_while_its_effect_commits_has_it_once(
    make_engine: MakeEngine,
) -> None:
    """An acknowledgement after ack_wait counts for the redelivery: two deliveries are at work at the same time."""
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a", "b")
    events = await events_of(source)
    first_is_in, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx, created: Any, event: Event) -> None:
        first_is_in.set()
        await go_on.wait()
        await note(tx, created, event)

    late = asyncio.create_task(handler(sink, source, slow).handle(events))
    await first_is_in.wait()
    again = asyncio.create_task(handler(sink, source).handle(events))
    done, _ = await asyncio.wait({again}, timeout=0.5)
    assert not done, "the second waits for the first, also where neither found a position yet"
    go_on.set()
    await asyncio.gather(late, again)
    assert await seen(sink) == ["a", "b"]


@pytest.mark.req("E3")
async def test_effect_and_inbox_are_one_commit(make_engine: MakeEngine) -> None:
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a")
    events = await events_of(source)

    async def dies(tx: Tx, created: Any, event: Event) -> None:
        await note(tx, created, event)
        raise Killed

    with pytest.raises(Killed):
        await handler(sink, source, dies).handle(events)
    assert await seen(sink) == []
    await handler(sink, source).handle(events)
    assert await seen(sink) == ["a"]


@pytest.mark.req("E4", "E10")
async def test_a_full_stream_makes_the_outbox_wait_and_loses_nothing(
    make_engine: MakeEngine, make_bus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit_relay, "ACKNOWLEDGED_WITHIN_SECONDS", 1.0)
    monkeypatch.setattr(wire, "LARGEST_BATCH", 1)
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    js = bus.jetstream()
    config = (await js.stream_info(stream_name("events", SOURCE))).config
    config.max_msgs = 2
    await js.update_stream(config)
    ids = [f"{n}" for n in range(6)]
    await publish(source, Outbox(SOURCE), *ids)
    with pytest.raises(TimeoutError):
        await kit_relay.relay_round(source, js, SOURCE, utc_now)
    assert await waiting(source) == 4  # what was stored is marked, events and records alike
    await backlog.measure(source)
    assert REGISTRY.get_sample_value("resapermis_outbox_backlog") == 4
    assert (await js.stream_info(stream_name("events", SOURCE))).state.messages == 2
    config.max_msgs = -1
    await js.update_stream(config)
    async with running(kit_relay.relay(source, bus, Outbox(SOURCE), utc_now), consumer(sink, source).run(bus)):
        await eventually(lambda: has(sink, ids))


@pytest.mark.req("E5")
async def test_what_is_no_event_at_all_is_passed_over_and_the_rest_flows(
    make_engine: MakeEngine, make_bus: Any
) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    js = bus.jetstream()
    await js.publish(EVENT_TYPE, b"\xff\xff\xff")
    await js.publish(EVENT_TYPE, b"", headers={"ce-id": "x", "ce-source": SOURCE, "resapermis-number": "many"})
    async with running(kit_relay.relay(source, bus, Outbox(SOURCE), utc_now), consumer(sink, source).run(bus)):
        await publish(source, Outbox(SOURCE), "a")
        await eventually(lambda: has(sink, ["a"]))


@pytest.mark.req("E6")
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
async def test_events_reordered_doubled_and_left_out_are_each_handled_once_in_order(
    make_engine: MakeEngine, seed: int
) -> None:
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    ids = [f"{n:03d}" for n in range(40)]
    await publish(source, Outbox(SOURCE), *ids)
    events = await events_of(source)
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    handle = handler(sink, source).handle
    left = events[:-1]
    while left:
        batch = [rng.choice(events[:-1]) for _ in range(rng.randrange(1, 12))]
        await handle(batch)
        left = [event for event in left if rng.random() < 0.6]
    await handle([events[-1]])
    assert await seen(sink) == ids


@pytest.mark.req("E6")
async def test_an_event_that_comes_a_thousand_times_is_handled_once(make_engine: MakeEngine) -> None:
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a")
    events = await events_of(source)
    for _ in range(10):
        await handler(sink, source).handle(events * 100)
    assert await seen(sink) == ["a"]


@pytest.mark.req("E10")
async def test_while_nats_is_cut_writes_go_on_and_the_backlog_is_seen(
    make_engine: MakeEngine, make_bus: Any, nats_server: Nats
) -> None:
    source, bus = await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    nats_server.stop()
    async with running(kit_relay.relay(source, bus, Outbox(SOURCE), utc_now)):
        for n in range(5):
            await publish(source, Outbox(SOURCE), f"{n}")
        await backlog.measure(source)
        assert REGISTRY.get_sample_value("resapermis_outbox_backlog") == 10  # five events, five records
        age = REGISTRY.get_sample_value("resapermis_outbox_oldest_seconds")
        assert age is not None
        assert age >= 0
        nats_server.start()

        async def all_published() -> bool:
            return await waiting(source) == 0

        await eventually(all_published, seconds=90)
    await backlog.measure(source)
    assert REGISTRY.get_sample_value("resapermis_outbox_backlog") == 0
