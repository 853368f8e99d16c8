"""The stack under measure: real processes on ports and in a home of its own, RdvPermis answered by the responder."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from devstack import postgres
from devstack.components import NATS, POSTGRES
from devstack.probes import free_port, listens
from devstack.stack import Stack

COMPONENTS = (POSTGRES, NATS, "egress", "mandate", "scheduling-rules", "basket")
ANSWERS_AFTER_SECONDS = 0.02
Say = Callable[[str], None]


@dataclass(frozen=True)
class System:
    """The running stack and the process that answers for RdvPermis."""

    stack: Stack
    responder: int
    """Process id."""

    @property
    def socket(self) -> Path:
        """Folder of PostgreSQL's socket."""
        return Path(parse_qs(urlsplit(self.stack.admin_url).query)["host"][0])

    @property
    def postgres_log(self) -> Path:
        """PostgreSQL's log file."""
        return self.stack.home / "log" / "postgres.log"

    @asynccontextmanager
    async def without_basket(self) -> AsyncIterator[None]:
        """Basket leaves its database and comes back with new connections: its role's settings are in force then."""
        await self.stack.stop_component("basket")
        yield
        await self.stack.start_component("basket")


@asynccontextmanager
async def started(say: Say, *, web: bool = False, baskets: int = 1) -> AsyncIterator[System]:
    """Start everything (`web`: the gateway too; `baskets`: replicas); stop it at the end. The home is kept when something failed, for its logs."""
    home = await asyncio.to_thread(_home)
    stack = Stack(
        home,
        free_port(range(30), start=24_000),
        components=(*COMPONENTS, "auth-gateway") if web else COMPONENTS,
        replicas={"basket": baskets},
        # There is no planning to look at behind the responder.
        component_settings={"scheduling-rules": {"RESAPERMIS_PLAN_SECONDS": "0"}},
        say=lambda component, line: say(f"{component}: {line}"),
    )
    port = str(stack.ports.sandbox)
    responder = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("responder.py")), port, str(ANSWERS_AFTER_SECONDS)
    )
    try:
        async with asyncio.timeout(20):
            while not await listens(stack.ports.sandbox):  # noqa: ASYNC110 - another process comes up
                await asyncio.sleep(0.05)
        async with stack:
            admin = await asyncpg.connect(stack.admin_url, timeout=10)
            await admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            await admin.close()
            yield System(stack, responder.pid)
    except BaseException:
        say(f"logs are kept in {home / 'log'}")
        raise
    else:
        shutil.rmtree(home, ignore_errors=True)
    finally:
        if responder.returncode is None:
            responder.terminate()
        await responder.wait()


def _home() -> Path:
    """A fresh home whose PostgreSQL accounts for what each role executes: the cluster is made before the stack starts it."""
    home = Path(tempfile.mkdtemp(prefix="resapermis-bench-"))
    home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    server = postgres.embedded(home.resolve())
    postgres.prepare(server)
    with (server.data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\nshared_preload_libraries = 'pg_stat_statements'\n")
    return home
