"""A service's gRPC server with the real gate, and settings for a whole process. A pytest plugin."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from resapermis_kit.denials.denial import Denial
from resapermis_kit.process.settings import ServiceSettings
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Principal, Signer, Verifier
from resapermis_kit.rpc.authorization import Authorizer
from resapermis_kit.rpc.server import Server
from resapermis_kit.tls.certificates import Certificates

POLICIES = Path(__file__).parents[4] / "policies"


@pytest.fixture(scope="session", autouse=True)
def _grpc_stays_up() -> None:
    """Hold gRPC's global queue for the whole process, as a service does that has a server or a channel all its life.

    Without it the queue goes and comes with each test's last object, whenever the collector finds that one, also from
    within the queue's own callbacks: a test process of CI died in there.
    """

    async def hold() -> None:
        grpc.aio.init_grpc_aio()

    asyncio.run(hold())


@dataclass
class RunningServer:
    """A service's gRPC server of this test and channels to it."""

    service: str
    server: Server
    tls: Path
    signer: Signer
    denied: list[Denial] = field(default_factory=list)
    """Refusals that the gate reported."""
    _shared: dict[tuple[str, str], grpc.aio.Channel] = field(default_factory=dict)

    def channel(self, service: str, caller: str = "auth-gateway") -> grpc.aio.Channel:
        """New channel from `caller` to this server, which must hold the certificate of `service`. Who asks closes it."""
        return peers.channel(f"127.0.0.1:{self.server.port}", Certificates(self.tls / caller), service)

    def shared_channel(self, service: str, caller: str = "auth-gateway") -> grpc.aio.Channel:
        """The one channel from `caller` to this server, as processes have it; closed before the server stops.

        A channel for each call costs a mutual TLS each, and a server that greets twenty at once died of it now and then:
        within gRPC 1.85.1, choosing a certificate for a handshake.
        """
        if (service, caller) not in self._shared:
            self._shared[service, caller] = self.channel(service, caller)
        return self._shared[service, caller]

    async def stop(self) -> None:
        """Close the shared channels, then stop the server at once."""
        for channel in self._shared.values():
            await channel.close()
        await self.server.stop(0)

    def principal(self, **overrides: Any) -> str:
        """A token signed for this service; by default a manager of school-1."""
        claims: dict[str, Any] = {
            "account_id": "account-1",
            "session_id": "session-1",
            "school_id": "school-1",
            "roles": ("school_manager",),
        }
        return self.signer.sign(Principal(**(claims | overrides)), self.service)


Serve = Callable[..., Awaitable[RunningServer]]


@pytest.fixture(scope="session")
def authorizer() -> Authorizer:
    """The real policies, read once: it keeps nothing but its decisions."""
    return Authorizer(POLICIES)


@pytest.fixture
async def serve(
    tls: Path, principal_keys: tuple[Path, Path], signer: Signer, authorizer: Authorizer
) -> AsyncIterator[Serve]:
    """Function: (service, (add, servicer, full name)..., clients=None) -> a running server with the real gate."""
    running: list[RunningServer] = []

    async def start(
        service: str, *servicers: tuple[Any, object, str], clients: Collection[str] | None = None
    ) -> RunningServer:
        denied: list[Denial] = []
        verifier = Verifier(principal_keys[1], service)
        server = Server("127.0.0.1:0", Certificates(tls / service), verifier, authorizer, denied.append, clients)
        for add, servicer, name in servicers:
            server.add(add, servicer, name)
        await server.start()
        running.append(RunningServer(service, server, tls, signer, denied))
        return running[-1]

    yield start
    for one in running:
        await one.stop()


@pytest.fixture
def settings_for(tls: Path, principal_keys: tuple[Path, Path]) -> Callable[..., ServiceSettings]:
    """Function: (settings class, service, **more) -> settings with this test's certificates and keys."""

    def make(kind: type[ServiceSettings], service: str, **more: Any) -> ServiceSettings:
        values: dict[str, Any] = {
            "database_url": "",
            "nats_url": "",
            "tls_dir": tls / service,
            "grpc_listen": "127.0.0.1:0",
            "metrics_listen": "127.0.0.1:0",
            "principal_jwks": principal_keys[1],
            "policies": POLICIES,
        }
        return kind(**values | more)

    return make
