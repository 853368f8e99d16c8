"""The gRPC server of a service: mutual TLS, the gate in front of every RPC, health, reflection, batches of calls."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from resapermis.batch.v1 import batch_pb2_grpc
from resapermis_kit.denials.denial import Denial
from resapermis_kit.health import READY, HealthServicer
from resapermis_kit.rpc import batch_servicer
from resapermis_kit.rpc.auth import Verifier
from resapermis_kit.rpc.authorization import Authorizer, permissions
from resapermis_kit.rpc.gate import Gate
from resapermis_kit.rpc.message_checks import LARGEST_MESSAGE
from resapermis_kit.tls.callers import Callers
from resapermis_kit.tls.certificates import Certificates
from resapermis_kit.tls.credentials import server_credentials


class Server:
    """A gRPC server with the gate in front of every RPC."""

    def __init__(
        self,
        listen: str,
        certificates: Certificates,
        verifier: Verifier,
        authorizer: Authorizer,
        denied: Callable[[Denial], None],
        clients: Collection[str] | None = None,
    ) -> None:
        """Prepare; servicers are added before `start`. `denied` is told of each refused certificate, principal and permission.

        `clients`: common names of who may call at all, health and reflection included; None: whoever has a certificate.
        """
        self._listen, self._certificates, self._callers = listen, certificates, Callers(certificates, clients)
        self._verifier, self._authorizer, self._denied = verifier, authorizer, denied
        self._adds: list[tuple[ServiceDescriptor, Callable[[grpc.aio.Server], None]]] = []
        self._methods: dict[str, batch_servicer.Method] = {}
        self._server: grpc.aio.Server | None = None
        self.health: Callable[[], Mapping[str, bool]] = lambda: {READY: True}
        """What the health service answers: its services, and whether each serves."""
        self._health = HealthServicer(self._statuses)
        self.port = 0

    def add(self, add_to_server: Callable[[Any, grpc.aio.Server], None], servicer: object, service: str) -> None:
        """Add a servicer: the generated add function, the object, and the full name of its service."""
        descriptor = descriptor_pool.Default().FindServiceByName(service)
        self._adds.append((descriptor, lambda server: add_to_server(servicer, server)))
        self._methods |= batch_servicer.methods(descriptor, servicer)

    async def start(self) -> None:
        """Bind and serve; ValueError for an RPC without permission, RuntimeError for a busy port."""
        gate = Gate(self._verifier, self._authorizer, self._callers, self._denied)
        self.add(
            batch_pb2_grpc.add_BatchServiceServicer_to_server,
            batch_servicer.BatchServicer(gate, self._methods),
            "resapermis.batch.v1.BatchService",
        )
        gate.needed |= permissions(descriptor for descriptor, _ in self._adds)
        self._server = grpc.aio.server(
            interceptors=[gate],
            options=[
                ("grpc.max_receive_message_length", LARGEST_MESSAGE),
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ],
            maximum_concurrent_rpcs=1000,
        )
        for _, add in self._adds:
            add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [descriptor.full_name for descriptor, _ in self._adds]
        reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), self._server)
        self.port = self._server.add_secure_port(self._listen, server_credentials(self._certificates))
        await self._server.start()
        await self.say_health()

    def _statuses(self) -> Mapping[str, bool]:
        return self.health()

    async def say_health(self) -> None:
        """Have those that watch the health service hear what has changed."""
        await self._health.say()

    async def stop(self, grace_seconds: float) -> None:
        """Say NOT_SERVING, refuse new calls, let those under way end."""
        await self._health.enter_graceful_shutdown()
        if self._server is not None:
            await self._server.stop(grace_seconds)
