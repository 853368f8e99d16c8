"""Traces and logs hold the route and the outcome, never what identifies a person or opens a session."""

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

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


@pytest.mark.req("R18")
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


def _answered(route: str, method: str, status: int) -> float:
    labels = {"route": route, "method": method, "status": str(status)}
    return REGISTRY.get_sample_value("resapermis_http_seconds_count", labels) or 0.0


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", "/api/v1/me/sessions", 200, "/api/v1/me/sessions"),
        ("GET", "/auth/session", 200, "/auth/session"),
        ("DELETE", "/api/v1/basket/items/secret-id", 400, "/api/v1/basket/items/{line_id}"),
        ("GET", "/api/v1/me/sessions", 429, "/api/v1/me/sessions"),
        ("POST", "/api/v1/mandates", 415, "/api/v1/mandates"),
        ("GET", "/calendars/secret-token.ics?x", 400, "/calendars/{token}.ics"),
        ("POST", "/api/v1/audit/records", 405, "/api/v1/audit/records"),
        ("GET", "/api/v1/secret-path", 404, ""),
    ],
)
async def test_metrics_and_traces_name_a_route_as_people_ask_for_it_whoever_refuses(
    spans: InMemorySpanExporter, make_world: Any, method: str, path: str, status: int, route: str
) -> None:
    world = await make_world(**({"session_requests": 0} if status == 429 else {}))
    before = _answered(route, method, status)
    body = {"content": b"a", "headers": {"Content-Type": "text/plain"}} if status == 415 else {}
    async with world.browser(await world.session()) as browser:
        asked = path.replace("?x", "?=1") if status == 400 else path
        assert (await browser.request(method, asked, **body)).status_code == status
    assert _answered(route, method, status) == before + 1
    (span,) = spans.get_finished_spans()
    assert (span.name, (span.attributes or {})["http.route"]) == (f"{method} {route}".rstrip(), route)


ACT = "00-" + "ab" * 16 + "-" + "cd" * 8


@pytest.mark.req("P-03")
async def test_a_trace_begins_in_the_browser(spans: InMemorySpanExporter, make_world: Any) -> None:
    world = await make_world(trace_ratio=1)
    async with world.browser(await world.session()) as browser:
        await browser.get("/auth/session", headers={"traceparent": f"{ACT}-00", "tracestate": "who=secret"})
    (span,) = spans.get_finished_spans()
    assert (f"{span.context.trace_id:032x}", span.parent and f"{span.parent.span_id:016x}") == ("ab" * 16, "cd" * 8)
    assert "secret" not in _text((span,))


@pytest.mark.req("P-03")
async def test_nobody_outside_has_us_record_their_requests(spans: InMemorySpanExporter, make_world: Any) -> None:
    world = await make_world(trace_ratio=0)
    async with world.browser() as browser:
        await browser.get("/auth/session", headers={"traceparent": f"{ACT}-01"})
    assert spans.get_finished_spans() == ()
