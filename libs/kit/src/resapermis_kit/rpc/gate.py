"""The gate in front of every RPC: who asks, rights, deadlines, errors, traces, metrics; nothing else."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import grpc
import structlog
from google.protobuf.message import Message
from opentelemetry import trace
from opentelemetry.propagate import extract
from prometheus_client import Histogram

from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import Collided
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Code, Failure, malformed, to_status
from resapermis_kit.rpc.auth import HEADER, REFUSED, Caller, Verifier, current_caller, current_token
from resapermis_kit.rpc.authorization import Authorizer
from resapermis_kit.rpc.deadline import DEFAULT_DEADLINE_SECONDS, LEAST_USEFUL_SECONDS, deadline
from resapermis_kit.rpc.message_checks import Unreadable, checked
from resapermis_kit.tls.callers import Callers

COLLISION_PAUSES_SECONDS = (0.01, 0.05)
ANSWERED = Histogram(
    "resapermis_rpc_seconds",
    "Time to answer an RPC",
    ["method", "code"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 1, 2, 5, 10),
)
log = structlog.get_logger()
tracer = trace.get_tracer("resapermis.rpc")
Handler = Callable[[Any, Any], Awaitable[Any]]
_answered = functools.cache(ANSWERED.labels)
OUR_FAULT = frozenset({"UNSPECIFIED", "OVERLOADED", "UNAVAILABLE", "DEADLINE", "INTERNAL"})
"""Codes of answers that are errors of ours: nobody asked for the wrong thing, and RdvPermis is not the cause."""


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A call as the gate receives it, alone or out of a batch, before anybody knows who asks."""

    service: str
    """Whose certificate it came with."""
    metadata: Mapping[str, str]
    left: float
    """Seconds that its caller waits."""
    request: Message | Unreadable
    twice: bool = False
    """It named two principals."""


class Gate(grpc.aio.ServerInterceptor):
    """What happens around every RPC, in one place and in this order."""

    def __init__(
        self, verifier: Verifier, authorizer: Authorizer, callers: Callers, denied: Callable[[Denial], None]
    ) -> None:
        """Guard the methods of `needed`; `denied` is told of each refusal."""
        self.needed: dict[str, str] = {}
        """The permission that each method needs, by its path."""
        self._verifier = verifier
        self._authorizer = authorizer
        self._callers = callers
        self._denied = denied
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The method's handler with the gate around it, made once a method; health and reflection ask for a certificate alone."""
        method = handler_call_details.method
        handler = self._wrapped.get(method)
        if handler is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None  # an unknown method
            if method not in self.needed:
                handler = self._around_standard(method, handler)
            elif handler.response_streaming:  # many calls in one message: each comes to `pass_in` by itself
                handler = grpc.unary_stream_rpc_method_handler(
                    self._around_batch(method, handler.unary_stream),
                    handler.request_deserializer,
                    handler.response_serializer,
                )
            else:
                handler = grpc.unary_unary_rpc_method_handler(
                    self._around(method, handler.unary_unary),
                    checked(handler.request_deserializer),
                    handler.response_serializer,
                )
            self._wrapped[method] = handler
        return handler

    def _around_standard(self, method: str, handler: Any) -> Any:
        """Health and reflection, which need no right."""

        async def admit(context: grpc.aio.ServicerContext[Any, Any]) -> None:
            try:
                self._certified(context, method)
            except Failure as refusal:
                await context.abort_with_status(to_status(refusal))

        async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            await admit(context)
            return await (handler.unary_stream or handler.unary_unary)(request, context)

        async def converse(requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            await admit(context)
            async for one in handler.stream_stream(requests, context):
                yield one

        made = {
            (False, False): (grpc.unary_unary_rpc_method_handler, answer),
            (False, True): (grpc.unary_stream_rpc_method_handler, answer),  # it writes to its context
            (True, True): (grpc.stream_stream_rpc_method_handler, converse),
        }
        wrap, inner = made[handler.request_streaming, handler.response_streaming]
        return wrap(inner, handler.request_deserializer, handler.response_serializer)

    def _around(self, method: str, inner: Handler) -> Handler:
        async def answer(request: Message | Unreadable, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            metadata: dict[str, str] = {}
            twice = False
            for key, value in context.invocation_metadata() or ():
                twice |= key == HEADER and key in metadata
                metadata[key] = value if isinstance(value, str) else ""
            remaining: float | None = context.time_remaining()  # None without a deadline, whatever the stubs say
            left = DEFAULT_DEADLINE_SECONDS if remaining is None else min(remaining, 60.0)
            try:
                incoming = IncomingCall(self._certified(context, method), metadata, left, request, twice)
                return await self.pass_in(method, inner, incoming, context)
            except Failure as refusal:
                await context.abort_with_status(to_status(refusal))
                raise AssertionError from None  # abort always raises

        return answer

    def _around_batch(self, method: str, inner: Callable[[Any, str], AsyncIterator[Message]]) -> Any:
        permission = self.needed[method]

        async def answer(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Message]:
            try:
                caller = Caller(self._certified(context, method), None)
                try:
                    self._authorizer.require(caller, permission)
                    async for answers in inner(request, caller.service):
                        yield answers
                except Failure as refusal:
                    self._note(refusal, method, caller)
                    raise
            except Failure as refusal:
                await context.abort_with_status(to_status(refusal))

        return answer

    async def pass_in(self, method: str, inner: Handler, incoming: IncomingCall, context: Any) -> Message:
        """Answer a call, or raise why not: always a Failure. In a task of its own: what it sets is the call's."""
        started, short = time.monotonic(), method.rpartition(".")[2]
        metadata, who = incoming.metadata, Caller(incoming.service, None)
        # What is raised may quote data, so no span keeps it: its code and type say what happened.
        with tracer.start_as_current_span(
            short,
            context=extract(metadata),
            kind=trace.SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            name = "OK"
            try:
                if incoming.left < LEAST_USEFUL_SECONDS:
                    raise Failure(Code.CODE_DEADLINE, "too little time left to begin")  # noqa: TRY301
                who = self._who(incoming)
                self._authorizer.require(who, self.needed[method])
                current_caller.set(who)
                current_token.set(metadata.get(HEADER, ""))
                deadline.set(started + incoming.left)
                request = incoming.request
                if isinstance(request, Unreadable):
                    raise malformed(request.field, request.wrong)  # noqa: TRY301
                answered: Message = await _whole(inner, request, context)
                return answered  # noqa: TRY300 - the exceptions below are inner's
            except Failure as failure:
                name = failure.name
                self._note(failure, method, who)
                raise
            except asyncio.CancelledError:
                name = "CANCELLED"
                raise
            except Exception as error:  # noqa: BLE001 - the one place where the unexpected becomes INTERNAL
                name = "INTERNAL"
                error_id = str(new_id())
                log.error("rpc.unexpected", method=short, error_id=error_id, **_where(error))
                raise Failure(Code.CODE_INTERNAL, "unexpected; see error_id in the logs", error_id=error_id) from None
            finally:
                if span.is_recording():
                    _describe(span, method, name)
                _answered(short, name).observe(time.monotonic() - started)

    def _certified(self, context: grpc.aio.ServicerContext[Any, Any], method: str) -> str:
        """The service at the other end; refused where its certificate is not believed any more, or it does not call this one."""
        found = self._callers.of(context)
        try:
            self._callers.require(found)
        except Failure as refusal:
            self._note(refusal, method, Caller(found.service, None))
            raise
        return found.service

    def _note(self, refusal: Failure, method: str, who: Caller) -> None:
        """Have a refusal recorded that was decided here; another service's has been, by that one."""
        if not refusal.denied:
            return
        denial = Denial(refusal.denied, "rpc", method.removeprefix("/resapermis."), carrier=who.service)
        if who.person is not None:
            denial = replace(
                denial,
                account_id=who.person.account_id,
                session_id=who.person.session_id,
                school_id=who.person.school_id,
                roles=who.person.roles,
                place=who.person.place,
            )
        self._denied(denial)

    def _who(self, incoming: IncomingCall) -> Caller:
        try:
            if incoming.twice:
                REFUSED.labels("twice").inc()
                raise Failure(Code.CODE_UNAUTHENTICATED, "two principals in one call", denied="principal_twice")  # noqa: TRY301
            token = incoming.metadata.get(HEADER)
            return Caller(incoming.service, self._verifier.verify(token) if token else None)
        except Failure as refusal:
            log.warning("principal.refused", caller=incoming.service, reason=refusal.detail)
            raise


async def _whole(inner: Handler, request: Message, context: Any) -> Any:
    """Answer; where a transaction met another and was undone, do all of it again, at most twice.

    Commands carry a request id, so what an earlier transaction of the same act committed is found and not done twice.
    """
    for pause in COLLISION_PAUSES_SECONDS:
        try:
            return await inner(request, context)
        except Collided:
            await asyncio.sleep(pause)
    return await inner(request, context)


def _describe(span: trace.Span, method: str, code: str) -> None:
    """Attributes by OpenTelemetry's conventions for RPC, with our own code; what is our fault is an error."""
    service, _, name = method.removeprefix("/").rpartition("/")
    span.set_attributes({"rpc.system": "grpc", "rpc.service": service, "rpc.method": name, "resapermis.code": code})
    if code in OUR_FAULT:
        span.set_status(trace.StatusCode.ERROR)


def _where(error: BaseException) -> dict[str, str]:
    """Type and place of an unexpected error; its text may hold data, so it is not logged."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else ""
    return {"error_type": type(error).__qualname__, "place": place}
