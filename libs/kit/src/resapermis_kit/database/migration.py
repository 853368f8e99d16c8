"""Migrations of a service's database by Alembic, as its owner: one transaction each, with short lock and statement timeouts.

After them the owner states what the roles that serve may do with what there is now.
"""

import asyncio
from collections.abc import Sequence
from importlib.resources import files

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from sqlalchemy.pool import NullPool

from resapermis_kit.database.address import open_engine
from resapermis_kit.roles.rights import (
    EVERY_ROW,
    FUNCTIONS,
    GRANTEES,
    NOT_OWNED,
    ROLES,
    TABLES,
    ByRole,
    WrongRole,
    present,
    serving_roles,
    statements,
)


def _config(package: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(package) / "migrations"))
    return config


def migrate(package: str, url: str) -> None:
    """Bring the database of `package` (e.g. "resapermis_basket") to its newest migration. `url` is its owner's, else WrongRole."""
    config = _config(package)
    config.attributes["url"] = url
    command.upgrade(config, "head")


def run_migrations(metadata: Sequence[sa.MetaData], rights: ByRole = EVERY_ROW) -> None:
    """Body of each service's migrations/env.py: short lock and statement timeouts, one transaction a migration, then the rights."""

    def run(connection: sa.Connection) -> None:
        require_owner(connection)
        connection.commit()  # Alembic commits no transaction but its own
        context.configure(connection=connection, target_metadata=list(metadata), transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        state_rights(connection, rights)
        connection.commit()

    async def main() -> None:
        engine = open_engine(
            context.config.attributes["url"],
            poolclass=NullPool,
            connect_args={"server_settings": {"lock_timeout": "4000", "statement_timeout": "5000"}},
        )
        async with engine.connect() as connection:
            await connection.run_sync(run)
        await engine.dispose()

    asyncio.run(main())


def require_owner(connection: sa.Connection) -> str:
    """The name of the role that migrates; WrongRole where it is none that owns."""
    owner = str(connection.execute(sa.text("SELECT current_user::text")).scalar_one())
    serving_roles(owner, EVERY_ROW)
    return owner


def state_rights(connection: sa.Connection, rights: ByRole) -> None:
    """State the rights of every role that serves, and that no other has any to rows, in the transaction that is open.

    WrongRole where the role that migrates does not own what it states rights on: PostgreSQL only warns then. LookupError for a
    right on a table that there is not.
    """
    # Two that migrate at once would write the same rows of the catalog, and one would fail.
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('rights', 0))"))
    owner = require_owner(connection)
    roles = present(serving_roles(owner, rights), set(connection.execute(sa.text(ROLES)).scalars()))
    database = str(connection.execute(sa.text("SELECT current_database()::text")).scalar_one())
    tables = set(connection.execute(sa.text(TABLES)).scalars())
    functions = set(connection.execute(sa.text(FUNCTIONS)).scalars())
    strangers = set(connection.execute(sa.text(GRANTEES)).scalars())
    if unknown := {name for one in roles.values() for name in one.tables} - tables:
        raise LookupError(f"rights are stated on tables that are not there: {', '.join(sorted(unknown))}")
    for statement in statements(database, roles, strangers, tables, functions):
        connection.exec_driver_sql(statement)
    foreign = list(connection.execute(sa.text(NOT_OWNED)).scalars())
    if foreign:
        raise WrongRole(f"{owner} does not own {', '.join(foreign)}: hand the database over (docs/databases.md)")
