"""A trace goes on where an event is handled, over the bus."""

from typing import Any

import pytest
from events_world import SOURCE, consumer, has, publish, running
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from resapermis_kit.clock import utc_now
from resapermis_kit.events import relay as kit_relay
from resapermis_kit.events import stream_handler
from resapermis_kit.events.outbox import Outbox
from resapermis_testing.eventually import eventually
from resapermis_testing.nats import make_streams
from resapermis_testing.postgres import MakeEngine


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> tuple[TracerProvider, InMemorySpanExporter]:
    exporter, made = InMemorySpanExporter(), TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(stream_handler, "tracer", made.get_tracer("test"))
    return made, exporter


def handled(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name.startswith("handle ")]


@pytest.mark.req("P-03")
async def test_a_handler_goes_on_with_the_trace_of_the_act_that_published(
    make_engine: MakeEngine, make_bus: Any, provider: tuple[TracerProvider, InMemorySpanExporter]
) -> None:
    made, exporter = provider
    source, sink, bus = await make_engine("kit_sample"), await make_engine("kit_sample"), await make_bus(SOURCE)
    await make_streams(bus, SOURCE, "audit")
    box = Outbox(SOURCE)
    async with running(kit_relay.relay(source, bus, box, utc_now), consumer(sink, source).run(bus)):
        acts = []
        for one in "ab":
            with made.get_tracer("test").start_as_current_span("act") as act:
                await publish(source, box, one)
                acts.append(act.get_span_context())
        await eventually(lambda: has(sink, ["a", "b"]))
    assert [span.context.trace_id for span in handled(exporter)] == [act.trace_id for act in acts]
    assert [span.parent.span_id for span in handled(exporter) if span.parent] == [act.span_id for act in acts]
    assert acts[0].trace_id != acts[1].trace_id
