"""Migrations of a service's database by Alembic: one transaction each, with short lock and statement timeouts."""

import asyncio
from collections.abc import Sequence
from importlib.resources import files

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from sqlalchemy.pool import NullPool

from resapermis_kit.database.address import open_engine


def _config(package: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(package) / "migrations"))
    return config


def migrate(package: str, url: str) -> None:
    """Bring the database of `package` (e.g. "resapermis_basket") to its newest migration."""
    config = _config(package)
    config.attributes["url"] = url
    command.upgrade(config, "head")


def run_migrations(metadata: Sequence[sa.MetaData]) -> None:
    """Body of each service's migrations/env.py: short lock and statement timeouts, one transaction a migration."""

    def run(connection: sa.Connection) -> None:
        context.configure(connection=connection, target_metadata=list(metadata), transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()

    async def main() -> None:
        engine = open_engine(
            context.config.attributes["url"],
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
