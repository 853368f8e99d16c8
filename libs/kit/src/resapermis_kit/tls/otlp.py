"""Where spans go: an OTLP receiver, over TLS that shows and believes what the process's certificates say now."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from resapermis_kit.tls.certificates import Certificates
from resapermis_kit.tls.credentials import channel_credentials


class OtlpExporter(SpanExporter):
    """Sends spans by gRPC; after a renewal of our certificates over a new connection. In clear for http:// alone."""

    def __init__(self, endpoint: str, certificates: Certificates) -> None:
        """`endpoint`: https://host:port, or http:// (the settings let that be this machine alone). Nothing is opened yet."""
        self._endpoint, self._certificates = endpoint, certificates
        self._open()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, or say that they were lost."""
        if self._certificates.material is not self._material:
            self._exporter.shutdown()
            self._open()
        return self._exporter.export(spans)

    def shutdown(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return self._exporter.force_flush(timeout_millis)

    def _open(self) -> None:
        # Loading the exporter is a tenth of a service's start, and few send traces.
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        self._material = self._certificates.material
        # Said in any case, so that no OTEL_… variable decides it.
        tls: dict[str, Any] = {"insecure": True}
        if urlsplit(self._endpoint).scheme == "https":
            tls = {"insecure": False, "credentials": channel_credentials(self._material)}
        self._exporter: SpanExporter = OTLPSpanExporter(endpoint=self._endpoint, **tls)
