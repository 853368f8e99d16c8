"""The migrations make what the code expects."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from resapermis_auth_gateway import tables
from resapermis_kit.database import idempotency
from resapermis_kit.database.metadata import KIT
from resapermis_kit.events import inbox, numbering, outbox
from resapermis_testing.postgres import MakeEngine


@pytest.mark.req("S-02")
async def test_the_database_is_what_the_tables_say(make_engine: MakeEngine) -> None:
    engine = await make_engine("resapermis_auth_gateway")

    def differences(connection: sa.Connection) -> list[object]:
        assert {idempotency.requests, inbox.inbox, numbering.heads, outbox.outbox} <= set(KIT.tables.values())
        kit = set(KIT.tables)

        def ours(_item: object, name: str | None, kind: str, *_: object) -> bool:
            return not (kind == "table" and name in kit | {"alembic_version"})

        context = MigrationContext.configure(connection, opts={"include_object": ours})
        return list(compare_metadata(context, tables.metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
