"""Refused access becomes records: at once, counted in a flood, never a statement for each, none lost while the database is away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import OUTCOME_REFUSED, Actor, Record
from resapermis_kit.clock import utc_now
from resapermis_kit.denials import journal as module
from resapermis_kit.denials.denial import ACTION, Denial
from resapermis_kit.denials.journal import DenialJournal
from resapermis_kit.denials.sampling import Bounds
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox, outbox
from resapermis_testing.eventually import eventually
from resapermis_testing.postgres import MakeEngine

pytestmark = pytest.mark.req("S-14")
PERSON = Denial(
    "csrf",
    "route",
    "POST /api/v1/baskets/{basket_id}",
    account_id="account-1",
    session_id="session-1",
    school_id="school-1",
    roles=("school_manager",),
    place="192.0.2.0/24",
)
NOBODY = Denial("no_session", "route", "GET /api/v1/slots", place="198.51.100.0/24")


@dataclass
class World:
    """A journal on a real outbox, a clock that a test moves, and a count of statements."""

    engine: AsyncEngine
    at: datetime = field(default_factory=lambda: datetime(2026, 11, 30, 8, tzinfo=UTC))
    statements: int = 0
    away: bool = False

    def journal(self, bounds: Bounds | None = None) -> DenialJournal:
        box = Outbox("sample")

        async def write(records: Sequence[Record]) -> None:
            self.statements += 1
            if self.away:
                raise Failure(Code.CODE_UNAVAILABLE, "away")
            await box.emit(self.engine, self.at, *records)

        return DenialJournal(write, lambda: self.at, "sample", bounds)

    async def records(self) -> list[Record]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(sa.select(outbox.c.payload).order_by(outbox.c.sequence))
            return [Record.FromString(row.payload) for row in rows]

    async def counts(self) -> list[int]:
        return [int(record.facts["count"]) for record in await self.records()]


@pytest.fixture
async def world(make_engine: MakeEngine) -> World:
    return World(await make_engine("kit_sample"))


@contextlib.asynccontextmanager
async def running(journal: DenialJournal) -> AsyncIterator[None]:
    task = asyncio.create_task(journal.run())
    yield
    task.cancel()
    await asyncio.wait({task})


async def test_a_refusal_is_recorded_with_who_where_and_why(world: World) -> None:
    journal = world.journal()
    before = REGISTRY.get_sample_value("resapermis_access_denied_total", {"action": ACTION, "reason": "csrf"}) or 0
    journal.add(PERSON)
    journal.add(NOBODY)
    await journal.write()
    of_person, of_nobody = await world.records()
    assert (of_person.action, of_person.outcome, of_person.school_id) == ("access.denied", OUTCOME_REFUSED, "school-1")
    assert of_person.actor == Actor(
        kind=Actor.KIND_PERSON,
        id="account-1",
        roles=["school_manager"],
        on_behalf_of="school-1",
        place="192.0.2.0/24",
    )
    assert (of_person.object_kind, of_person.object_id) == ("route", "POST /api/v1/baskets/{basket_id}")
    assert dict(of_person.facts) == {"reason": "csrf", "count": "1", "session": "session-1", "by": "sample"}
    assert of_nobody.actor == Actor(kind=Actor.KIND_SYSTEM, id="sample", place="198.51.100.0/24")
    assert (of_nobody.school_id, of_nobody.facts["reason"]) == ("", "no_session")
    after = REGISTRY.get_sample_value("resapermis_access_denied_total", {"action": ACTION, "reason": "csrf"})
    assert after == before + 1


async def test_ten_thousand_refusals_are_two_records_that_count_them_all(world: World) -> None:
    journal = world.journal()
    async with running(journal):
        for number in range(10_000):
            journal.add(NOBODY)
            if number % 500 == 0:
                await asyncio.sleep(0)  # as requests do that are refused one after the other

        async def opened() -> bool:
            return bool(await world.counts())

        await eventually(opened)
        world.at += timedelta(seconds=61)

        async def whole() -> bool:
            return sum(await world.counts()) == 10_000

        await eventually(whole)
    assert len(await world.records()) == 2
    assert world.statements == 2
    last = (await world.records())[-1]
    assert last.facts["last"] == "2026-11-30T08:00:00.000Z"


async def test_a_flood_from_everywhere_stays_a_few_records_and_statements(world: World) -> None:
    """Ten thousand networks, each once: who is no longer told, how many is."""
    journal = world.journal()
    for number in range(10_000):
        journal.add(Denial("no_session", "route", "GET /api/v1/slots", place=f"2001:db8:{number:x}::/48"))
    await journal.write()
    assert sum(await world.counts()) == 10_000
    assert len(await world.records()) == Bounds().kinds + 1
    assert (world.statements, len(journal)) == (1, Bounds().kinds + 1)
    world.at += timedelta(seconds=61)
    await journal.write()
    assert len(journal) == 0, "and nothing is kept of them"


async def test_what_the_database_does_not_take_waits_and_is_written_when_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    journal, world.away = world.journal(), True
    async with running(journal):
        for _ in range(300):
            journal.add(NOBODY)

        async def tried() -> bool:
            return world.statements > 2

        await eventually(tried)
        world.at += timedelta(hours=1)
        journal.add(NOBODY)
        world.away = False

        async def all_there() -> bool:
            return sum(await world.counts()) == 301

        await eventually(all_there)


async def test_a_process_that_stops_writes_what_it_counted(world: World) -> None:
    journal = world.journal()
    for _ in range(5):
        journal.add(NOBODY)
        await journal.write()
    assert await world.counts() == [1]
    await journal.close()
    assert await world.counts() == [1, 4]


async def test_a_process_that_dies_loses_no_more_than_what_followed_the_first_in_its_window(world: World) -> None:
    """ADR 35: the first of each kind is there, and whatever was written of windows that ended."""
    journal = world.journal()
    journal.add(NOBODY)
    await journal.write()
    journal.add(NOBODY)
    world.at += timedelta(seconds=60)
    await journal.write()
    journal.add(NOBODY)
    await journal.write()
    journal.add(NOBODY)  # the process is killed here
    assert await world.counts() == [1, 1, 1]


async def test_records_of_one_moment_are_written_once_by_who_stops_and_who_runs(world: World) -> None:
    journal = world.journal()
    journal.add(NOBODY)
    await asyncio.gather(journal.write(), journal.close(), journal.write())
    assert await world.counts() == [1]


async def test_the_first_is_recorded_without_waiting_for_its_window(world: World) -> None:
    journal, began = world.journal(), utc_now()
    async with running(journal):
        await asyncio.sleep(0)
        journal.add(NOBODY)

        async def there() -> bool:
            return await world.counts() == [1]

        await eventually(there)
    assert utc_now() - began < timedelta(seconds=10)
