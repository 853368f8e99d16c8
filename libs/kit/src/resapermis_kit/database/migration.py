"""Migrations of a service's database by Alembic: one transaction each, with short lock and statement timeouts."""

import asyncio
from collections.abc import Sequence
from importlib.resources import files

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from resapermis_kit.database.engine import async_url
from resapermis_kit.database.transaction import transaction


def _config(package: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(package) / "migrations"))
    return config


def migrate(package: str, url: str) -> None:
    """Bring the database of `package` (e.g. "resapermis_basket") to its newest migration."""
    config = _config(package)
    config.attributes["url"] = url
    command.upgrade(config, "head")


async def require_head(engine: AsyncEngine, package: str) -> None:
    """Refuse to start on a database that is not at the newest migration (RuntimeError)."""
    head = ScriptDirectory.from_config(_config(package)).get_current_head()
    async with transaction(engine) as tx:
        current = await tx.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())
    if current != head:
        msg = f"database is at {current}, code wants {head}: run `python -m {package} migrate`"
        raise RuntimeError(msg)


def run_migrations(metadata: Sequence[sa.MetaData]) -> None:
    """Body of each service's migrations/env.py: short lock and statement timeouts, one transaction a migration."""

    def run(connection: sa.Connection) -> None:
        context.configure(connection=connection, target_metadata=list(metadata), transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()

    async def main() -> None:
        engine = create_async_engine(
            async_url(context.config.attributes["url"]),
            poolclass=NullPool,
            connect_args={"server_settings": {"lock_timeout": "4000", "statement_timeout": "5000"}},
        )
        async with engine.connect() as connection:
            await connection.run_sync(run)
        await engine.dispose()

    connection = context.config.attributes.get("connection")
    if connection is not None:  # pytest-alembic hands its own
        run(connection)
    else:
        asyncio.run(main())
