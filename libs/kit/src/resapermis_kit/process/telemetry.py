"""Logs, traces, metrics and health of a process."""

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBasedTraceIdRatio
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from stamina.instrumentation import PrometheusOnRetryHook, set_on_retry_hooks

from resapermis_kit.errors import Failure
from resapermis_kit.process.settings import BusSettings
from resapermis_kit.tls.certificates import Certificates
from resapermis_kit.tls.otlp import OtlpExporter

FORBIDDEN_KEYS = re.compile(
    r"name|nom|prenom|neph|numero|mail|token|secret|password|cookie|authorization|code$", re.IGNORECASE
)
ALLOWED_KEYS = frozenset({"centre_name", "error_code", "rdvpermis_code", "code", "table_name"})
CHECK_SECONDS = 1.0
"""Between two rounds of a process's checks."""
LOOKS_PERSONAL = re.compile(r"[\w.+-]+@[\w-]+\.\w+|\b\d{12,14}\b|\beyJ[\w-]{10,}|\bBearer\s+\S+", re.IGNORECASE)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Last line of defence: no field that could hold a person or a secret leaves in a log line."""
    for key, value in event.items():
        if key not in ALLOWED_KEYS and FORBIDDEN_KEYS.search(key):
            event[key] = "[redacted]"
        elif isinstance(value, str) and LOOKS_PERSONAL.search(value):
            event[key] = LOOKS_PERSONAL.sub("[redacted]", value)
    return event


def _trace_id(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace"] = f"{context.trace_id:032x}"
    return event


def configure(service: str, settings: BusSettings, certificates: Certificates) -> None:
    """Set up JSON logs on standard output and traces to OTLP where an endpoint is set. Once a process."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace_id,
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    set_on_retry_hooks([PrometheusOnRetryHook])  # counted; `peers.ask` says once that a peer is away
    logging.basicConfig(level=logging.WARNING, format='{"level":"%(levelname)s","logger":"%(name)s","event":"library"}')
    resource = Resource.create({"service.name": service, "service.namespace": "resapermis"})
    if settings.otlp_endpoint:
        provider = TracerProvider(ParentBasedTraceIdRatio(settings.trace_ratio), resource)
        provider.add_span_processor(BatchSpanProcessor(OtlpExporter(settings.otlp_endpoint, certificates)))
    else:  # nobody receives spans, so none is recorded; trace ids go on, as journal and logs carry them
        provider = TracerProvider(ALWAYS_OFF, resource)
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(TraceContextTextMapPropagator())  # no baggage: nobody here puts any in


def begun_outside(traceparent: str, ratio: float, draw: Callable[[], float] = random.random) -> Context:
    """The trace that a browser or a proxy began, with our own word on whether it is recorded; an empty context without one.

    `traceparent` as W3C Trace Context writes it. Its ids go on, so that a trace begins where a person pressed; its `sampled`
    flag and any `tracestate` do not: strangers would fill the store of traces. Nor do we judge by its id, which they choose:
    `draw` (0 to below 1) decides, recorded below `ratio`.
    """
    given = trace.get_current_span(propagate.extract({"traceparent": traceparent})).get_span_context()
    if not given.is_valid:
        return Context()
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if draw() < ratio else trace.TraceFlags.DEFAULT)
    own = trace.SpanContext(given.trace_id, given.span_id, is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(own), Context())


class Health:
    """Whether a process is ready (started, and each named check passes), and whether it is warm too: what begins beside it is done.

    Ready is what a balancer asks before it sends anything, and depends on no other service. Warm is what the first acts need.
    """

    def __init__(self) -> None:
        """Not ready yet."""
        self.started = False
        self.checks: dict[str, Callable[[], Awaitable[None]]] = {}
        self.warm: dict[str, Callable[[], bool]] = {}
        """Whether what the first acts would wait for, or fail of, is there; answered from memory."""
        self.platform: Callable[[], Awaitable[list[str]]] = self._alone
        """What keeps this process and those that it calls from serving; `Process.warm_up` says how it is found."""
        self._failed: list[str] = []
        """Names of the checks that failed when they were last made."""

    async def problems(self) -> list[str]:
        """Names of what is not ready now; each check is made, and has two seconds."""
        await self.check()
        return self.known()

    def known(self) -> list[str]:
        """The same as it was last found, for who may ask as often as they like."""
        return ([] if self.started else ["starting"]) + self._failed

    def cold(self) -> list[str]:
        """Names of what is not ready, as last found, and of what is not warm now; empty: the first acts are served."""
        return self.known() + [name for name, warm in self.warm.items() if not warm()]

    async def _alone(self) -> list[str]:
        return self.cold()

    async def check(self) -> None:
        """Make each check."""
        failed = []
        for name, check in self.checks.items():
            try:
                await asyncio.wait_for(check(), 2)
            except (Failure, OSError, TimeoutError):
                failed.append(name)
        self._failed = failed

    async def watch(self, then: Callable[[], Awaitable[None]] | None = None) -> None:
        """Make each check about once a second, for ever; `then` is told each time."""
        while True:
            await self.check()
            if then is not None:
                await then()
            await asyncio.sleep(CHECK_SECONDS)
