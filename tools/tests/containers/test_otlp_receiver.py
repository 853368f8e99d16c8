"""What a service sends as traces arrives at the receiver over mutual TLS, and from nobody else."""

import socket
import ssl
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
import yaml
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from containers.otlp_receiver import serve
from devstack.certificates import Leaf, ensure_certificates
from devstack.settings import ROOT

COLLECTOR = yaml.safe_load((ROOT / "deploy" / "otel" / "collector.yaml").read_text(encoding="utf-8"))
TLS = COLLECTOR["receivers"]["otlp"]["protocols"]["grpc"]["tls"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ensure_certificates(tmp_path, {"otel": Leaf(asks=False), "basket": Leaf()}, datetime.now(UTC))
    return tmp_path


def in_place(folder: Path) -> dict[str, str]:
    """The collector's own settings, with the folder that is mounted at /run/tls."""
    return {name: str(value).replace("/run/tls", str(folder / "otel")) for name, value in TLS.items()}


def test_spans_are_counted_by_service_and_only_certificates_of_the_authority_are_taken(folder: Path) -> None:
    took: Counter[str] = Counter()
    arrived = threading.Event()

    def note(spans: Counter[str]) -> None:
        took.update(spans)
        arrived.set()

    server, port = serve("127.0.0.1:0", in_place(folder), note)
    own = folder / "basket"
    ca, key, chain = ((own / name).read_bytes() for name in ("ca.pem", "tls.key", "tls.pem"))
    known, unknown = grpc.ssl_channel_credentials(ca, key, chain), grpc.ssl_channel_credentials(ca)
    try:
        provider = TracerProvider(resource=Resource.create({"service.name": "basket"}))
        exporter = OTLPSpanExporter(f"https://localhost:{port}", credentials=known)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        for _ in range(2):
            provider.get_tracer("test").start_span("hold").end()
        assert arrived.wait(5)
        provider.shutdown()
        assert took == {"basket": 2}
        stranger = OTLPSpanExporter(f"https://localhost:{port}", credentials=unknown, timeout=1)
        assert stranger.export([]) is SpanExportResult.FAILURE
        stranger.shutdown()
    finally:
        server.stop(0).wait()


def test_a_renewed_certificate_is_shown_without_a_restart(folder: Path) -> None:
    server, port = serve("127.0.0.1:0", in_place(folder), lambda _: None)

    def shown() -> bytes:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "basket" / "tls.pem", folder / "basket" / "tls.key")
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain, server_hostname="otel") as secured,
        ):
            return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"").encode()

    try:
        before = (folder / "otel" / "tls.pem").read_bytes()
        assert shown() == before
        ensure_certificates(folder, {"otel": Leaf(asks=False)}, datetime.now(UTC), renew=True)
        assert shown() == (folder / "otel" / "tls.pem").read_bytes() != before
    finally:
        server.stop(0).wait()


def test_the_collector_listens_where_services_send_and_asks_for_certificates() -> None:
    grpc_settings = COLLECTOR["receivers"]["otlp"]["protocols"]["grpc"]
    assert grpc_settings["endpoint"].endswith(":4317")
    assert set(TLS) >= {"cert_file", "key_file", "client_ca_file"}
    assert TLS["min_version"] == "1.2"
