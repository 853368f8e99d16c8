"""Facts leave with their commit, arrive once, and are repeated when the bus loses them."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from facts_world import FACT, SOURCE, consumer, forget_published, has, note, running, say, seen
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.mandate.v1.events_pb2 import CandidateCreated
from resapermis_kit import bus as kit_bus
from resapermis_kit import outbox as kit_outbox
from resapermis_kit.bus import Fact, Together
from resapermis_kit.clock import utc_now
from resapermis_kit.db import Tx, transaction
from resapermis_kit.outbox import FACTS, RECORDS, Outbox
from resapermis_kit.testing import MakeEngine, Nats, eventually


@pytest.mark.req("P-01")
async def test_a_fact_goes_from_commit_to_handler_once(make_engine: MakeEngine, make_bus: Any) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await kit_bus.ensure_streams(bus, SOURCE, [FACT], 1)
    box = Outbox(SOURCE)
    async with running(kit_bus.relay(source, bus, box, utc_now), consumer(sink, source).run(bus)):
        await say(source, box, "a", "b")
        await say(source, box, "c")
        await eventually(lambda: has(sink, ["a", "b", "c"]))
        await forget_published(source)  # an acknowledgement that got lost: everything is published again
        await say(source, box, "d")
        await eventually(lambda: has(sink, ["a", "b", "c", "d"]))


async def test_a_rolled_back_transaction_says_nothing(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    with pytest.raises(RuntimeError, match="undone"):
        async with transaction(engine) as tx:
            await Outbox(SOURCE).add(tx, utc_now(), CandidateCreated(candidate_id="x"))
            message = "undone"
            raise RuntimeError(message)
    async with transaction(engine) as tx:
        assert await kit_outbox.number_waiting(tx) == []


async def test_numbers_are_gapless_by_lane(make_engine: MakeEngine) -> None:
    engine, box = await make_engine("kit_sample"), Outbox(SOURCE)
    await asyncio.gather(*(say(engine, box, f"{n}") for n in range(20)))
    async with transaction(engine) as tx:
        rows = await kit_outbox.number_waiting(tx)
    for lane in (FACTS, RECORDS):
        assert sorted(row.number for row in rows if row.lane == lane) == list(range(1, 21))


@pytest.mark.req("E6")
async def test_what_the_bus_lost_is_asked_from_the_source(make_engine: MakeEngine) -> None:
    source, sink, box = await make_engine("kit_sample"), await make_engine("kit_sample"), Outbox(SOURCE)
    await say(source, box, "a", "b", "c")
    async with transaction(source) as tx:
        rows = [row for row in await kit_outbox.number_waiting(tx) if row.lane == FACTS]
    last = rows[-1]
    fact = Fact(str(last.id), SOURCE, last.number, last.type, last.occurred_at, last.payload, "")
    await consumer(sink, source).handle([fact])
    await consumer(sink, source).handle([fact])  # and a duplicate changes nothing
    assert await seen(sink) == ["a", "b", "c"]


@pytest.mark.req("E5")
async def test_a_poisoned_fact_is_set_aside_and_the_rest_flows(make_engine: MakeEngine, monkeypatch: Any) -> None:
    monkeypatch.setattr(kit_bus, "FIRST_PAUSE_SECONDS", 0.001)
    source, sink, box = await make_engine("kit_sample"), await make_engine("kit_sample"), Outbox(SOURCE)
    await say(source, box, "a", "poison", "c")

    async def picky(tx: Tx, event: CandidateCreated, fact: Fact) -> None:
        if event.candidate_id == "poison":
            raise ValueError
        await note(tx, event, fact)

    async with transaction(source) as tx:
        rows = [row for row in await kit_outbox.number_waiting(tx) if row.lane == FACTS]
    facts = [Fact(str(r.id), SOURCE, r.number, r.type, r.occurred_at, r.payload, "") for r in rows]
    await consumer(sink, source, picky).handle(facts)
    assert await seen(sink) == ["a", "c"]
    async with transaction(sink) as tx:
        assert (await tx.execute(sa.select(sa.func.count()).select_from(kit_bus.dead_letters))).scalar() == 1


async def _facts(engine: AsyncEngine) -> list[Fact]:
    async with transaction(engine) as tx:
        rows = [row for row in await kit_outbox.number_waiting(tx) if row.lane == FACTS]
    return [Fact(str(r.id), SOURCE, r.number, r.type, r.occurred_at, r.payload, "") for r in rows]


async def test_a_batch_that_fails_for_one_fact_sets_only_that_one_aside(
    make_engine: MakeEngine, monkeypatch: Any
) -> None:
    monkeypatch.setattr(kit_bus, "FIRST_PAUSE_SECONDS", 0.001)
    source, sink, box = await make_engine("kit_sample"), await make_engine("kit_sample"), Outbox(SOURCE)
    await say(source, box, "a", "b", "poison", "d")
    sizes = []

    async def several(tx: Tx, batch: Any) -> None:
        sizes.append(len(batch))
        for event, fact in batch:
            await note(tx, event, fact)
            if event.candidate_id == "poison":
                raise ValueError

    facts = await _facts(source)
    await consumer(sink, source, Together(several)).handle(facts)
    assert await seen(sink) == ["a", "b", "d"]
    assert sizes == [4] * kit_bus.ATTEMPTS + [1, 1, 1, 1]
    await consumer(sink, source, Together(several)).handle(facts)  # all of them again: nothing is new
    assert await seen(sink) == ["a", "b", "d"]


async def test_a_batch_with_a_gap_is_completed_before_it_is_handled(make_engine: MakeEngine) -> None:
    source, sink, box = await make_engine("kit_sample"), await make_engine("kit_sample"), Outbox(SOURCE)
    await say(source, box, "a", "b", "c", "d", "e")
    facts = await _facts(source)
    batches = []

    async def several(tx: Tx, batch: Any) -> None:
        batches.append([event.candidate_id for event, _ in batch])

    sink_consumer = consumer(sink, source, Together(several))
    await sink_consumer.handle([facts[1], facts[1], facts[3]])
    await sink_consumer.handle([facts[0], facts[4]])
    assert batches == [["a", "b", "c", "d"], ["e"]]


async def test_a_number_once_given_stays_with_its_row(make_engine: MakeEngine) -> None:
    """A relay that dies between its numbering and the mark: the next one publishes the same rows as the same numbers."""
    engine, box = await make_engine("kit_sample"), Outbox(SOURCE)
    await say(engine, box, "a", "b")
    first = await _facts(engine)
    await say(engine, box, "c")
    again = await _facts(engine)
    assert again[:2] == first
    assert [fact.number for fact in again] == [1, 2, 3]
    async with transaction(engine) as tx:
        await kit_outbox.mark_published(tx, [UUID(fact.id) for fact in first], utc_now())
    assert [fact.number for fact in await _facts(engine)] == [3]


@pytest.mark.req("E10")
async def test_facts_wait_while_nats_is_stopped(make_engine: MakeEngine, make_bus: Any, nats_server: Nats) -> None:
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await kit_bus.ensure_streams(bus, SOURCE, [FACT], 1)
    box = Outbox(SOURCE)
    async with running(kit_bus.relay(source, bus, box, utc_now), consumer(sink, source).run(bus)):
        nats_server.stop()
        await say(source, box, "a")
        nats_server.start()
        await eventually(lambda: has(sink, ["a"]), seconds=30)
