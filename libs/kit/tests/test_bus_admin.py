"""bus-admin makes streams and consumers, makes them again, changes what differs, and says what it may not change."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from events_world import SOURCE, running
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, DeliverPolicy, StorageType, StreamConfig
from prometheus_client import REGISTRY

from resapermis_kit.events import streams
from resapermis_kit.events.streams import EVENTS, RECORDS, durable_name, stream_name
from resapermis_kit.process import bus_keeper
from resapermis_kit.process.bus_keeper import Keeper, ensure
from resapermis_kit.process.topology import Topology
from resapermis_testing.eventually import eventually
from resapermis_testing.nats import POLICIES, Nats, topology_of

TOPOLOGY = topology_of(SOURCE, "audit")
STREAM, RECORD_STREAM = stream_name(EVENTS, SOURCE), stream_name(RECORDS, SOURCE)
DURABLE = durable_name("audit", EVENTS, SOURCE)


async def missing(bus: Client) -> list[str]:
    return await streams.missing(bus, [STREAM, RECORD_STREAM], [(STREAM, DURABLE)])


def counted(name: str, kind: str) -> float:
    return REGISTRY.get_sample_value(f"resapermis_bus_{name}_total", {"kind": kind}) or 0


async def test_what_is_missing_is_made_and_what_is_there_is_left(make_bus: Any) -> None:
    bus = await make_bus("auth-gateway")
    assert await missing(bus) == [STREAM, RECORD_STREAM, DURABLE]
    assert await ensure(bus.jetstream(), TOPOLOGY, 1) == []
    assert await missing(bus) == []
    before = [counted(name, kind) for name in ("made", "changed") for kind in ("stream", "consumer")]
    assert await ensure(bus.jetstream(), TOPOLOGY, 1) == []
    assert before == [counted(name, kind) for name in ("made", "changed") for kind in ("stream", "consumer")]


async def test_two_at_once_make_all_of_it_once(make_bus: Any) -> None:
    both = await make_bus("auth-gateway"), await make_bus("mandate")
    whole = Topology.load(POLICIES)
    assert await asyncio.gather(*(ensure(bus.jetstream(), whole, 1) for bus in both)) == [[], []]
    info = await both[0].jetstream().streams_info()
    assert len(info) == 2 * len(whole.publishes)
    assert sum(one.state.consumer_count for one in info) == len(whole.durables)


def _consumer(js: Any) -> Any:
    return js.delete_consumer(STREAM, DURABLE)


def _stream(js: Any) -> Any:
    return js.delete_stream(STREAM)


@pytest.mark.req("E9")
@pytest.mark.parametrize("lose", [_consumer, _stream])
async def test_what_is_lost_is_made_again(
    make_bus: Any, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Any], Any]
) -> None:
    assert bus_keeper.ROUND_SECONDS <= 10
    monkeypatch.setattr(bus_keeper, "ROUND_SECONDS", 0.05)
    bus = await make_bus("auth-gateway")

    async def whole() -> bool:
        return await missing(bus) == []

    async with running(Keeper(bus, TOPOLOGY, 1).run()):
        await eventually(whole)
        await lose(bus.jetstream())
        await eventually(whole)


async def test_it_is_ready_once_all_is_there_and_not_while_the_bus_is_away(
    make_bus: Any, nats_server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_keeper, "ROUND_SECONDS", 0.05)
    monkeypatch.setattr(bus_keeper, "AGAIN_SECONDS", 0.05)
    keeper = Keeper(await make_bus("auth-gateway"), TOPOLOGY, 1)

    async def is_ready() -> bool:
        try:
            await keeper.check()
        except OSError:
            return False
        return True

    async def is_not() -> bool:
        return not await is_ready()

    assert await is_not()
    async with running(keeper.run()):
        await eventually(is_ready)
        nats_server.stop()
        await eventually(is_not, seconds=30)
        nats_server.start()
        await eventually(is_ready, seconds=30)


async def test_what_differs_is_brought_to_its_configuration_and_keeps_what_it_had(make_bus: Any) -> None:
    """As an upgrade finds it: a stream of fewer subjects, a consumer without a filter."""
    bus = await make_bus("auth-gateway")
    js = bus.jetstream()
    await js.add_stream(StreamConfig(name=STREAM, subjects=["resapermis.mandate.v1.MandateChanged"], max_age=60))
    await js.add_consumer(STREAM, ConsumerConfig(durable_name=DURABLE, ack_wait=5))
    await js.publish("resapermis.mandate.v1.MandateChanged", b"one")
    assert await ensure(js, TOPOLOGY, 1) == []
    info, consumer = await js.stream_info(STREAM), await js.consumer_info(STREAM, DURABLE)
    assert (info.config.subjects, info.config.max_age, info.state.messages) == (["resapermis.mandate.v1.*"], 604800, 1)
    assert (consumer.config.ack_wait, consumer.num_pending) == (30, 1)
    waiting = {"consumer": "audit", "source": SOURCE, "stream": EVENTS}
    assert REGISTRY.get_sample_value("resapermis_bus_pending", waiting) == 1
    before = counted("changed", "stream"), counted("changed", "consumer")
    assert await ensure(js, TOPOLOGY, 1) == []
    assert before == (counted("changed", "stream"), counted("changed", "consumer"))


async def test_what_the_server_does_not_let_be_changed_is_told_in_words_and_the_rest_is_made(make_bus: Any) -> None:
    bus = await make_bus("auth-gateway")
    js = bus.jetstream()
    await js.add_stream(StreamConfig(name=STREAM, subjects=["resapermis.mandate.v1.*"], storage=StorageType.MEMORY))
    await js.add_consumer(STREAM, ConsumerConfig(durable_name=DURABLE, deliver_policy=DeliverPolicy.NEW))
    refused = await ensure(js, TOPOLOGY, 1)
    assert [one.split(":")[0] for one in refused] == [f"stream {STREAM}", f"consumer {DURABLE}"]
    assert "storage" in refused[0]
    assert "deliver policy" in refused[1]
    assert REGISTRY.get_sample_value("resapermis_bus_refused") == 2
    assert await missing(bus) == []


async def test_a_consumer_brings_what_was_published_and_nothing_that_the_server_was_made_to_put_there(
    make_bus: Any,
) -> None:
    """The second defence, should the first (an account each) be configured away: see nats-server #8274."""
    bus = await make_bus("auth-gateway")
    js = bus.jetstream()
    await ensure(js, TOPOLOGY, 1)
    await js.add_stream(name="elsewhere", subjects=["resapermis.basket.v1.*"])
    await js.add_consumer("elsewhere", durable_name="mine", ack_policy="explicit")
    await js.publish("resapermis.basket.v1.LineChanged", b"forged", headers={"ce-source": SOURCE})
    reply = "resapermis.mandate.v1.MandateChanged"
    await bus.publish("$JS.API.CONSUMER.MSG.NEXT.elsewhere.mine", b'{"batch": 1}', reply=reply)

    async def landed() -> bool:
        return bool((await js.stream_info(STREAM)).state.messages)

    await eventually(landed)
    await js.publish(reply, b"published")
    pulled = await js.pull_subscribe_bind(DURABLE, STREAM)
    assert [one.data for one in await pulled.fetch(10, timeout=2)] == [b"published"]
