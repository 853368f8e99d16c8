"""Events leave with their commit, arrive once, and are repeated when the bus loses them."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
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
    reached,
    running,
    seen,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2 as pb
from resapermis.mandate.v1.events_pb2 import CandidateCreated
from resapermis_kit.clock import NewId, utc_now
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events import consumer as kit_consumer
from resapermis_kit.events import inbox, numbering, replay, stream_handler, wire
from resapermis_kit.events import outbox as kit_outbox
from resapermis_kit.events import relay as kit_relay
from resapermis_kit.events.event import BatchHandler, Event
from resapermis_kit.events.numbering import NumberedRow
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.events.streams import EVENTS, RECORDS, stream_name, subject_of
from resapermis_kit.process import invariants
from resapermis_testing.eventually import eventually
from resapermis_testing.nats import Nats, make_streams
from resapermis_testing.postgres import MakeEngine


@pytest.mark.req("P-01")
async def test_an_event_goes_from_commit_to_handler_once(make_engine: MakeEngine, make_bus: Any) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    box = Outbox(SOURCE)
    async with running(kit_relay.relay(source, bus, box, utc_now), consumer(sink, source).run(bus)):
        await publish(source, box, "a", "b")
        await publish(source, box, "c")
        await eventually(lambda: reached(sink, 3))
        assert await seen(sink) == ["a", "b", "c"]
        await forget_published(source)  # an acknowledgement that got lost: everything is published again
        await publish(source, box, "d")
        await eventually(lambda: reached(sink, 4))
        assert await seen(sink) == ["a", "b", "c", "d"]


async def test_a_rolled_back_transaction_publishes_nothing(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    with pytest.raises(RuntimeError, match="undone"):
        async with transaction(engine) as tx:
            await Outbox(SOURCE).add(tx, utc_now(), CandidateCreated(candidate_id="x"))
            message = "undone"
            raise RuntimeError(message)
    async with transaction(engine) as tx:
        assert await numbering.number_unpublished(tx) == []


async def test_numbers_are_gapless_by_stream(make_engine: MakeEngine) -> None:
    engine, box = await make_engine("kit_sample"), Outbox(SOURCE)
    await asyncio.gather(*(publish(engine, box, f"{n}") for n in range(20)))
    async with transaction(engine) as tx:
        rows = await numbering.number_unpublished(tx)
    for stream in (EVENTS, RECORDS):
        assert sorted(row.number for row in rows if row.stream == stream) == list(range(1, 21))


@pytest.mark.req("E6")
async def test_what_the_bus_lost_is_asked_from_the_source(make_engine: MakeEngine) -> None:
    source, sink, box = await make_engine("kit_sample"), await make_engine("kit_sample"), Outbox(SOURCE)
    await publish(source, box, "a", "b", "c")
    async with transaction(source) as tx:
        rows = [row for row in await numbering.number_unpublished(tx) if row.stream == EVENTS]
    last = rows[-1]
    event = Event(str(last.id), SOURCE, last.number, last.type, last.occurred_at, last.payload, "")
    await handler(sink, source).handle([event])
    await handler(sink, source).handle([event])  # and a duplicate changes nothing
    assert await seen(sink) == ["a", "b", "c"]


@pytest.mark.req("E5")
async def test_a_poisoned_event_is_set_aside_and_the_rest_flows(make_engine: MakeEngine, monkeypatch: Any) -> None:
    monkeypatch.setattr(stream_handler, "FIRST_PAUSE_SECONDS", 0.001)
    source, sink, box = await make_engine("kit_sample"), await make_engine("kit_sample"), Outbox(SOURCE)
    await publish(source, box, "a", "poison", "c")

    async def picky(tx: Tx, created: CandidateCreated, event: Event) -> None:
        if created.candidate_id == "poison":
            raise ValueError
        await note(tx, created, event)

    async with transaction(source) as tx:
        rows = [row for row in await numbering.number_unpublished(tx) if row.stream == EVENTS]
    events = [Event(str(r.id), SOURCE, r.number, r.type, r.occurred_at, r.payload, "") for r in rows]
    await handler(sink, source, picky).handle(events)
    assert await seen(sink) == ["a", "c"]
    async with transaction(sink) as tx:
        assert (await tx.execute(sa.select(sa.func.count()).select_from(inbox.dead_letters))).scalar() == 1


async def _facts(engine: AsyncEngine) -> list[Event]:
    async with transaction(engine) as tx:
        rows = [row for row in await numbering.number_unpublished(tx) if row.stream == EVENTS]
    return [Event(str(r.id), SOURCE, r.number, r.type, r.occurred_at, r.payload, "") for r in rows]


async def test_a_batch_that_fails_for_one_event_sets_only_that_one_aside(
    make_engine: MakeEngine, monkeypatch: Any
) -> None:
    monkeypatch.setattr(stream_handler, "FIRST_PAUSE_SECONDS", 0.001)
    source, sink, box = await make_engine("kit_sample"), await make_engine("kit_sample"), Outbox(SOURCE)
    await publish(source, box, "a", "b", "poison", "d")
    sizes = []

    async def several(tx: Tx, batch: Any) -> None:
        sizes.append(len(batch))
        for created, event in batch:
            await note(tx, created, event)
            if created.candidate_id == "poison":
                raise ValueError

    events = await _facts(source)
    await handler(sink, source, BatchHandler(several)).handle(events)
    assert await seen(sink) == ["a", "b", "d"]
    assert sizes == [4] * stream_handler.ATTEMPTS + [1, 1, 1, 1]
    await handler(sink, source, BatchHandler(several)).handle(events)  # all of them again: nothing is new
    assert await seen(sink) == ["a", "b", "d"]


async def test_a_batch_with_a_gap_is_completed_before_it_is_handled(make_engine: MakeEngine) -> None:
    source, sink, box = await make_engine("kit_sample"), await make_engine("kit_sample"), Outbox(SOURCE)
    await publish(source, box, "a", "b", "c", "d", "e")
    events = await _facts(source)
    batches = []

    async def several(tx: Tx, batch: Any) -> None:
        batches.append([created.candidate_id for created, _ in batch])

    sink_handler = handler(sink, source, BatchHandler(several))
    await sink_handler.handle([events[1], events[1], events[3]])
    await sink_handler.handle([events[0], events[4]])
    assert batches == [["a", "b", "c", "d"], ["e"]]


async def test_a_number_once_given_stays_with_its_row(make_engine: MakeEngine) -> None:
    """A relay that dies between its numbering and the mark: the next one publishes the same rows as the same numbers."""
    engine, box = await make_engine("kit_sample"), Outbox(SOURCE)
    await publish(engine, box, "a", "b")
    first = await _waiting(engine)
    await publish(engine, box, "c")
    assert await _waiting(engine) == first
    await _published(engine, first, {row.id for row in first})
    assert [row.number for row in await _waiting(engine)] == [3]


async def test_a_promise_of_which_a_part_is_published_is_kept_with_the_rest(make_engine: MakeEngine) -> None:
    engine, box = await make_engine("kit_sample"), Outbox(SOURCE)
    await publish(engine, box, "a", "b", "c")
    first = await _waiting(engine)
    await _published(engine, first, {first[1].id})
    await publish(engine, box, "d")
    again = await _waiting(engine)
    assert [(row.id, row.number) for row in again] == [(first[0].id, 1), (first[2].id, 3)]
    assert await invariants.check(engine, invariants.KIT) == dict.fromkeys(invariants.KIT, 0)
    await _published(engine, again, {row.id for row in again})
    assert await _numbers(engine) == {first[0].id: 1, first[1].id: 2, first[2].id: 3}
    assert [row.number for row in await _waiting(engine)] == [4]
    assert await invariants.check(engine, invariants.KIT) == dict.fromkeys(invariants.KIT, 0)


async def test_of_two_relays_the_slower_one_keeps_no_promise_that_it_did_not_publish(make_engine: MakeEngine) -> None:
    """The lock went over meanwhile: both published the same rows, and the faster one has been promised new numbers."""
    engine, box = await make_engine("kit_sample"), Outbox(SOURCE)
    await publish(engine, box, "a", "b")
    slower = await _waiting(engine)
    await _published(engine, slower, {row.id for row in slower})
    await publish(engine, box, "c")
    fresh = await _waiting(engine)
    await _published(engine, slower, {row.id for row in slower})
    assert await _waiting(engine) == fresh
    assert await _numbers(engine) == {row.id: row.number for row in slower}


async def test_rows_that_a_relay_of_the_version_before_numbered_keep_their_numbers(make_engine: MakeEngine) -> None:
    engine, box = await make_engine("kit_sample"), Outbox(SOURCE)
    await publish(engine, box, "a")
    async with transaction(engine) as tx:
        await tx.execute(sa.update(kit_outbox.outbox).values(number=1))
        await tx.execute(sa.insert(numbering.heads).values(stream=EVENTS, last_number=1))
    await publish(engine, box, "b")
    rows = await _waiting(engine)
    assert [(row.number, row.after) for row in rows] == [(1, None), (2, 1)]
    await _published(engine, rows, {row.id for row in rows})
    assert await _waiting(engine) == []


async def test_what_is_promised_is_repeated_too(make_engine: MakeEngine) -> None:
    """Between publishing and the mark the bus may bring a event whose neighbour it lost."""
    engine, box = await make_engine("kit_sample"), Outbox(SOURCE)
    await publish(engine, box, "a", "b")
    rows = await _waiting(engine)
    await _published(engine, rows, {row.id for row in rows})
    await publish(engine, box, "c", "d")
    await _waiting(engine)
    async with transaction(engine) as tx:
        answer = await replay.replay(tx, SOURCE, pb.ReplayRequest(stream=EVENTS, first_number=2, last_number=3))
    assert [envelope.number for envelope in answer.envelopes] == [2, 3]


async def test_old_rows_are_forgotten_from_the_lowest_number_on(make_engine: MakeEngine) -> None:
    engine, box = await make_engine("kit_sample"), Outbox(SOURCE)
    await publish(engine, box, "a", "b", "c", "d")
    rows = await _waiting(engine)
    await _published(engine, rows, {row.id for row in rows})
    now, table = utc_now(), kit_outbox.outbox
    async with transaction(engine) as tx:  # "c" was published again lately
        old = sa.update(table).where(table.c.stream == EVENTS, table.c.number != 3)
        await tx.execute(old.values(published_at=now - replay.KEPT - timedelta(seconds=1)))
        assert await replay.forget_old(tx, now) == 2
    assert sorted((await _numbers(engine)).values()) == [3, 4]


async def _waiting(engine: AsyncEngine) -> list[NumberedRow]:
    async with transaction(engine) as tx:
        return [row for row in await numbering.number_unpublished(tx) if row.stream == EVENTS]


async def _published(engine: AsyncEngine, rows: list[NumberedRow], ids: set[UUID]) -> None:
    async with transaction(engine) as tx:
        await numbering.mark_published(tx, rows, ids, utc_now())


async def _numbers(engine: AsyncEngine) -> dict[UUID, int]:
    """Of events."""
    table = kit_outbox.outbox.c
    async with transaction(engine) as tx:
        rows = await tx.execute(
            sa.select(table.id, table.number).where(table.stream == EVENTS, table.number.is_not(None))
        )
        return {row.id: row.number for row in rows}


async def test_events_of_one_type_travel_as_a_batch_and_are_handled_one_by_one(
    make_engine: MakeEngine, make_bus: Any
) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    ids = [f"{n:03d}" for n in range(wire.LARGEST_BATCH + 2)]
    await publish(source, Outbox(SOURCE), *ids)
    received: list[str] = []

    async def receive(message: Any) -> None:
        found = wire.payloads(message.headers, message.data)
        received.extend(CandidateCreated.FromString(payload).candidate_id for payload in found)

    await bus.subscribe(EVENT_TYPE, cb=receive)
    await bus.flush()
    async with running(consumer(sink, source).run(bus)):
        await kit_relay.relay_round(source, bus.jetstream(), SOURCE, utc_now)
        await eventually(lambda: has(sink, ids))
    stream = await bus.jetstream().stream_info(stream_name(EVENTS, SOURCE))
    assert stream.state.messages == 2
    assert received == ids


@pytest.mark.req("E8")
async def test_a_message_of_several_events_that_did_not_keep_is_none_and_its_source_repeats_them(
    make_engine: MakeEngine, make_bus: Any
) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    await publish(source, Outbox(SOURCE), "a", "b")
    rows = [row for row in await _waiting(source) if row.stream == EVENTS]
    headers, payload = wire._batched(SOURCE, rows)
    with pytest.raises(ValueError, match="batch"):
        wire.payloads(headers, b"\xff" + payload)
    await bus.jetstream().publish(subject_of(SOURCE, EVENT_TYPE), b"\xff" + payload, headers=headers)
    await _published(source, rows, {row.id for row in rows})
    await publish(source, Outbox(SOURCE), "c")
    async with running(consumer(sink, source).run(bus)):
        await kit_relay.relay_round(source, bus.jetstream(), SOURCE, utc_now)
        await eventually(lambda: has(sink, ["a", "b", "c"]))


def test_a_batch_follows_each_other_in_a_stream_and_is_of_one_type_and_not_large() -> None:
    def row(number: int, stream: str = EVENTS, kind: str = "A", size: int = 1) -> NumberedRow:
        return NumberedRow(UUID(int=number), stream, kind, b"x" * size, "", utc_now(), number)

    rows = [row(1), row(2), row(4), row(1, RECORDS), row(5, kind="B"), row(6), row(7, size=wire.LARGEST_BATCH_BYTES)]
    batches = [[(one.stream, one.number) for one in batch] for batch in wire.in_batches(rows)]
    assert batches == [
        [(EVENTS, 1), (EVENTS, 2)],
        [(EVENTS, 4)],
        [(EVENTS, 5)],
        [(EVENTS, 6)],
        [(EVENTS, 7)],
        [(RECORDS, 1)],
    ]


def test_a_batch_as_release_0_1_0_published_it_is_read_event_by_event() -> None:
    batch = pb.EventBatch()
    for number, payload in ((7, b"a"), (8, b"b")):
        envelope = batch.envelopes.add(id=f"id-{number}", source="basket", number=number, type="t", payload=payload)
        envelope.stream = "records"
        envelope.occurred_at.FromDatetime(utc_now())
    headers = {"Nats-Msg-Id": "id-7+2", "ce-source": "basket", "ce-type": "t", "resapermis-number": "8"}
    headers["resapermis-facts"] = "2"

    assert [
        (event.number, event.payload) for event in wire.events_of("basket", headers, batch.SerializeToString())
    ] == [
        (7, b"a"),
        (8, b"b"),
    ]
    assert wire.payloads(headers, batch.SerializeToString()) == [b"a", b"b"]


@pytest.mark.req("E10")
async def test_events_wait_while_nats_is_stopped(
    make_engine: MakeEngine, make_bus: Any, nats_server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit_consumer, "FETCH_SECONDS", 0.5)
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    box = Outbox(SOURCE)
    async with running(kit_relay.relay(source, bus, box, utc_now), consumer(sink, source).run(bus)):
        nats_server.stop()
        await publish(source, box, "a")
        nats_server.start()
        await eventually(lambda: has(sink, ["a"]), seconds=30)


async def _with_one_poisoned_among_the_lost(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], list[bytes]]:
    """Of a..f the bus brought a and b; it loses c, d, e and brings f. d cannot be handled. What is seen, what is set aside."""
    monkeypatch.setattr(stream_handler, "FIRST_PAUSE_SECONDS", 0.001)
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a", "b", "c", "d", "e", "f")
    events = await events_of(source)

    async def picky(tx: Tx, created: CandidateCreated, event: Event) -> None:
        if created.candidate_id == "d":
            raise ValueError
        await note(tx, created, event)

    await handler(sink, source, picky).handle(events[:2])
    await handler(sink, source, picky).handle(events[5:])
    async with transaction(sink) as tx:
        letters = list((await tx.execute(sa.select(inbox.dead_letters.c.payload))).scalars())
    return await seen(sink), letters


async def test_of_events_that_the_bus_lost_only_the_poisoned_one_is_not_handled(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled, _ = await _with_one_poisoned_among_the_lost(make_engine, monkeypatch)
    assert handled == ["a", "b", "c", "e", "f"]


async def test_of_events_that_the_bus_lost_the_poisoned_one_is_set_aside(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, letters = await _with_one_poisoned_among_the_lost(make_engine, monkeypatch)
    assert [CandidateCreated.FromString(letter).candidate_id for letter in letters] == ["d"]


async def test_what_one_replica_publishes_after_another_has_the_later_number(make_engine: MakeEngine) -> None:
    source = await make_engine("kit_sample")
    seconds = {"ahead": 30.0, "right": 0.0}

    def ids_by(replica: str) -> NewId:
        # UUIDv7: milliseconds of this replica's clock before anything random
        return lambda: UUID(int=int((1_800_000_000 + seconds[replica]) * 1000) << 80 | 0x7 << 76 | 0x2 << 62)

    await publish(source, Outbox(SOURCE, new_event_id=_counted(ids_by("ahead"))), "held")
    await publish(source, Outbox(SOURCE, new_event_id=_counted(ids_by("right"))), "released")  # which saw the hold
    numbered = [CandidateCreated.FromString(event.payload).candidate_id for event in await events_of(source)]
    assert numbered == ["held", "released"]


def _counted(new: NewId) -> NewId:
    """Ids of one millisecond differ in their last bits."""
    numbers = itertools.count()
    return lambda: UUID(int=new().int + next(numbers))
