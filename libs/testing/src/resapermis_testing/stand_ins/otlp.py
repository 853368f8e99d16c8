"""A place where processes send their spans (OTLP over gRPC), which keeps them and says what came."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came. Ids are hexadecimal, `parent` is empty where it has none; of attributes, texts and whole numbers."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    kind: str
    """SERVER, CLIENT, CONSUMER and so on."""
    attributes: dict[str, str | int]
    links: tuple[tuple[str, str], ...]
    """(trace, span) of each span that it is linked to."""


class SpanReceiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Receives from any number of processes, from its making until `stop`."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        """Listen on a free port of `host`, without TLS."""
        self._requests: list[Any] = []
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self.port = self._server.add_insecure_port(f"{host}:0")
        self._server.start()

    @property
    def endpoint(self) -> str:
        """Its address as RESAPERMIS_OTLP_ENDPOINT says it, for processes of this machine."""
        return f"http://127.0.0.1:{self.port}"

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's
        """Keep what a process sends."""
        with self._lock:
            self._requests.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    def spans(self) -> list[ReceivedSpan]:
        """Every span that has come, in the order of arrival."""
        return [
            _received(service, span)
            for request in self._kept()
            for resource in request.resource_spans
            for service in [_attributes(resource.resource.attributes).get("service.name", "")]
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def services(self) -> set[str]:
        """Whose spans have come."""
        return {span.service for span in self.spans()}

    def raw(self) -> bytes:
        """All that came, as it travels: its texts are UTF-8."""
        return b"\n".join(request.SerializeToString() for request in self._kept())

    def stop(self) -> None:
        """End it; what came is kept."""
        self._server.stop(0).wait()

    def _kept(self) -> Sequence[Any]:
        with self._lock:
            return list(self._requests)


def _received(service: str | int, span: Any) -> ReceivedSpan:
    return ReceivedSpan(
        service=str(service),
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        attributes=_attributes(span.attributes),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
    )


def _attributes(pairs: Any) -> dict[str, str | int]:
    return {
        pair.key: pair.value.int_value if pair.value.WhichOneof("value") == "int_value" else pair.value.string_value
        for pair in pairs
    }
