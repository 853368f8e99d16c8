"""The asking side: calls of one moment to the same service travel in one message, each with its own principal.

A message between two services costs a third of a millisecond of either, whatever is in it; at an opening hundreds of
acts ask the same peers the same things. Who asks alone calls as ever.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from resapermis.batch.v1 import batch_pb2 as pb
from resapermis.batch.v1 import batch_pb2_grpc
from resapermis_kit.errors import Code, Failure, from_rpc_error
from resapermis_kit.rpc.auth import HEADER
from resapermis_kit.rpc.batcher import PATIENCE_SECONDS, Batcher

LARGEST_BATCH = 24
"""Calls. A longer batch would have its first wait for its last."""
ALONE_SECONDS = 60.0
"""How long a peer that knows no batches is called one by one before it is asked again: it may be of a newer release by then."""
TRACE = "traceparent"


class UnaryCall(Protocol):
    """How a stub's unary method is called: seconds until its deadline, metadata as (key, value) pairs."""

    def __call__(self, request: Any, *, timeout: float, metadata: Sequence[tuple[str, str]]) -> Awaitable[Any]:
        """The answer; AioRpcError or Failure where there is none."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that waits for its batch."""

    path: str
    single: UnaryCall
    request: Message
    until: float
    """time.monotonic() until which its caller waits."""
    metadata: Mapping[str, str]
    read: Callable[[bytes], Message]

    @property
    def seconds(self) -> float:
        """How long its caller still waits."""
        return max(0.0, self.until - time.monotonic())


class BatchedCalls:
    """One service of a peer, through one channel."""

    def __init__(
        self, channel: grpc.aio.Channel, service: ServiceDescriptor, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """`patience_seconds`: how long calls wait for those under way, to make one batch; 0: only those of one turn do."""
        self._service, self._channel = service, channel
        self._call = batch_pb2_grpc.BatchServiceStub(channel).Execute
        self._batcher = Batcher(self._batch, most=LARGEST_BATCH, patience_seconds=patience_seconds)
        self._reading: set[asyncio.Task[None]] = set()
        self._alone_until = 0.0
        """Until then (time.monotonic()) the peer is taken for one of a release that knows no batches."""

    def method(self, name: str) -> UnaryCall:
        """Calls of this method, to be used as the stub's own: with `peers.call` and `peers.ask`."""
        method = self._service.methods_by_name[name]
        path = f"/{self._service.full_name}/{name}"
        read = message_factory.GetMessageClass(method.output_type).FromString
        single: UnaryCall = self._channel.unary_unary(
            path, request_serializer=lambda request: request.SerializeToString(), response_deserializer=read
        )

        async def call(request: Any, *, timeout: float, metadata: Sequence[tuple[str, str]]) -> Any:  # noqa: ASYNC109 - a stub's
            asked = _Call(path, single, request, time.monotonic() + timeout, dict(metadata), read)
            try:
                async with asyncio.timeout(timeout):
                    return await (await self._batcher.submit(asked))
            except TimeoutError:
                raise Failure(Code.CODE_DEADLINE, "a peer did not answer in time") from None

        return call

    async def _batch(self, asked: Sequence[_Call]) -> Sequence[asyncio.Future[Any]]:
        """Send them; return once the first answers are there, with what will be each one's answer."""
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[Any]] = [loop.create_future() for _ in asked]
        if len(asked) == 1:
            await _alone(asked[0], answers[0])
            return answers
        if time.monotonic() < self._alone_until:
            await asyncio.gather(*map(_alone, asked, answers))
            return answers
        began = asyncio.Event()
        task = asyncio.create_task(self._read(asked, answers, began))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)
        await began.wait()
        return answers

    async def _read(self, asked: Sequence[_Call], answers: Sequence[asyncio.Future[Any]], began: asyncio.Event) -> None:
        failure = Failure(Code.CODE_INTERNAL, "a peer left a call without an answer")
        try:
            request = pb.ExecuteRequest(calls=[_wired(one) for one in asked])
            async for response in self._call(request, timeout=max(one.seconds for one in asked)):
                for one in response.results:
                    _settle(answers[one.call], asked[one.call], one)
                began.set()
        except grpc.aio.AioRpcError as error:
            failure = from_rpc_error(error)
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                self._alone_until = time.monotonic() + ALONE_SECONDS
                await asyncio.gather(*map(_alone, asked, answers))
        except (DecodeError, IndexError):
            pass
        finally:
            for answer in answers:
                _refuse(answer, failure)
            began.set()


async def _alone(asked: _Call, answer: asyncio.Future[Any]) -> None:
    """Make one call by itself, with its own deadline and metadata; its answer or error goes to whoever waits."""
    try:
        response = await asked.single(asked.request, timeout=asked.seconds, metadata=tuple(asked.metadata.items()))
    except Exception as error:  # noqa: BLE001 - whoever waits gets it as their own
        _refuse(answer, error)
    else:
        if not answer.done():
            answer.set_result(response)


def _wired(asked: _Call) -> pb.Call:
    return pb.Call(
        method=asked.path,
        request=asked.request.SerializeToString(),
        principal=asked.metadata.get(HEADER, ""),
        traceparent=asked.metadata.get(TRACE, ""),
        left_milliseconds=max(0, int(asked.seconds * 1000)),
    )


def _settle(answer: asyncio.Future[Any], asked: _Call, result: pb.Result) -> None:
    if result.HasField("refusal"):
        _refuse(answer, Failure.from_proto(result.refusal))
    elif not answer.done():
        answer.set_result(asked.read(result.answer))


def _refuse(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # retrieved, also where the asker has gone
