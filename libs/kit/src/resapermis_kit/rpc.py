"""The gRPC server of a service: mTLS, who asks, rights, deadlines, errors, traces, metrics; nothing else."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from opentelemetry import trace
from opentelemetry.propagate import extract
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.authz.v1 import options_pb2
from resapermis.events.v1 import events_pb2, events_pb2_grpc
from resapermis_kit import outbox
from resapermis_kit.auth import HEADER, Authorizer, Caller, Verifier, current_caller, current_token
from resapermis_kit.clock import new_id
from resapermis_kit.db import Collided, transaction
from resapermis_kit.errors import Code, Failure, malformed, to_status
from resapermis_kit.reading import Unreadable, reading
from resapermis_kit.telemetry import ANSWERED

DEFAULT_DEADLINE_SECONDS = 10.0
LEAST_USEFUL_SECONDS = 0.1
COLLISION_PAUSES_SECONDS = (0.01, 0.05)
LARGEST_MESSAGE = 4 * 1024 * 1024
deadline: ContextVar[float] = ContextVar("deadline")
"""time.monotonic() until which the RPC being answered is awaited."""
log = structlog.get_logger()
tracer = trace.get_tracer("resapermis.rpc")
Handler = Callable[[Any, Any], Awaitable[Any]]


def remaining_seconds() -> float:
    """Time left for the RPC being answered; the default deadline outside of one."""
    until = deadline.get(None)
    return DEFAULT_DEADLINE_SECONDS if until is None else until - time.monotonic()


def permissions(services: Iterable[ServiceDescriptor]) -> dict[str, str]:
    """Map "/package.Service/Method" to the permission it needs; ValueError for an RPC that names none."""
    found = {}
    for service in services:
        for method in service.methods:
            permission = method.GetOptions().Extensions[options_pb2.permission]
            if not permission:
                msg = f"{method.full_name} has no (resapermis.authz.v1.permission): it would be open to anyone"
                raise ValueError(msg)
            found[f"/{service.full_name}/{method.name}"] = permission
    return found


class Gate(grpc.aio.ServerInterceptor):
    """What happens around every RPC, in one place and in this order."""

    def __init__(self, needed: dict[str, str], verifier: Verifier, authorizer: Authorizer) -> None:
        """Guard the methods of `needed`."""
        self._needed = needed
        self._verifier = verifier
        self._authorizer = authorizer
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap each method's handler once."""
        method = handler_call_details.method
        handler = self._wrapped.get(method)
        if handler is None:
            handler = await continuation(handler_call_details)
            if handler is None or method not in self._needed:
                return handler  # unknown methods and the standard health and reflection services
            handler = grpc.unary_unary_rpc_method_handler(
                self._around(method, handler.unary_unary),
                reading(handler.request_deserializer),
                handler.response_serializer,
            )
            self._wrapped[method] = handler
        return handler

    def _around(self, method: str, inner: Handler) -> Handler:
        permission, short = self._needed[method], method.rpartition(".")[2]

        async def answer(request: Message | Unreadable, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            started = time.monotonic()
            metadata: dict[str, str] = {}
            twice = False
            for key, value in context.invocation_metadata() or ():
                twice |= key == HEADER and key in metadata
                metadata[key] = value if isinstance(value, str) else ""
            with tracer.start_as_current_span(short, context=extract(metadata), kind=trace.SpanKind.SERVER) as span:
                name = "OK"
                try:
                    said: float | None = context.time_remaining()  # None without a deadline, whatever the stubs say
                    left = DEFAULT_DEADLINE_SECONDS if said is None else min(said, 60.0)
                    if left < LEAST_USEFUL_SECONDS:
                        raise Failure(Code.CODE_DEADLINE, "too little time left to begin")  # noqa: TRY301
                    who = self._who(context, metadata, twice=twice)
                    self._authorizer.require(who, permission)
                    current_caller.set(who)
                    current_token.set(metadata.get(HEADER, ""))
                    deadline.set(started + left)
                    if isinstance(request, Unreadable):
                        raise malformed(request.field, request.wrong)  # noqa: TRY301
                    answered: Message = await _whole(inner, request, context)
                    return answered  # noqa: TRY300 - the exceptions below are inner's
                except Failure as failure:
                    name = failure.name
                    refusal = failure
                except asyncio.CancelledError:
                    name = "CANCELLED"
                    raise
                except Exception as error:  # noqa: BLE001 - the one place where the unexpected becomes INTERNAL
                    name = "INTERNAL"
                    refusal = Failure(
                        Code.CODE_INTERNAL, "unexpected; see error_id in the logs", error_id=str(new_id())
                    )
                    log.error("rpc.unexpected", method=short, error_id=refusal.error_id, **_where(error))
                finally:
                    span.set_attribute("resapermis.code", name)
                    ANSWERED.labels(short, name).observe(time.monotonic() - started)
                await context.abort_with_status(to_status(refusal))
                raise AssertionError  # abort always raises

        return answer

    def _who(self, context: grpc.aio.ServicerContext[Any, Any], metadata: dict[str, str], *, twice: bool) -> Caller:
        names = list(context.auth_context().get("x509_common_name", ())) or [b""]
        if twice:
            raise Failure(Code.CODE_UNAUTHENTICATED, "two principals in one call")
        token = metadata.get(HEADER)
        return Caller(names[0].decode(), self._verifier.verify(token) if token else None)


async def _whole(inner: Handler, request: Message, context: Any) -> Any:
    """Answer; where a transaction met another and was undone, do all of it again, at most twice.

    Commands carry a request id, so what an earlier transaction of the same act committed is found and not done twice.
    """
    for pause in COLLISION_PAUSES_SECONDS:
        try:
            return await inner(request, context)
        except Collided:
            await asyncio.sleep(pause)
    return await inner(request, context)


def _where(error: BaseException) -> dict[str, str]:
    """Type and place of an unexpected error; its text may hold data, so it is not logged."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else ""
    return {"error_type": type(error).__qualname__, "place": place}


class EventsServicer(events_pb2_grpc.EventsServiceServicer):
    """Repeats facts from the outbox for consumers that saw a gap."""

    def __init__(self, engine: AsyncEngine, source: str) -> None:
        """Serve the outbox of `source`."""
        self._engine = engine
        self._source = source

    async def Replay(self, request: events_pb2.ReplayRequest, context: Any) -> events_pb2.ReplayResponse:
        """Answer at most 500 envelopes, in order of number."""
        async with transaction(self._engine) as tx:
            return await outbox.replay(tx, self._source, request)


def server_credentials(tls_dir: Path) -> grpc.ServerCredentials:
    """Mutual TLS from tls_dir; files are read again for new connections, so certificates renew without a restart."""

    def read() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [((tls_dir / "tls.key").read_bytes(), (tls_dir / "tls.pem").read_bytes())],
            root_certificates=(tls_dir / "ca.pem").read_bytes(),
        )

    return grpc.dynamic_ssl_server_credentials(read(), read, require_client_authentication=True)


class Server:
    """A gRPC server with the gate in front of every RPC."""

    def __init__(self, listen: str, tls_dir: Path, verifier: Verifier, authorizer: Authorizer) -> None:
        """Prepare; servicers are added before `start`."""
        self._listen, self._tls_dir = listen, tls_dir
        self._verifier, self._authorizer = verifier, authorizer
        self._adds: list[tuple[ServiceDescriptor, Callable[[grpc.aio.Server], None]]] = []
        self._server: grpc.aio.Server | None = None
        self._health = health_aio.HealthServicer()
        self.port = 0

    def add(self, add_to_server: Callable[[Any, grpc.aio.Server], None], servicer: object, service: str) -> None:
        """Add a servicer: the generated add function, the object, and the full name of its service."""
        descriptor = descriptor_pool.Default().FindServiceByName(service)
        self._adds.append((descriptor, lambda server: add_to_server(servicer, server)))

    async def start(self) -> None:
        """Bind and serve; ValueError for an RPC without permission, RuntimeError for a busy port."""
        needed = permissions(descriptor for descriptor, _ in self._adds)
        self._server = grpc.aio.server(
            interceptors=[Gate(needed, self._verifier, self._authorizer)],
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
        self.port = self._server.add_secure_port(self._listen, server_credentials(self._tls_dir))
        await self._server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_seconds: float) -> None:
        """Say NOT_SERVING, refuse new calls, let those under way end."""
        await self._health.enter_graceful_shutdown()
        if self._server is not None:
            await self._server.stop(grace_seconds)
