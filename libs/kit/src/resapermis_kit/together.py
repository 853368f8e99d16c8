"""Calls of one moment to the same service travel in one message (`together.v1`), each with its own principal.

A message between two services costs a third of a millisecond of either, whatever is in it; at an opening hundreds of
acts ask the same peers the same things. Who asks alone calls as ever.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from resapermis.together.v1 import together_pb2 as pb
from resapermis.together.v1 import together_pb2_grpc
from resapermis_kit.auth import HEADER
from resapermis_kit.errors import Code, Failure, from_rpc_error, malformed
from resapermis_kit.gathering import PATIENCE_SECONDS, Gathering
from resapermis_kit.reading import Read, reading
from resapermis_kit.rpc import Gate, Handler, Incoming

MOST_CALLS = 64
MOST_TOGETHER = 24
"""Of one lot. A longer one would have its first wait for its last."""
LARGEST_ANSWERS = 1024 * 1024
"""Bytes of answers after which the rest goes into the next message."""
ALONE_SECONDS = 60.0
"""How long a peer that knows no lots is called one by one before it is asked again: it may be of a newer release by then."""
TRACE = "traceparent"


@dataclass(frozen=True, slots=True)
class Method:
    """A method as its servicer answers it."""

    path: str
    answer: Handler
    read: Read


def methods(service: ServiceDescriptor, servicer: object) -> dict[str, Method]:
    """The unary methods of a servicer by their paths."""
    found = {}
    for method in service.methods:
        if method.server_streaming or method.client_streaming:
            continue
        path = f"/{service.full_name}/{method.name}"
        request: type[Message] = message_factory.GetMessageClass(method.input_type)
        found[path] = Method(path, getattr(servicer, method.name), reading(request.FromString))
    return found


class TogetherServicer:
    """The answering side: every call of a message goes through the gate by itself, all at once."""

    def __init__(self, gate: Gate, known: Mapping[str, Method]) -> None:
        """`known`: what may be called here, by path."""
        self._gate, self._known = gate, known

    async def Call(self, request: pb.CallRequest, service: str) -> AsyncIterator[pb.CallResponse]:
        """Answers as they are ready; those of one moment in one message."""
        if len(request.calls) > MOST_CALLS:
            raise malformed("calls", f"at most {MOST_CALLS}")
        ready: list[pb.Answered] = []
        more = asyncio.Event()

        async def one(index: int, call: pb.Asked) -> None:
            ready.append(await self._answered(index, call, service))
            more.set()

        tasks = [asyncio.create_task(one(index, call)) for index, call in enumerate(request.calls)]
        missing = len(tasks)
        try:
            while missing:
                await more.wait()
                await asyncio.sleep(0)  # those of the same moment
                more.clear()
                answers, ready[:] = list(ready), []
                missing -= len(answers)
                for some in _in_pieces(answers):
                    yield pb.CallResponse(answers=some)
        finally:
            for task in tasks:
                task.cancel()

    async def _answered(self, index: int, call: pb.Asked, service: str) -> pb.Answered:
        metadata = {TRACE: call.traceparent} if call.traceparent else {}
        if call.principal:
            metadata[HEADER] = call.principal
        left = call.left_milliseconds / 1000
        try:
            method = self._known.get(call.method)
            if method is None:
                raise malformed("method", "not one of this service")
            incoming = Incoming(service, metadata, left, method.read(call.request))
            async with asyncio.timeout(left):
                answer = await self._gate.pass_in(method.path, method.answer, incoming, None)
        except Failure as failure:
            return pb.Answered(call=index, refusal=failure.to_proto())
        except TimeoutError:
            return pb.Answered(call=index, refusal=Failure(Code.CODE_DEADLINE, "not answered in time").to_proto())
        return pb.Answered(call=index, answer=answer.SerializeToString())


def _in_pieces(answers: Sequence[pb.Answered]) -> list[list[pb.Answered]]:
    """So that no message grows beyond what a peer takes."""
    pieces: list[list[pb.Answered]] = [[]]
    size = 0
    for answer in answers:
        own = len(answer.answer)
        if pieces[-1] and size + own > LARGEST_ANSWERS:
            pieces.append([])
            size = 0
        pieces[-1].append(answer)
        size += own
    return pieces


class Single(Protocol):
    """A stub's unary method."""

    def __call__(self, request: Any, *, timeout: float, metadata: Sequence[tuple[str, str]]) -> Awaitable[Any]:
        """Call it."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call that waits for its lot."""

    path: str
    single: Single
    request: Message
    until: float
    """time.monotonic() until which its caller waits."""
    metadata: Mapping[str, str]
    read: Callable[[bytes], Message]

    @property
    def seconds(self) -> float:
        """How long its caller still waits."""
        return max(0.0, self.until - time.monotonic())


class CallsTogether:
    """The asking side: one service of a peer, through one channel."""

    def __init__(
        self, channel: grpc.aio.Channel, service: ServiceDescriptor, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """`patience_seconds`: how long calls wait for those under way, to make one lot; 0: only those of one turn do."""
        self._service, self._channel = service, channel
        self._call = together_pb2_grpc.TogetherServiceStub(channel).Call
        self._gathering = Gathering(self._lot, most=MOST_TOGETHER, patience_seconds=patience_seconds)
        self._reading: set[asyncio.Task[None]] = set()
        self._alone_until = 0.0
        """Until then (time.monotonic()) the peer is taken for one of a release that knows no lots."""

    def method(self, name: str) -> Single:
        """Calls of this method, to be used as the stub's own: with `peers.call` and `peers.ask`."""
        method = self._service.methods_by_name[name]
        path = f"/{self._service.full_name}/{name}"
        read = message_factory.GetMessageClass(method.output_type).FromString
        single: Single = self._channel.unary_unary(
            path, request_serializer=lambda request: request.SerializeToString(), response_deserializer=read
        )

        async def call(request: Any, *, timeout: float, metadata: Sequence[tuple[str, str]]) -> Any:  # noqa: ASYNC109 - a stub's
            asked = _Asked(path, single, request, time.monotonic() + timeout, dict(metadata), read)
            try:
                async with asyncio.timeout(timeout):
                    return await (await self._gathering.ask(asked))
            except TimeoutError:
                raise Failure(Code.CODE_DEADLINE, "a peer did not answer in time") from None

        return call

    async def _lot(self, asked: Sequence[_Asked]) -> Sequence[asyncio.Future[Any]]:
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

    async def _read(
        self, asked: Sequence[_Asked], answers: Sequence[asyncio.Future[Any]], began: asyncio.Event
    ) -> None:
        failure = Failure(Code.CODE_INTERNAL, "a peer left a call without an answer")
        try:
            request = pb.CallRequest(calls=[_wired(one) for one in asked])
            async for said in self._call(request, timeout=max(one.seconds for one in asked)):
                for one in said.answers:
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


async def _alone(asked: _Asked, answer: asyncio.Future[Any]) -> None:
    """Call as ever."""
    try:
        said = await asked.single(asked.request, timeout=asked.seconds, metadata=tuple(asked.metadata.items()))
    except Exception as error:  # noqa: BLE001 - whoever waits hears it as their own
        _refuse(answer, error)
    else:
        if not answer.done():
            answer.set_result(said)


def _wired(asked: _Asked) -> pb.Asked:
    return pb.Asked(
        method=asked.path,
        request=asked.request.SerializeToString(),
        principal=asked.metadata.get(HEADER, ""),
        traceparent=asked.metadata.get(TRACE, ""),
        left_milliseconds=max(0, int(asked.seconds * 1000)),
    )


def _settle(answer: asyncio.Future[Any], asked: _Asked, said: pb.Answered) -> None:
    if said.HasField("refusal"):
        _refuse(answer, Failure.from_proto(said.refusal))
    elif not answer.done():
        answer.set_result(asked.read(said.answer))


def _refuse(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # heard, also where the asker has gone
