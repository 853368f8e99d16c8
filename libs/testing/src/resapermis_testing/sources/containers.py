"""PostgreSQL and NATS from containers of an engine on this machine (`make test CONTAINERS=1`), by testcontainers. A pytest plugin.

Clients meet PostgreSQL where they meet the embedded one, at a unix socket: its folder is mounted, and the container has no
network. nats-server has the network of the machine, so its configuration is the embedded one's too. What a test process
leaves when it is killed has a label, by which `make test` removes it (resapermis_testing.sources.engine).
"""

import asyncio
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from testcontainers.core.container import DockerContainer

from devstack.postgres import ADMINISTRATOR
from devstack.postgres import SETTINGS as OF_MAKE_UP
from resapermis_testing.memory import data_folder
from resapermis_testing.nats import Program, RunNats
from resapermis_testing.ports import free_port
from resapermis_testing.postgres import SETTINGS, START_SECONDS, STOP_SECONDS, Postgres
from resapermis_testing.sources.engine import LABEL, NATS_IMAGE, POSTGRES_IMAGE, RUN

LOOPBACK = "127.0.0.1"
OTHER_NAME = "127.0.0.2"
"""Another address of this machine, which no certificate of tests names."""
DATA = "/pgdata"
SOCKETS = "/var/run/postgresql"
INITDB = "--encoding=UTF8 --locale=C.UTF-8 --data-checksums"
"""As the embedded one, by the C library's C.UTF-8: PostgreSQL 15 has none of its own."""
TLS = """
install -m 600 /tls/tls.key "$PGDATA/server.key"
install -m 600 /tls/tls.pem "$PGDATA/server.crt"
printf 'ssl = on\\nssl_min_protocol_version = TLSv1.2\\n' >> "$PGDATA/postgresql.conf"
sed -i 's/^host /hostssl /' "$PGDATA/pg_hba.conf"
"""
"""Run by the image's entry point at its first start, as the server's account: PostgreSQL wants its key to be its own."""

AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a server answers that is not up, or going: the last is asyncpg's where its goodbye came before our question."""


def _postgres(image: str, settings: Mapping[str, str]) -> DockerContainer:
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    container = DockerContainer(image).with_command(["postgres", *options])
    container.with_envs(POSTGRES_USER=ADMINISTRATOR, POSTGRES_INITDB_ARGS=INITDB, PGDATA=f"{DATA}/data")
    return container.with_tmpfs_mount(DATA)


def _begin(container: DockerContainer, **more: Any) -> DockerContainer:
    return container.with_kwargs(labels={LABEL: os.environ.get(RUN, "alone")}, **more).start()


async def serves(connection: Mapping[str, Any]) -> bool:
    """Whether the server that will stay answers; the entry point's own first one, which goes again, listens to no address."""
    try:
        opened = await asyncpg.connect(user=ADMINISTRATOR, database="postgres", timeout=2, **connection)
    except AWAY:
        return False
    try:
        return bool(await opened.fetchval("SHOW listen_addresses"))
    except AWAY:
        return False
    finally:
        opened.terminate()


def _wait_for(container: DockerContainer, connection: Mapping[str, Any]) -> None:
    end, pause = time.monotonic() + START_SECONDS, threading.Event()
    while not asyncio.run(serves(connection)):
        container.reload()
        said = b"".join(container.get_logs()).decode(errors="replace")[-2000:]
        assert container.status in {"created", "running"}, f"PostgreSQL's container is {container.status}:\n{said}"
        assert time.monotonic() < end, f"PostgreSQL did not answer within {START_SECONDS} s:\n{said}"
        pause.wait(0.1)


@contextmanager
def contained_postgres(image: str, home: Path) -> Iterator[Postgres]:
    """PostgreSQL of that image, its data in memory; its socket is below this folder, which is deleted after it."""
    sockets = home / "run"
    sockets.mkdir(parents=True)
    sockets.chmod(0o777)  # its account makes them there; only ours reaches the folder
    container = _postgres(image, {**OF_MAKE_UP, **SETTINGS, "listen_addresses": LOOPBACK})
    container.with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
    container.with_volume_mapping(sockets, SOCKETS, "rw,z")
    try:
        _begin(container, network_mode="none")
        _wait_for(container, {"host": str(sockets)})
        yield Postgres(str(sockets))
    finally:
        container.stop()
        shutil.rmtree(home)


class NatsContainer:
    """nats-server of an image, on the folders and the network of this machine."""

    def __init__(self, image: str, folders: Mapping[Path, str]) -> None:
        """`folders`: each with "ro" or "rw", at the same place within; what the server writes is ours."""
        self._container = DockerContainer(image)
        for folder, mode in folders.items():
            self._container.with_volume_mapping(folder, str(folder), f"{mode},z")
        self._begun = False

    def start(self, config: Path) -> None:
        """Start it, or start it again."""
        if self._begun:
            self._container.get_wrapped_container().start()
        else:
            self._container.with_command(["--config", str(config)])
            _begin(self._container, network_mode="host", user=f"{os.getuid()}:{os.getgid()}")
            self._begun = True

    def stop(self) -> None:
        """Stop it and wait for its end."""
        self._container.get_wrapped_container().stop(timeout=STOP_SECONDS)

    def remove(self) -> None:
        """Stop it for good."""
        self._container.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL in a container, started once a test process."""
    with contained_postgres(os.environ[POSTGRES_IMAGE], data_folder("resapermis-pg-")) as server:
        yield server


@pytest.fixture(scope="session")
def run_nats() -> RunNats:
    """Runs nats-server in a container."""

    def run(folders: Mapping[Path, str]) -> Program:
        return NatsContainer(os.environ[NATS_IMAGE], folders)

    return run


@dataclass(frozen=True)
class PostgresOverTls:
    """A PostgreSQL that takes connections over TLS only. Its certificate names localhost and 127.0.0.1; it answers at 127.0.0.2 too."""

    port: int
    password: str

    def url(self, host: str, mode: str, authorities: Path) -> str:
        """libpq's URL of it, at one of its addresses."""
        where = f"postgresql://{ADMINISTRATOR}:{self.password}@{host}:{self.port}/postgres"
        return f"{where}?sslmode={mode}&sslrootcert={authorities}"


@pytest.fixture(scope="module")
def postgres_over_tls(tls: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresOverTls]:
    """PostgreSQL in a container with a certificate of the tests' authority."""
    folder = tmp_path_factory.mktemp("postgres-tls")
    for name in ("tls.pem", "tls.key"):
        shutil.copyfile(tls / "audit" / name, folder / name)
        (folder / name).chmod(0o644)  # the server's account reads it once
    script = folder / "tls.sh"
    script.write_text(TLS, encoding="utf-8")
    folder.chmod(0o755)
    server = PostgresOverTls(free_port(), secrets.token_urlsafe(12))
    addresses = f"{LOOPBACK},{OTHER_NAME}"
    container = _postgres(os.environ[POSTGRES_IMAGE], {"listen_addresses": addresses, "port": str(server.port)})
    container.with_env("POSTGRES_PASSWORD", server.password)
    container.with_volume_mapping(folder, "/tls", "ro,z")
    container.with_volume_mapping(script, "/docker-entrypoint-initdb.d/tls.sh", "ro,z")
    try:
        _begin(container, network_mode="host")
        _wait_for(container, {"host": LOOPBACK, "port": server.port, "password": server.password, "ssl": "require"})
        yield server
    finally:
        container.stop()
