"""The asking side: calls of many acts to the same service travel in one message, each with its own principal.

A message between two services costs a third of a millisecond of either, whatever is in it; at an opening hundreds of
acts ask the same peers the same things. Who has a list asks with it (`ask_all`); of those who ask one by one, the calls of
one moment go together (`method`). Who asks alone calls as ever.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from resapermis.batch.v1 import batch_pb2 as pb
from resapermis.batch.v1 import batch_pb2_grpc
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import HEADER
from resapermis_kit.rpc.batcher import PATIENCE_SECONDS, Batcher
from resapermis_kit.rpc.peers import failure_of, is_away, sent_along, tries_while_away

LARGEST_BATCH = 24
"""Calls. A longer batch would have its first wait for its last."""
ALONE_SECONDS = 60.0
"""How long a peer that knows no batches is called one by one before it is asked again: it may be of a newer release by then."""
TRACE = "traceparent"
UNANSWERED = Failure(Code.CODE_INTERNAL, "a peer left a call without an answer")


class UnaryCall(Protocol):
    """How a stub's unary method is called: seconds until its deadline, metadata as (key, value) pairs."""

    def __call__(self, request: Any, *, timeout: float, metadata: Sequence[tuple[str, str]]) -> Awaitable[Any]:
        """The answer; AioRpcError or Failure where there is none."""


@dataclass(frozen=True, slots=True)
class _Method:
    """A unary method of the service."""

    path: str
    single: UnaryCall
    read: Callable[[bytes], Message]


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that waits for its batch."""

    method: _Method
    request: Message
    until: float
    """time.monotonic() until which its caller waits."""
    metadata: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """How long its caller still waits."""
        return max(0.0, self.until - time.monotonic())


class Act(Protocol):
    """Somebody who asks, among others."""

    @property
    def context(self) -> Context:
        """Theirs: whose principal, deadline and trace go along with the question."""


K = TypeVar("K", bound=Act)


class BatchedCalls:
    """One service of a peer, through one channel."""

    def __init__(
        self, channel: grpc.aio.Channel, service: ServiceDescriptor, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """`patience_seconds`: how long calls wait for those under way, to make one batch; 0: only those of one turn do."""
        self._service, self._channel = service, channel
        self._call = batch_pb2_grpc.BatchServiceStub(channel).Execute
        self._batcher = Batcher(self._batch, most=LARGEST_BATCH, patience_seconds=patience_seconds)
        self._methods: dict[str, _Method] = {}
        self._reading: set[asyncio.Task[None]] = set()
        self._alone_until = 0.0
        """Until then (time.monotonic()) the peer is taken for one of a release that knows no batches."""

    def method(self, name: str) -> UnaryCall:
        """Calls of this method, to be used as the stub's own: with `peers.call` and `peers.ask`."""
        known = self._method(name)

        async def call(request: Any, *, timeout: float, metadata: Sequence[tuple[str, str]]) -> Any:  # noqa: ASYNC109 - a stub's
            asked = _Call(known, request, time.monotonic() + timeout, dict(metadata))
            try:
                async with asyncio.timeout(timeout):
                    return await (await self._batcher.submit(asked))
            except TimeoutError:
                raise Failure(Code.CODE_DEADLINE, "a peer did not answer in time") from None

        return call

    async def ask_all(self, name: str, asked: Mapping[K, Message]) -> AsyncIterator[dict[K, Any]]:
        """Ask as `peers.ask` does, for all of them in one message, each in its own context.

        Yields, as they come, the answers of one moment: of each act its own, or its Failure. At most 24 at once.
        """
        away = dict[K, Failure]()
        async for answered in self._try(name, asked, away):
            yield answered
        if not away:
            return
        try:
            async for attempt in tries_while_away():
                with attempt:
                    if attempt.num > 1:
                        async for answered in self._try(name, {one: asked[one] for one in away}, away):
                            yield answered
                    if away:
                        raise next(iter(away.values()))
        except Failure as failure:
            if not is_away(failure):
                raise
            yield dict(away)

    async def _try(self, name: str, asked: Mapping[K, Message], away: dict[K, Failure]) -> AsyncIterator[dict[K, Any]]:
        """Ask once; yields answers as they come, and leaves in `away` the failures of those to be asked again.

        Who has no time left is answered with what kept `away` from an answer before, or else with their deadline.
        """
        before = dict(away)
        away.clear()
        calls, late = dict[K, _Call](), dict[K, Any]()
        for one, request in asked.items():
            try:
                seconds, metadata = one.context.run(sent_along)
                calls[one] = _Call(self._method(name), request, time.monotonic() + seconds, metadata)
            except Failure as too_late:
                late[one] = before.get(one, too_late)
        if late:
            yield late
        asking = list(calls)
        async for some in self._execute(list(calls.values())):
            answered = dict[K, Any]()
            for n, answer in some:
                (away if is_away(answer) else answered)[asking[n]] = answer
            if answered:
                yield answered

    def _method(self, name: str) -> _Method:
        known = self._methods.get(name)
        if known is None:
            method = self._service.methods_by_name[name]
            path = f"/{self._service.full_name}/{name}"
            read = message_factory.GetMessageClass(method.output_type).FromString
            single: UnaryCall = self._channel.unary_unary(
                path, request_serializer=lambda request: request.SerializeToString(), response_deserializer=read
            )
            known = self._methods[name] = _Method(path, single, read)
        return known

    async def _batch(self, asked: Sequence[_Call]) -> Sequence[asyncio.Future[Any]]:
        """Send them; return once the first answers are there, with what will be each one's answer."""
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[Any]] = [loop.create_future() for _ in asked]
        began = asyncio.Event()
        task = asyncio.create_task(self._settle(asked, answers, began))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)
        await began.wait()
        return answers

    async def _settle(
        self, asked: Sequence[_Call], answers: Sequence[asyncio.Future[Any]], began: asyncio.Event
    ) -> None:
        try:
            async for some in self._execute(asked):
                for n, answer in some:
                    _answer(answers[n], answer)
                began.set()
        finally:
            for one in answers:
                _answer(one, UNANSWERED)
            began.set()

    async def _execute(self, asked: Sequence[_Call]) -> AsyncIterator[list[tuple[int, Any]]]:
        """Send them; yields the answers of one moment as they come: each call's place, and its answer or failure, once."""
        missing = set(range(len(asked)))
        failure = UNANSWERED
        alone = len(asked) <= 1 or time.monotonic() < self._alone_until
        try:
            if not alone:
                request = pb.ExecuteRequest(calls=[_wired(one) for one in asked])
                async for response in self._call(request, timeout=max(one.seconds for one in asked)):
                    some = [(one.call, _read(asked[one.call], one)) for one in response.results if one.call in missing]
                    missing.difference_update(n for n, _ in some)
                    yield some
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            alone = error.code() is grpc.StatusCode.UNIMPLEMENTED
            if alone:
                self._alone_until = time.monotonic() + ALONE_SECONDS
        except DecodeError:
            pass
        if len(asked) == 1:
            yield [(0, await _alone(asked[0]))]
        elif alone:
            tasks = {asyncio.ensure_future(_alone(asked[n])): n for n in sorted(missing)}
            while tasks:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                yield [(tasks.pop(one), one.result()) for one in done]
        elif missing:
            yield [(n, failure) for n in sorted(missing)]


async def _alone(asked: _Call) -> Any:
    """Make one call by itself, with its own deadline and metadata: its answer, or its error to whoever waits."""
    try:
        return await asked.method.single(asked.request, timeout=asked.seconds, metadata=tuple(asked.metadata.items()))
    except grpc.aio.AioRpcError as error:
        return failure_of(error)
    except Exception as error:  # noqa: BLE001 - whoever waits gets it as their own
        return error


def _wired(asked: _Call) -> pb.Call:
    return pb.Call(
        method=asked.method.path,
        request=asked.request.SerializeToString(),
        principal=asked.metadata.get(HEADER, ""),
        traceparent=asked.metadata.get(TRACE, ""),
        left_milliseconds=max(0, int(asked.seconds * 1000)),
    )


def _read(asked: _Call, result: pb.Result) -> Any:
    return Failure.from_proto(result.refusal) if result.HasField("refusal") else asked.method.read(result.answer)


def _answer(waiting: asyncio.Future[Any], answer: Any) -> None:
    if waiting.done():
        return
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
        waiting.exception()  # retrieved, also where the asker has gone
    else:
        waiting.set_result(answer)
