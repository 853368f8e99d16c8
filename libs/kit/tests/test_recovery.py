"""A bus that forgets, a stream that is lost, a database restored to the past: seen, and made good from the outbox."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from events_world import SOURCE, consumer, handler, has, publish, running, stopped_and_started, waiting
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2 as pb
from resapermis_kit.clock import utc_now
from resapermis_kit.database import durability
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events import numbering, recovery, replay
from resapermis_kit.events import outbox as kit_outbox
from resapermis_kit.events import relay as kit_relay
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.events.streams import EVENTS
from resapermis_kit.events.wire import event_of
from resapermis_kit.process.bus_keeper import Keeper
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.eventually import eventually
from resapermis_testing.nats import Nats, make_streams, topology_of
from resapermis_testing.ports import free_port
from resapermis_testing.postgres import MakeEngine

pytestmark = pytest.mark.timeout(180)  # what is shown does not depend on how busy the machine is


async def _relay(engine: AsyncEngine, bus: Any) -> None:
    """A source's relay, and bus-admin beside it."""

    async def prepare() -> None:
        await recovery.align(engine, bus, SOURCE)

    async with running(Keeper(bus, topology_of(SOURCE, "audit"), 1).run()):
        await kit_relay.relay(engine, bus, Outbox(SOURCE), utc_now, prepare)


async def _all_published(engine: AsyncEngine) -> None:
    async def published() -> bool:
        return await waiting(engine) == 0

    await eventually(published, seconds=90)


@pytest.mark.req("E7")
async def test_a_bus_that_writes_each_message_is_started_on(tls: Path, tmp_path: Path) -> None:
    await _on_a_server(tls, tmp_path, "sync_interval: always")


@pytest.mark.req("E7")
@pytest.mark.parametrize("interval", ["", "sync_interval: 2m"])
async def test_on_a_bus_that_flushes_now_and_then_nothing_starts(tls: Path, tmp_path: Path, interval: str) -> None:
    with pytest.raises(durability.NotDurable, match="sync_interval: always"):
        await _on_a_server(tls, tmp_path, interval)


async def _on_a_server(tls: Path, tmp_path: Path, interval: str) -> None:
    port, monitor = free_port(), free_port()
    url, certificates, server_tls = f"https://127.0.0.1:{monitor}", Certificates(tls / "mandate"), tls / "audit"
    context = certificates.client_context("test")
    config = tmp_path / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\nhttps: "127.0.0.1:{monitor}"\n'
        f'tls {{ cert_file: "{server_tls}/tls.pem", key_file: "{server_tls}/tls.key" }}\n'
        f'jetstream {{ store_dir: "{tmp_path}/js"\n {interval} }}\n'
    )
    server = Nats(port, tmp_path / "js", config)
    server.start()
    try:

        async def answers() -> bool:
            try:
                return bool(durability.jetstream(url, context))
            except OSError:
                return False

        await eventually(answers)
        await durability.require_synced(url, certificates)
    finally:
        server.stop()


@pytest.mark.req("E7")
async def test_a_bus_that_cannot_be_asked_is_no_reason_not_to_start(tls: Path) -> None:
    await durability.require_synced("", Certificates(tls / "mandate"))
    await durability.require_synced(f"https://127.0.0.1:{free_port()}", Certificates(tls / "mandate"))


@pytest.mark.req("E8")
@pytest.mark.parametrize("struck", [0, 17, 29])
async def test_a_bit_that_flips_in_a_stream_is_made_good_by_its_source(
    make_engine: MakeEngine, make_bus: Any, nats_server: Nats, struck: int
) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    ids = [f"candidate-{n:02d}" for n in range(30)]
    async with running(_relay(source, bus)):
        await publish(source, Outbox(SOURCE), *ids)
        await _all_published(source)
        await stopped_and_started(nats_server, bus, lambda: _flip(nats_server.store, ids[struck].encode()))
        async with running(consumer(sink, source).run(bus)):
            await publish(source, Outbox(SOURCE), "after")
            await eventually(lambda: has(sink, [*ids, "after"]), seconds=90)


def _flip(store: Path, words: bytes) -> None:
    """One bit of one message, wherever a block has it."""
    for file in store.rglob("*.blk"):
        data = bytearray(file.read_bytes())
        if (at := data.find(words)) >= 0:
            data[at] ^= 0x10
            file.write_bytes(data)


@pytest.mark.req("E8", "E9")
async def test_a_stream_lost_with_its_disk_is_made_again_and_what_it_had_is_repeated(
    make_engine: MakeEngine, make_bus: Any, nats_server: Nats
) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    async with running(_relay(source, bus)):
        await publish(source, Outbox(SOURCE), "a", "b", "c")
        await _all_published(source)
        # Nobody had handled any of them.
        await stopped_and_started(nats_server, bus, lambda: shutil.rmtree(nats_server.store))
        async with running(consumer(sink, source).run(bus)):
            await publish(source, Outbox(SOURCE), "d")
            await eventually(lambda: has(sink, ["a", "b", "c", "d"]), seconds=90)


@pytest.mark.req("E8")
async def test_a_lost_tail_that_nothing_follows_is_found_by_asking(make_engine: MakeEngine) -> None:
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a", "b")
    async with transaction(source) as tx:
        await numbering.number_unpublished(tx)
    await handler(sink, source).catch_up()
    assert await has(sink, ["a", "b"])
    await handler(sink, source).catch_up()
    assert await has(sink, ["a", "b"])


async def _restored(engine: AsyncEngine, numbers: int) -> None:
    """The database as it was when it had given so many numbers of each stream."""
    async with transaction(engine) as tx:
        await tx.execute(sa.delete(kit_outbox.outbox).where(kit_outbox.outbox.c.number > numbers))
        await tx.execute(sa.update(numbering.heads).values(last_number=numbers))


@pytest.mark.req("E9", "E16")
async def test_a_database_restored_to_the_past_publishes_nothing_under_an_old_number(
    make_engine: MakeEngine, make_bus: Any
) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    async with running(_relay(source, bus), consumer(sink, source).run(bus)):
        for n in range(4):
            await publish(source, Outbox(SOURCE), f"{n}")
        await eventually(lambda: has(sink, ["0", "1", "2", "3"]))
    await _restored(source, 2)
    async with running(_relay(source, bus), consumer(sink, source).run(bus)):
        await publish(source, Outbox(SOURCE), "new")
        await eventually(lambda: has(sink, ["0", "1", "2", "3", "new"]))


@pytest.mark.req("E9")
async def test_a_restore_is_reported_to_whoever_must_read_again(make_engine: MakeEngine, make_bus: Any) -> None:
    source, bus = await make_engine("kit_sample"), await make_bus(SOURCE)
    async with running(_relay(source, bus)):
        await publish(source, Outbox(SOURCE), "a")
        await publish(source, Outbox(SOURCE), "b")
        await _all_published(source)
    assert await recovery.align(source, bus, SOURCE) == []
    await _restored(source, 1)
    assert [(one.stream, one.had, one.now) for one in await recovery.align(source, bus, SOURCE)] == [
        (EVENTS, 1, 2),
        ("records", 1, 2),
    ]
    found = REGISTRY.get_sample_value("resapermis_outbox_restored_seconds", {"stream": EVENTS})
    assert found is not None
    assert abs(found - utc_now().timestamp()) < 60
    assert await recovery.align(source, bus, SOURCE) == []


@pytest.mark.req("E9")
async def test_a_relay_that_died_before_its_mark_is_no_restore(make_engine: MakeEngine, make_bus: Any) -> None:
    source, bus = await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    await publish(source, Outbox(SOURCE), "a", "b")
    async with transaction(source) as tx:
        rows = await numbering.number_unpublished(tx)
    await kit_relay._publish(bus.jetstream(), SOURCE, rows)
    assert await recovery.align(source, bus, SOURCE) == []
    async with transaction(source) as tx:
        assert await numbering.number_unpublished(tx) == rows


@pytest.mark.req("E9")
async def test_what_was_promised_in_a_past_that_came_back_had_been_published_then(
    make_engine: MakeEngine, make_bus: Any
) -> None:
    source, bus = await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    await publish(source, Outbox(SOURCE), "a", "b")
    async with transaction(source) as tx:
        rows = [row for row in await numbering.number_unpublished(tx) if row.stream == EVENTS]
    await kit_relay._publish(bus.jetstream(), SOURCE, [*rows, replace(rows[-1], id=uuid4(), number=9)])
    assert [(one.stream, one.had, one.now) for one in await recovery.align(source, bus, SOURCE)] == [(EVENTS, 2, 9)]
    await publish(source, Outbox(SOURCE), "new")
    async with transaction(source) as tx:
        assert [row.number for row in await numbering.number_unpublished(tx) if row.stream == EVENTS] == [10]


@pytest.mark.req("E9")
async def test_a_source_and_its_stream_that_both_went_back_are_alarmed_on(make_engine: MakeEngine) -> None:
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a", "b", "c")
    async with transaction(source) as tx:
        rows = await numbering.number_unpublished(tx)
        await numbering.mark_published(tx, rows, [row.id for row in rows], utc_now())
    await handler(sink, source).catch_up()
    await _restored(source, 1)
    await handler(sink, source).catch_up()
    labels = {"source": SOURCE, "stream": EVENTS}
    assert REGISTRY.get_sample_value("resapermis_consumer_ahead_of_source", labels) == 1
    async with transaction(source) as tx:
        assert await recovery.raise_head(tx, EVENTS, 3, utc_now()) == 1
    await handler(sink, source).catch_up()
    assert REGISTRY.get_sample_value("resapermis_consumer_ahead_of_source", labels) == 0, (
        "it goes on after what was handled"
    )


async def test_after_a_restore_the_highest_number_in_the_stream_counts_also_where_an_older_one_came_last(
    make_engine: MakeEngine, make_bus: Any
) -> None:
    source, bus = await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    await publish(source, Outbox(SOURCE), "a", "b", "c")
    async with transaction(source) as tx:
        rows = [row for row in await numbering.number_unpublished(tx) if row.stream == EVENTS]
    # The acknowledgement of 2 was lost, and the bus was away for longer than it knows repeated messages by their id.
    for row in (*rows, replace(rows[1], id=uuid4())):
        await kit_relay._publish(bus.jetstream(), SOURCE, [row])
    async with transaction(source) as tx:
        await numbering.mark_published(tx, rows, [row.id for row in rows], utc_now())
    await _restored(source, 1)
    assert [(one.had, one.now) for one in await recovery.align(source, bus, SOURCE) if one.stream == EVENTS] == [(1, 3)]


@pytest.mark.req("P-01")
async def test_what_lay_unhandled_in_streams_that_are_no_more_is_handled_once(
    make_engine: MakeEngine, make_bus: Any
) -> None:
    """As at the upgrade to accounts (ADR 33): the new streams begin empty, the sources have all that was published."""
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    ids = [f"candidate-{n:04d}" for n in range(2 * numbering.BATCH + 1)]
    await publish(source, Outbox(SOURCE), *ids)
    while await _published_elsewhere(source):
        pass
    async with transaction(source) as tx:
        kept = await replay.replay(tx, SOURCE, pb.ReplayRequest(stream=EVENTS, first_number=1, last_number=3))
    await handler(sink, source).handle([event_of(SOURCE, envelope) for envelope in kept.envelopes])
    async with running(_relay(source, bus), consumer(sink, source).run(bus)):
        await publish(source, Outbox(SOURCE), "after")
        await eventually(lambda: has(sink, [*ids, "after"]), seconds=90)


async def _published_elsewhere(engine: AsyncEngine) -> bool:
    """A round of a relay whose bus is not this one; False when nothing was left."""
    async with transaction(engine) as tx:
        rows = await numbering.number_unpublished(tx)
        await numbering.mark_published(tx, rows, {row.id for row in rows}, utc_now())
    return bool(rows)
