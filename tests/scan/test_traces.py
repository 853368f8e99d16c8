"""One trace leads from the browser's request through gateway, services, RdvPermis' door and the bus to whoever handles its events."""

import secrets
from collections.abc import Iterator

import pytest
from journey import DrivingSchool, Schools, until

from resapermis_testing.stand_ins.otlp import ReceivedSpan, SpanReceiver

pytestmark = [pytest.mark.xdist_group("scan"), pytest.mark.long_only, pytest.mark.timeout(300)]
SERVERS = {
    ("auth-gateway", "POST /api/v1/basket/items"),
    ("basket", "BasketService/HoldSlots"),
    ("mandate", "MandateService/CheckMandates"),
    ("scheduling-rules", "SchedulingService/Evaluate"),
    ("egress", "RdvPermisService/HoldSlots"),
}
HANDLERS = {
    ("audit", "handle Record"),
    ("notification", "handle LineChanged"),
    ("scheduling-rules", "handle LineChanged"),
}


@pytest.fixture
def school(schools: Schools) -> Iterator[DrivingSchool]:
    made = schools.new()
    yield made
    made.web.headers.pop("traceparent", None)


def _reached(spans: list[ReceivedSpan], trace: str, browser: str) -> list[ReceivedSpan]:
    """Whatever is below the browser's span, step by step, and what is linked to a step."""
    found: dict[str, ReceivedSpan] = {}
    edge = {browser}
    while edge:
        below = {
            span.id: span
            for span in spans
            if (span.trace == trace and span.parent in edge)
            or any(link in {(trace, one) for one in edge} for link in span.links)
        }
        edge = below.keys() - found.keys()
        found |= below
    return list(found.values())


@pytest.mark.req("P-03")
def test_one_trace_leads_from_the_browser_to_the_consumers(school: DrivingSchool, receiver: SpanReceiver) -> None:
    slots, person = school.slots(1), school.candidate()
    trace, browser = secrets.token_hex(16), secrets.token_hex(8)
    school.web.headers["traceparent"] = f"00-{trace}-{browser}-00"
    school.held(slots, [person])
    del school.web.headers["traceparent"]

    def missing() -> set[tuple[str, str]]:
        reached = _reached(receiver.spans(), trace, browser)
        return (SERVERS | HANDLERS) - {(span.service, span.name) for span in reached}

    until(lambda: not missing(), f"spans of every step, without {missing()}")
    reached = _reached(receiver.spans(), trace, browser)
    kinds = {(span.service, span.name): span.kind for span in reached}
    assert {step: kinds[step] for step in SERVERS} == dict.fromkeys(SERVERS, "SERVER")
    assert {step: kinds[step] for step in HANDLERS} == dict.fromkeys(HANDLERS, "CONSUMER")
    assert {span.service for span in reached if span.kind == "CLIENT"} == {"egress"}

    (first,) = (span for span in reached if span.parent == browser)
    assert (first.service, first.attributes["http.route"]) == ("auth-gateway", "/api/v1/basket/items")
    assert first.attributes["http.response.status_code"] == 201

    def recorded() -> bool:
        records = school.get("/api/v1/audit/records", limit=50)["items"]
        return any(one["correlationId"] == trace for one in records)

    until(recorded, "the journal to name the trace")
