"""An embedded PostgreSQL for each test process, a fresh migrated database for each test. A pytest plugin."""

import asyncio
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from devstack.postgres import ADMINISTRATOR, answers, embedded, prepare
from resapermis_kit.database.engine import make_engine as new_engine
from resapermis_kit.database.migration import migrate
from resapermis_testing.memory import data_folder

UNSAFE = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "checkpoint_timeout": "1d"}
"""Nothing here outlives the run, and no table lives long enough to be cleaned."""
START_SECONDS, STOP_SECONDS = 30, 10


@dataclass
class Postgres:
    """A PostgreSQL server of this test process; only its own user and ours may connect."""

    socket_dir: str
    port: int = 5432

    def url(self, database: str) -> str:
        """postgresql:// address of one of its databases."""
        return f"postgresql://{ADMINISTRATOR}@/{database}?host={self.socket_dir}&port={self.port}"

    async def execute(self, statement: str) -> None:
        """Run a statement outside of any transaction, on the maintenance database."""
        connection = await asyncpg.connect(
            host=self.socket_dir, port=self.port, user=ADMINISTRATOR, database="postgres", timeout=10
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def embedded_postgres(home: Path) -> Iterator[Postgres]:
    """An embedded PostgreSQL with its data below this folder, which is deleted after it.

    It starts as that of `make up` does: as root under another account, wherever the folders lie, and without a change to
    any folder above its own. It ends with this process, however that ends.
    """
    home.mkdir(exist_ok=True)
    home.chmod(0o711)  # its account passes through
    place = embedded(home)
    prepare(place)
    options = [word for name, value in UNSAFE.items() for word in ("-c", f"{name}={value}")]
    account = [] if place.account is None else place.account.setpriv()
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "QUIT", *account, *place.command(), *options],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(place.url(ADMINISTRATOR, "postgres"), process)
        yield Postgres(str(place.socket))
    finally:
        process.send_signal(signal.SIGINT)  # ends clients and rolls back: what they had is deleted
        process.wait(STOP_SECONDS)
        shutil.rmtree(home)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    end, pause = time.monotonic() + START_SECONDS, threading.Event()
    while not asyncio.run(answers(url)):
        assert process.poll() is None, f"PostgreSQL ended with {process.returncode}"
        assert time.monotonic() < end, f"PostgreSQL did not answer within {START_SECONDS} s"
        pause.wait(0.02)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """An embedded PostgreSQL, started once a test process."""
    # Not below pytest's base folder: other runs at the same time prune that one.
    with embedded_postgres(data_folder("resapermis-pg-")) as server:
        yield server


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
