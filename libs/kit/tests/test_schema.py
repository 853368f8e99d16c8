"""What the kit's tables of release 0.1.0 held is there after the migration to 0.2.0."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.clock import utc_now
from resapermis_kit.database.engine import make_engine as new_engine
from resapermis_kit.database.schema import (
    create_kit_tables,
    index_sequence,
    upgrade_to_promises,
    upgrade_to_sequence,
    upgrade_to_streams,
)
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events import numbering
from resapermis_testing.postgres import Postgres

OLD = (
    (
        "INSERT INTO outbox (id, lane, type, payload, traceparent, occurred_at, number, published_at) VALUES "
        "('00000000-0000-0000-0000-000000000001', 'facts', 'T', '', '', now(), 7, now()), "
        "('00000000-0000-0000-0000-000000000002', 'facts', 'T', '', '', now(), NULL, NULL), "
        "('00000000-0000-0000-0000-000000000003', 'facts', 'T', '', '', now(), NULL, NULL), "
        "('00000000-0000-0000-0000-000000000004', 'records', 'R', '', '', now(), NULL, NULL)"
    ),
    "INSERT INTO outbox_head VALUES ('facts', 7, '{00000000-0000-0000-0000-000000000002}'), ('records', 3, '{}')",
    "INSERT INTO inbox VALUES ('basket', 'facts', 41, now()), ('basket', 'records', 5, now())",
    "INSERT INTO dead_letter VALUES ('00000000-0000-0000-0000-000000000009', 'basket', 'T', 'x', 'ValueError', now())",
)
"""Of the lane facts: one published, one promised its number, one waiting."""


async def rows(engine: AsyncEngine, query: str) -> list[tuple[object, ...]]:
    async with transaction(engine) as tx:
        return [tuple(row) for row in await tx.execute(sa.text(query))]


async def test_numbers_promises_positions_and_dead_letters_survive_the_new_words(postgres: Postgres) -> None:
    await postgres.execute("DROP DATABASE IF EXISTS kit_of_0_1_0")
    await postgres.execute("CREATE DATABASE kit_of_0_1_0")
    engine = new_engine(postgres.url("kit_of_0_1_0"))
    try:
        async with transaction(engine) as tx:
            await tx.run_sync(create_kit_tables)
            await tx.run_sync(upgrade_to_promises)
            for statement in OLD:
                await tx.execute(sa.text(statement))
            await tx.run_sync(upgrade_to_streams)
            await tx.run_sync(upgrade_to_sequence)
        async with engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).run_sync(index_sequence)
        assert await rows(engine, "SELECT stream, position FROM inbox ORDER BY 1") == [("events", 41), ("records", 5)]
        assert await rows(engine, "SELECT type, error FROM dead_letter") == [("T", "ValueError")]
        async with transaction(engine) as tx:
            waiting = await numbering.number_unpublished(tx)
        assert [(row.stream, row.number, row.id.int) for row in waiting] == [("records", 4, 4), ("events", 8, 2)]
        async with transaction(engine) as tx:
            await numbering.mark_published(tx, waiting, [row.id for row in waiting], utc_now())
        async with transaction(engine) as tx:
            assert [(row.number, row.id.int) for row in await numbering.number_unpublished(tx)] == [(9, 3)]
    finally:
        await engine.dispose()
        await postgres.execute("DROP DATABASE kit_of_0_1_0 WITH (FORCE)")
