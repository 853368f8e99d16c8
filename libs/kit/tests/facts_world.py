"""A source that says facts and a sink that notes them: what tests of the bus share."""

import asyncio
import contextlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.events.v1 import events_pb2 as pb
from resapermis.mandate.v1.events_pb2 import CandidateCreated
from resapermis_kit import duties
from resapermis_kit import outbox as kit_outbox
from resapermis_kit.clock import utc_now
from resapermis_kit.consumer import Consumer, Fact
from resapermis_kit.db import Tx, transaction
from resapermis_kit.outbox import FACTS, Outbox

SOURCE = "mandate"
FACT = CandidateCreated.DESCRIPTOR.full_name


async def say(engine: AsyncEngine, box: Outbox, *ids: str) -> None:
    async with transaction(engine) as tx:
        await box.add(
            tx, utc_now(), *(CandidateCreated(candidate_id=i) for i in ids), Record(action="candidate.create")
        )


async def seen(engine: AsyncEngine) -> list[str]:
    async with transaction(engine) as tx:
        return list((await tx.execute(sa.text("SELECT id FROM seen ORDER BY number"))).scalars())


async def note(tx: Tx, event: CandidateCreated, fact: Fact) -> None:
    await tx.execute(sa.text("INSERT INTO seen VALUES (:i, :n)"), {"i": event.candidate_id, "n": fact.number})


def consumer(engine: AsyncEngine, source_engine: AsyncEngine, handle: Any = note) -> Consumer:
    async def repeat(_source: str, request: pb.ReplayRequest) -> pb.ReplayResponse:
        async with transaction(source_engine) as tx:
            return await kit_outbox.replay(tx, SOURCE, request)

    return Consumer(engine, "audit", SOURCE, {CandidateCreated: handle}, repeat, utc_now)


@contextlib.asynccontextmanager
async def running(*work: Any) -> Any:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield
    finally:
        await duties.end(tasks)
        await asyncio.gather(*tasks, return_exceptions=True)


async def has(engine: AsyncEngine, ids: list[str]) -> bool:
    """Whether exactly these were handled, in this order."""
    return await seen(engine) == ids


async def forget_published(engine: AsyncEngine) -> None:
    """As if every acknowledgement had been lost: all is published again."""
    async with transaction(engine) as tx:
        await tx.execute(sa.update(kit_outbox.outbox).values(published_at=None))


async def waiting(engine: AsyncEngine) -> int:
    """Rows without an acknowledgement."""
    async with transaction(engine) as tx:
        rows = sa.select(sa.func.count()).where(kit_outbox.outbox.c.published_at.is_(None))
        return int((await tx.execute(rows)).scalar_one())


async def facts_of(engine: AsyncEngine) -> list[Fact]:
    """Number what waits, and return the facts as the bus would bring them."""
    async with transaction(engine) as tx:
        rows = [row for row in await kit_outbox.number_waiting(tx) if row.lane == FACTS]
    return [Fact(str(r.id), SOURCE, r.number, r.type, r.occurred_at, r.payload, "") for r in rows]
