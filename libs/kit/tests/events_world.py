"""A source that publishes events and a sink that notes them: what tests of the bus share."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.events.v1 import events_pb2 as pb
from resapermis.mandate.v1.events_pb2 import CandidateCreated
from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events import numbering, replay
from resapermis_kit.events import outbox as kit_outbox
from resapermis_kit.events.consumer import Consumer
from resapermis_kit.events.event import Event
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.events.stream_handler import StreamHandler
from resapermis_kit.events.streams import EVENTS
from resapermis_kit.process import leader
from resapermis_testing.eventually import eventually
from resapermis_testing.nats import Nats

SOURCE = "mandate"
EVENT_TYPE = CandidateCreated.DESCRIPTOR.full_name


async def publish(engine: AsyncEngine, box: Outbox, *ids: str) -> None:
    async with transaction(engine) as tx:
        await box.add(
            tx, utc_now(), *(CandidateCreated(candidate_id=i) for i in ids), Record(action="candidate.create")
        )


async def seen(engine: AsyncEngine) -> list[str]:
    async with transaction(engine) as tx:
        return list((await tx.execute(sa.text("SELECT id FROM seen ORDER BY number"))).scalars())


async def note(tx: Tx, created: CandidateCreated, event: Event) -> None:
    await tx.execute(sa.text("INSERT INTO seen VALUES (:i, :n)"), {"i": created.candidate_id, "n": event.number})


def handler(engine: AsyncEngine, source_engine: AsyncEngine, handle: Any = note) -> StreamHandler:
    async def repeat(_source: str, request: pb.ReplayRequest) -> pb.ReplayResponse:
        async with transaction(source_engine) as tx:
            return await replay.replay(tx, SOURCE, request)

    return StreamHandler(engine, SOURCE, {CandidateCreated: handle}, repeat, utc_now)


def consumer(engine: AsyncEngine, source_engine: AsyncEngine) -> Consumer:
    return Consumer("audit", handler(engine, source_engine))


async def stopped_and_started(server: Nats, bus: Client, meanwhile: Callable[[], object]) -> None:
    """The bus is stopped, something happens to it, it is started again, and its client is back."""
    before = bus.stats["reconnects"]
    server.stop()
    meanwhile()
    server.start()

    async def is_back() -> bool:
        return bus.is_connected and bus.stats["reconnects"] > before

    await eventually(is_back, seconds=30)


@contextlib.asynccontextmanager
async def running(*work: Any) -> Any:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield
    finally:
        await leader.cancel_all(tasks)
        await asyncio.gather(*tasks, return_exceptions=True)


async def has(engine: AsyncEngine, ids: list[str]) -> bool:
    """Whether exactly these were handled, in this order."""
    return await seen(engine) == ids


async def reached(engine: AsyncEngine, number: int) -> bool:
    """Whether the event of this number is behind the sink, whatever became of it."""
    async with transaction(engine) as tx:
        position = sa.text("SELECT position FROM inbox WHERE source = :source AND stream = :stream")
        return ((await tx.execute(position, {"source": SOURCE, "stream": EVENTS})).scalar() or 0) >= number


async def forget_published(engine: AsyncEngine) -> None:
    """As if every acknowledgement had been lost: all is published again."""
    async with transaction(engine) as tx:
        await tx.execute(sa.update(kit_outbox.outbox).values(published_at=None))


async def waiting(engine: AsyncEngine) -> int:
    """Rows without an acknowledgement."""
    async with transaction(engine) as tx:
        rows = sa.select(sa.func.count()).where(kit_outbox.outbox.c.published_at.is_(None))
        return int((await tx.execute(rows)).scalar_one())


async def events_of(engine: AsyncEngine) -> list[Event]:
    """Number what waits, and return the events as the bus would bring them."""
    async with transaction(engine) as tx:
        rows = [row for row in await numbering.number_unpublished(tx) if row.stream == EVENTS]
    return [Event(str(r.id), SOURCE, r.number, r.type, r.occurred_at, r.payload, "") for r in rows]
