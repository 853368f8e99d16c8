"""A PostgreSQL for each test process, a fresh migrated database for each test. A pytest plugin.

Which server that is the fixture `postgres` says, of one of the two plugins in `sources`.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from devstack.postgres import ADMINISTRATOR, answers, embedded, prepare
from resapermis_testing.databases import Administrator, Clone, Databases, url_of

SETTINGS = {
    # Nothing here outlives the run, and no table lives long enough to be cleaned.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "checkpoint_timeout": "1d",
    # Connections of a test are young: each would plan a statement anew the first five times, where a service's have long come to
    # the plan for any parameters. Who holds plans against each other says which ones (SET LOCAL).
    "plan_cache_mode": "force_generic_plan",
}
"""What the server of tests has otherwise than that of `make up`."""
START_SECONDS, STOP_SECONDS = 30, 10
FIRST_OID_OF_OURS = 16_384
"""What has a lower one is part of PostgreSQL itself, and the same in every database."""
NOTHING_ASKED = SimpleNamespace(name="none")
"""For asyncpg, which prepares its statement again where it has asked with another without a name meanwhile."""


@dataclass
class Postgres:
    """A PostgreSQL server of this test process; only its own user and ours may connect."""

    socket_dir: str
    port: int = 5432

    def url(self, database: str, role: str = ADMINISTRATOR) -> str:
        """postgresql:// address of one of its databases, for a role."""
        return f"postgresql://{role}@/{database}?host={self.socket_dir}&port={self.port}"

    async def execute(self, *statements: str) -> None:
        """Run statements one after another, each outside of any transaction, on the maintenance database."""
        async with self._connected() as connection:
            for statement in statements:
                await connection.execute(statement)

    async def cut_off(self, database: str) -> None:
        """End every connection to this database."""
        async with self._connected() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database
            )

    async def connect(self, database: str) -> Any:
        """A new connection of the administrator's to one of its databases."""
        return await asyncpg.connect(
            host=self.socket_dir, port=self.port, user=ADMINISTRATOR, database=database, timeout=10
        )

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        connection = await self.connect("postgres")
        try:
            yield connection
        finally:
            await connection.close()


class Server:
    """A PostgreSQL on the places of `home`, whose data are prepared beforehand.

    It starts as that of `make up` does: as root under another account, wherever the folders lie, and without a change to
    any folder above its own. It ends with this process, however that ends.
    """

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        """`settings`: what it has otherwise than that of `make up`."""
        self.place = embedded(home)
        self.process: subprocess.Popen[bytes] | None = None
        self._options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def as_its_user(self, *command: str) -> list[str]:
        """The command, run as who it runs as (PostgreSQL refuses root), that ends with this process."""
        account = [] if self.place.account is None else self.place.account.setpriv()
        return ["setpriv", "--pdeathsig", "QUIT", *account, *command]

    def start(self) -> None:
        """Start it, or start it again on its data."""
        self.process = subprocess.Popen(
            self.as_its_user(*self.place.command(), *self._options),
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        """End its clients, roll back, and stop."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(STOP_SECONDS)
            self.process = None

    def kill(self) -> None:
        """As when its machine goes: kill -9 of all of its processes at once; none answers anybody any more.

        The first is stopped before, so that it neither starts nor warns another.
        """
        if self.process is None:
            return
        pid = self.process.pid
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(pid, signal.SIGSTOP)
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
            for one in children:
                with suppress(ProcessLookupError):
                    os.kill(int(one), signal.SIGKILL)
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        self.process = None


@contextmanager
def embedded_postgres(home: Path) -> Iterator[Postgres]:
    """An embedded PostgreSQL with its data below this folder, which is deleted after it."""
    home.mkdir(exist_ok=True)
    home.chmod(0o711)  # its account passes through
    server = Server(home, SETTINGS)
    prepare(server.place)
    server.start()
    try:
        _wait_for(server)
        yield Postgres(str(server.place.socket))
    finally:
        server.stop()
        shutil.rmtree(home)


def _wait_for(server: Server) -> None:
    end, pause = time.monotonic() + START_SECONDS, threading.Event()
    while not asyncio.run(answers(server.place.url(ADMINISTRATOR, "postgres"))):
        assert server.process is not None
        assert server.process.poll() is None, f"PostgreSQL ended with {server.process.returncode}"
        assert time.monotonic() < end, f"PostgreSQL did not answer within {START_SECONDS} s"
        pause.wait(0.02)


@pytest.fixture(scope="session", autouse=True)
def _built_in_types() -> Iterator[None]:
    """Learn PostgreSQL's own types once a test process: else each new connection reads the catalog for each array of them."""
    connections: Any = asyncpg.Connection
    learn = connections._introspect_types  # noqa: SLF001 - asyncpg keeps what it learns by connection alone
    learnt: dict[frozenset[int], Any] = {}

    async def known(self: Any, oids: Iterable[int], timeout: float) -> Any:  # noqa: ASYNC109 - asyncpg's own signature
        asked = frozenset(oids)
        if max(asked) >= FIRST_OID_OF_OURS:
            return await learn(self, asked, timeout)
        if asked in learnt:
            return learnt[asked], NOTHING_ASKED
        learnt[asked], statement = await learn(self, asked, timeout)
        return learnt[asked], statement

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "_introspect_types", known)
        yield


@pytest.fixture(scope="session")
def databases(postgres: Postgres) -> Iterator[Databases]:
    """Its databases for tests; what is left of them at the end goes with the server."""
    administrator = Administrator(postgres.connect)
    yield Databases(administrator, lambda role, database: postgres.url(database, role))
    administrator.close()


MakeClone = Callable[[str], Awaitable[Clone]]


@pytest.fixture(scope="session")
def _opened() -> Iterator["weakref.WeakSet[Any]"]:
    """Every connection of this process that somebody still has."""
    opened: weakref.WeakSet[Any] = weakref.WeakSet()
    connections: Any = asyncpg.Connection
    make = connections.__init__

    def noted(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        opened.add(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "__init__", noted)
        yield opened


@pytest.fixture
async def _make_clone(databases: Databases, _opened: "weakref.WeakSet[Any]") -> AsyncIterator[MakeClone]:
    made: list[Clone] = []

    async def make(package: str) -> Clone:
        made.append(await databases.take(package))
        return made[-1]

    yield make
    # A connection that a cancelled task was opening has nobody to close it. The garbage collector would blame another test.
    loop = asyncio.get_running_loop()
    left = [one for one in _opened if one._loop is loop and not one.is_closed()]  # noqa: SLF001 - asked nowhere else
    for one in left:
        one.terminate()
    if left:
        await asyncio.sleep(0)  # its transport is closed by the loop's next turn
    for clone in made:
        databases.give_back(clone)


MakeDatabase = Callable[..., Awaitable[str]]


@pytest.fixture
async def make_database(_make_clone: MakeClone) -> MakeDatabase:
    """Function: package name, role -> URL of a fresh migrated database, for the role that serves from it unless another is named."""

    async def make(package: str, role: str = "") -> str:
        url = (await _make_clone(package)).url
        return url_of(url, role) if role else url

    return make


MakeEngine = Callable[..., Awaitable[AsyncEngine]]


@pytest.fixture
async def make_engine(_make_clone: MakeClone) -> AsyncIterator[MakeEngine]:
    """Function: package name, role -> engine on a fresh migrated database; an engine instead of a name: on the same one.

    As the role that serves from it, unless another is named.
    """
    engines: list[AsyncEngine] = []
    clones: dict[str, Clone] = {}

    async def make(package: str | AsyncEngine, role: str = "") -> AsyncEngine:
        clone = await _make_clone(package) if isinstance(package, str) else clones[str(package.url.database)]
        clones[clone.name] = clone
        engines.append(clone.take_engine(role))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.dispose()
