"""Takes traces as an OpenTelemetry collector does (OTLP over gRPC, mutual TLS), and says who sent how many spans.

It stands in for the collector where none can be had, and reads the collector's own file for address and TLS:
`--config deploy/otel/collector.yaml`. Prints a line of JSON for each batch; no attribute of a span is printed or kept.
"""

import argparse
import json
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

GRACE_SECONDS = 1.0


class Receiver(TraceServiceServicer):
    """The trace service; `took` is told of each batch: service name → spans."""

    def __init__(self, took: Callable[[Counter[str]], None]) -> None:
        self._took = took

    def Export(self, request: ExportTraceServiceRequest, context: grpc.ServicerContext) -> ExportTraceServiceResponse:  # noqa: N802 - the proto's name
        """Count a batch."""
        del context
        self._took(counted(request))
        return ExportTraceServiceResponse()


def counted(request: ExportTraceServiceRequest) -> Counter[str]:
    """How many spans of which service a batch holds."""
    found: Counter[str] = Counter()
    for resource in request.resource_spans:
        name = next((one.value.string_value for one in resource.resource.attributes if one.key == "service.name"), "?")
        found[name] += sum(len(scope.spans) for scope in resource.scope_spans)
    return found


def serve(endpoint: str, tls: dict[str, Any], took: Callable[[Counter[str]], None]) -> tuple[grpc.Server, int]:
    """A server that has started, and its port. `tls`: the collector's cert_file, key_file and client_ca_file, read again when they change."""

    def read() -> list[bytes]:
        return [Path(tls[name]).read_bytes() for name in ("key_file", "cert_file", "client_ca_file")]

    def configuration(key: bytes, chain: bytes, authority: bytes) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(key, chain)], authority)

    held = read()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        """Asked at each handshake. None: nothing new, which gRPC must not be given twice (grpc#36693)."""
        nonlocal held
        if (found := read()) == held:
            return None
        held = found
        return configuration(*found)

    credentials = grpc.dynamic_ssl_server_credentials(
        configuration(*held),
        changed,  # type: ignore[arg-type] # types-grpcio does not know that None stands for "as before"
        require_client_authentication=True,
    )
    server = grpc.server(ThreadPoolExecutor(4))
    add_TraceServiceServicer_to_server(Receiver(took), server)  # type: ignore[no-untyped-call] # generated
    port = server.add_secure_port(endpoint, credentials)
    server.start()
    return server, port


def main() -> None:
    """Take traces until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, type=Path, help="the collector's file")
    settings = yaml.safe_load(parser.parse_args().config.read_text(encoding="utf-8"))
    grpc_settings = settings["receivers"]["otlp"]["protocols"]["grpc"]
    leave = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: leave.set())
    server, _ = serve(
        grpc_settings["endpoint"],
        grpc_settings["tls"],
        lambda spans: print(f"{json.dumps(spans)}\n", end="", flush=True),
    )
    leave.wait()
    server.stop(GRACE_SECONDS).wait()


if __name__ == "__main__":
    main()
