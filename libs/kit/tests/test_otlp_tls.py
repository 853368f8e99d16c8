"""Traces leave over TLS that verifies who takes them, by the process's certificates, or not at all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from pydantic import ValidationError

from resapermis_kit.process.settings import BusSettings
from resapermis_kit.tls.certificates import Certificates
from resapermis_kit.tls.otlp import OtlpExporter
from resapermis_testing.certificates import Authority

pytestmark = pytest.mark.req("D-04")


@dataclass
class Collector(rpc.TraceServiceServicer):
    """Takes spans from who has a certificate of its authority, and notes with which."""

    port: int = 0
    serials: list[int] = field(default_factory=list)

    def Export(self, request: pb.ExportTraceServiceRequest, context: Any) -> pb.ExportTraceServiceResponse:
        del request
        (pem,) = context.auth_context()["x509_pem_cert"]
        self.serials.append(x509.load_pem_x509_certificate(pem).serial_number)
        return pb.ExportTraceServiceResponse()


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def collector(tmp_path: Path, authority: Authority) -> Iterator[Collector]:
    authority.sign(tmp_path / "otel", "otel")
    key, chain = ((tmp_path / "otel" / name).read_bytes() for name in ("tls.key", "tls.pem"))
    server, one = grpc.server(ThreadPoolExecutor(1)), Collector()
    rpc.add_TraceServiceServicer_to_server(one, server)
    credentials = grpc.ssl_server_credentials([(key, chain)], authority.pem, require_client_auth=True)
    one.port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield one
    server.stop(0).wait()


def span() -> ReadableSpan:
    made = TracerProvider().get_tracer("test").start_span("test")
    made.end()
    assert isinstance(made, ReadableSpan)
    return made


@pytest.mark.req("S-17")
def test_spans_leave_as_who_we_are_now(tmp_path: Path, authority: Authority, collector: Collector) -> None:
    first = authority.sign(tmp_path / "basket", "basket")
    certificates = Certificates(tmp_path / "basket")
    exporter = OtlpExporter(f"https://localhost:{collector.port}", certificates)
    assert exporter.export([span()]) is SpanExportResult.SUCCESS
    second = authority.sign(tmp_path / "basket", "basket")
    assert certificates.look()
    assert exporter.export([span()]) is SpanExportResult.SUCCESS
    assert collector.serials == [first, second]
    exporter.shutdown()


@pytest.mark.req("S-25")
def test_a_collector_of_another_authority_gets_none(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")  # nor does a variable of the library's talk us out of it
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    Authority().sign(tmp_path / "basket", "basket")
    exporter = OtlpExporter(f"https://localhost:{collector.port}", Certificates(tmp_path / "basket"))
    assert exporter.export([span()]) is SpanExportResult.FAILURE
    assert collector.serials == []
    exporter.shutdown()


def test_a_process_does_not_start_with_traces_or_a_monitor_in_clear_beyond_this_machine(tmp_path: Path) -> None:
    given = {
        "nats_url": "",
        "tls_dir": tmp_path,
        "metrics_listen": "127.0.0.1:0",
        "policies": tmp_path,
    }
    for name in ("otlp_endpoint", "nats_monitor"):
        BusSettings(**given, **{name: "http://127.0.0.1:4317"})
        with pytest.raises(ValidationError, match="https://host:port"):
            BusSettings(**given, **{name: "http://otel:4317"})
