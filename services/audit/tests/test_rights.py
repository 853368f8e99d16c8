"""Who has taken over audit's process adds to the journal, and can neither change nor take away what it holds: PostgreSQL refuses.

Seen to fail with the rights that every other service has (`Rights()`), and without the trigger of migration 0007.
"""

import secrets
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.base import Executable

from resapermis.audit.v1.events_pb2 import Record
from resapermis_audit import queries, tables
from resapermis_audit.process import Journal
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.engine import make_engine as new_engine
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events.event import Event
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.roles.handover import Database, ensure
from resapermis_kit.roles.rights import OWNER
from resapermis_testing.databases import as_owner
from resapermis_testing.postgres import MakeEngine, Postgres
from resapermis_vault.keyset import Keyset, new_document

JOURNAL = sorted(tables.metadata.tables)
FORBIDDEN = [
    *(f"{verb} {table}" for table in JOURNAL for verb in ("DELETE FROM", "TRUNCATE")),
    *(
        str(sa.update(table).values({column: column}))
        for table in tables.metadata.tables.values()
        for column in table.columns
        if column is not tables.entries.c.leaf_index
    ),
    "INSERT INTO entry SELECT * FROM entry ON CONFLICT (id) DO UPDATE SET content = NULL, salt = NULL",
    "LOCK TABLE entry IN ACCESS EXCLUSIVE MODE",
    "ALTER TABLE entry DISABLE TRIGGER entry_is_placed",
    "DROP TRIGGER entry_is_placed ON entry",
    "SET session_replication_role = replica",
]


@pytest.fixture
async def engine(make_engine: MakeEngine) -> AsyncEngine:
    """Audit's database with two records, one of them in the tree, under a signed checkpoint."""
    engine = await make_engine("resapermis_audit")
    key = Ed25519PrivateKey.generate()
    journal = Journal(
        engine, Keyset.parse(new_document()), key, "resapermis/journal", Outbox("audit"), utc_now, secrets.token_bytes
    )
    for integrated in (True, False):
        record = Record(id=str(new_id()), school_id="school-1", action="basket.hold", source="basket")
        record.occurred_at.FromDatetime(utc_now())
        async with transaction(engine) as tx:
            await journal.on_records(tx, [(record, Event(record.id, "basket", 1, "", utc_now(), b"", ""))])
            await queries.signing_key(tx, "resapermis/journal", b"sealed")
        if integrated:
            assert await journal.integrate() == 1
    return engine


async def _all(engine: AsyncEngine) -> dict[str, list[Any]]:
    async with transaction(engine) as tx:
        return {name: list(await tx.execute(sa.select(table))) for name, table in tables.metadata.tables.items()}


async def _sqlstate(engine: AsyncEngine, statement: Executable) -> str:
    with pytest.raises(sa.exc.DBAPIError) as refused:
        async with transaction(engine) as tx:
            await tx.execute(statement)
    return str(getattr(refused.value.orig, "sqlstate", ""))


@pytest.mark.req("T-03")
async def test_nothing_of_the_journal_is_changed_or_taken_away_by_the_role_that_serves(engine: AsyncEngine) -> None:
    before = await _all(engine)
    assert all(before.values()), "each table holds something"
    assert {statement: await _sqlstate(engine, sa.text(statement)) for statement in FORBIDDEN} == dict.fromkeys(
        FORBIDDEN, "42501"
    )
    assert await _all(engine) == before


@pytest.mark.req("T-03")
async def test_the_administrators_step_done_again_opens_the_journal_to_nobody(
    engine: AsyncEngine, postgres: Postgres
) -> None:
    name = str(engine.url.database)
    serves = str(engine.url.username)
    further = f"{serves}_reader"
    database = Database(name, f"{serves}{OWNER}", (serves, further))
    reader = new_engine(postgres.url(name, further), pool=1)
    try:
        assert await ensure(postgres.url("postgres"), [database], {}) == [name]
        change = sa.text("UPDATE entry SET content = NULL")
        assert [await _sqlstate(one, change) for one in (engine, reader)] == ["42501", "42501"]
    finally:
        await reader.dispose()
        async with as_owner(engine) as tx:
            await tx.execute(sa.text(f"REVOKE ALL ON SCHEMA public FROM {further}"))
            await tx.execute(sa.text(f'REVOKE ALL ON DATABASE "{name}" FROM {further}'))
        await postgres.execute(f"DROP ROLE {further}")


@pytest.mark.req("T-03")
@pytest.mark.parametrize("place", [None, 7, tables.entries.c.leaf_index], ids=["none", "another", "the same"])
async def test_a_records_place_in_the_tree_is_given_once(engine: AsyncEngine, place: Any) -> None:
    placed = sa.update(tables.entries).where(tables.entries.c.leaf_index == 0)
    assert await _sqlstate(engine, placed.values(leaf_index=place)) == "23000"
    async with transaction(engine) as tx:
        await tx.execute(sa.text("UPDATE entry SET leaf_index = 1 WHERE leaf_index IS NULL"))
