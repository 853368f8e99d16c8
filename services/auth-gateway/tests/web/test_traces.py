"""Traces and logs hold the route and the outcome, never what identifies a person or opens a session."""

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from resapermis_auth_gateway.web import gate
from resapermis_kit.rpc import gate as kit_gate

pytestmark = pytest.mark.req("D-03")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    for module in (gate, kit_gate):  # theirs belong to the first provider that this process ever had
        monkeypatch.setattr(module, "tracer", provider.get_tracer("test"))
    return exporter


def _text(spans: tuple[ReadableSpan, ...]) -> str:
    return " ".join(span.to_json() for span in spans)


async def test_no_code_state_address_or_error_text_is_traced(
    spans: InMemorySpanExporter, make_world: Any, monkeypatch: Any, capsys: Any
) -> None:
    world = await make_world()
    signed = await world.session()

    def broken(*_: Any) -> None:
        raise RuntimeError("Camille Martin")

    monkeypatch.setattr(world.dependencies.profiles, "open", broken)
    async with world.browser(signed, headers={"User-Agent": "secret-agent"}) as browser:
        await browser.get("/auth/callback?code=secret-code&state=secret-state")
        await browser.get("/auth/session?x=secret-query")
        await browser.get("/candidats/0199?name=secret-name")
    finished = spans.get_finished_spans()
    assert {"GET /auth/callback", "GET /auth/session"} <= {span.name for span in finished}
    printed = capsys.readouterr()
    for text in (_text(finished), printed.out + printed.err):
        for secret in ("secret-", "127.0.0.1", "Camille", signed.cookie, signed.csrf):
            assert secret not in text
