"""A trace goes on where an event is handled, over the bus; whose trace that is, and what a span may not keep."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from events_world import SOURCE, consumer, events_of, handler, has, publish, running
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import Tx
from resapermis_kit.events import relay as kit_relay
from resapermis_kit.events import stream_handler
from resapermis_kit.events.event import BatchHandler, Event
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.process.telemetry import begun_outside
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


def _act(number: int, *, recorded: bool = True) -> str:
    return f"00-{number:032x}-{number:016x}-{'01' if recorded else '00'}"


async def _batch(make_engine: MakeEngine, acts: list[str], handle: Any) -> None:
    """Hand a batch of one event for each of `acts` to `handle`."""
    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), *map(str, range(len(acts))))
    events = [replace(event, traceparent=act) for event, act in zip(await events_of(source), acts, strict=True)]
    await handler(sink, source, handle).handle(events)


async def _nothing(tx: Tx, read: Any) -> None:
    """A batch is handled."""


@pytest.mark.req("P-03")
async def test_a_batch_of_several_acts_is_linked_to_each_that_is_recorded(
    make_engine: MakeEngine, provider: tuple[TracerProvider, InMemorySpanExporter]
) -> None:
    acts = [_act(1), _act(2), _act(2), _act(3, recorded=False), "", _act(4), _act(5, recorded=False)]
    await _batch(make_engine, acts, BatchHandler(_nothing))
    (span,) = handled(provider[1])
    assert (span.context.trace_id, span.parent and span.parent.span_id) == (4, 4)
    assert [(link.context.trace_id, link.context.span_id) for link in span.links] == [(1, 1), (2, 2)]
    attributes = span.attributes or {}
    assert attributes["messaging.batch.message_count"] == len(acts)
    assert attributes["messaging.destination.name"] == "events-mandate"


async def test_a_batch_that_nobody_records_makes_no_span(
    make_engine: MakeEngine, provider: tuple[TracerProvider, InMemorySpanExporter]
) -> None:
    await _batch(make_engine, [_act(1, recorded=False), _act(2, recorded=False)], BatchHandler(_nothing))
    assert handled(provider[1]) == []


@pytest.mark.req("D-03")
async def test_what_a_handler_raises_is_in_no_span_but_by_its_type(
    make_engine: MakeEngine, provider: tuple[TracerProvider, InMemorySpanExporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(tx: Tx, message: Any, event: Event) -> None:
        raise LookupError("Camille Martin")

    monkeypatch.setattr(stream_handler, "ATTEMPTS", 1)
    await _batch(make_engine, [_act(1)], breaks)
    spans = handled(provider[1])
    assert {(span.attributes or {})["error.type"] for span in spans} == {"LookupError"}
    assert all(span.status.status_code is trace.StatusCode.ERROR for span in spans)
    assert "Camille" not in "".join(span.to_json() for span in spans)


@pytest.mark.req("P-03")
@pytest.mark.parametrize(("drawn", "recorded"), [(0.0, True), (0.04, True), (0.05, False), (0.9, False)])
@pytest.mark.parametrize("asked", [True, False])
def test_whether_a_strangers_trace_is_recorded_is_our_own_word(drawn: float, *, recorded: bool, asked: bool) -> None:
    begun = trace.get_current_span(begun_outside(_act(7, recorded=asked), 0.05, lambda: drawn)).get_span_context()
    assert (begun.trace_id, begun.span_id, begun.is_remote) == (7, 7, True)
    assert begun.trace_flags.sampled is recorded


@pytest.mark.parametrize(
    "written",
    ["", "x", f"00-{0:032x}-{1:016x}-01", f"00-{1:032x}-{0:016x}-01", "ff" + _act(1)[2:], _act(1).upper() + "G"],
)
def test_what_is_no_trace_begins_none(written: str) -> None:
    assert not trace.get_current_span(begun_outside(written, 1, lambda: 0.0)).get_span_context().is_valid


@pytest.mark.req("P-03")
async def test_the_age_of_each_event_is_measured_once_it_is_handled(make_engine: MakeEngine) -> None:
    labels = {"source": SOURCE, "stream": "events"}

    def measured() -> tuple[float, float]:
        name = "resapermis_event_age_seconds"
        found = [REGISTRY.get_sample_value(f"{name}_{one}", labels) for one in ("count", "sum")]
        return found[0] or 0, found[1] or 0

    source, sink = await make_engine("kit_sample"), await make_engine("kit_sample")
    await publish(source, Outbox(SOURCE), "a", "b")
    hour_ago = [replace(one, occurred_at=one.occurred_at - timedelta(hours=1)) for one in await events_of(source)]
    before = measured()
    for _ in range(2):  # the second time they are no news
        await handler(sink, source).handle(hour_ago)
    after = measured()
    assert after[0] == before[0] + 2
    assert 7200 <= after[1] - before[1] < 7260
