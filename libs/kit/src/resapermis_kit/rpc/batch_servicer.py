"""The answering side of calls that travel in one message: each goes through the gate with its own principal."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from resapermis.batch.v1 import batch_pb2 as pb
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import HEADER
from resapermis_kit.rpc.gate import Gate, Handler, IncomingCall
from resapermis_kit.rpc.message_checks import Read, checked

MOST_CALLS = 64
LARGEST_ANSWERS = 1024 * 1024
"""Bytes of answers after which the rest goes into the next message."""
TRACE = "traceparent"


@dataclass(frozen=True, slots=True)
class Method:
    """One batched method: its full path, the servicer's handler, and how its request is read from bytes."""

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
        found[path] = Method(path, getattr(servicer, method.name), checked(request.FromString))
    return found


class BatchServicer:
    """The answering side: every call of a message goes through the gate by itself, all at once."""

    def __init__(self, gate: Gate, known: Mapping[str, Method]) -> None:
        """`known`: what may be called here, by path."""
        self._gate, self._known = gate, known

    async def Execute(self, request: pb.ExecuteRequest, service: str) -> AsyncIterator[pb.ExecuteResponse]:
        """Answers as they are ready; those of one moment in one message."""
        if len(request.calls) > MOST_CALLS:
            raise malformed("calls", f"at most {MOST_CALLS}")
        ready: list[pb.Result] = []
        more = asyncio.Event()

        async def one(index: int, call: pb.Call) -> None:
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
                    yield pb.ExecuteResponse(results=some)
        finally:
            for task in tasks:
                task.cancel()

    async def _answered(self, index: int, call: pb.Call, service: str) -> pb.Result:
        metadata = {TRACE: call.traceparent} if call.traceparent else {}
        if call.principal:
            metadata[HEADER] = call.principal
        left = call.left_milliseconds / 1000
        try:
            method = self._known.get(call.method)
            if method is None:
                raise malformed("method", "not one of this service")
            incoming = IncomingCall(service, metadata, left, method.read(call.request))
            async with asyncio.timeout(left):
                answer = await self._gate.pass_in(method.path, method.answer, incoming, None)
        except Failure as failure:
            return pb.Result(call=index, refusal=failure.to_proto())
        except TimeoutError:
            return pb.Result(call=index, refusal=Failure(Code.CODE_DEADLINE, "not answered in time").to_proto())
        return pb.Result(call=index, answer=answer.SerializeToString())


def _in_pieces(answers: Sequence[pb.Result]) -> list[list[pb.Result]]:
    """Results in messages of about 1 MiB at most: a peer takes none above `LARGEST_MESSAGE`."""
    pieces: list[list[pb.Result]] = [[]]
    size = 0
    for answer in answers:
        own = len(answer.answer)
        if pieces[-1] and size + own > LARGEST_ANSWERS:
            pieces.append([])
            size = 0
        pieces[-1].append(answer)
        size += own
    return pieces
