"""Many calls in one message are many calls: each has its own principal, rights, deadline, refusal and answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from resapermis.batch.v1 import batch_pb2, batch_pb2_grpc
from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.mandate.v1 import mandate_pb2_grpc as rpc
from resapermis_kit.errors import Code, Failure, from_rpc_error
from resapermis_kit.rpc import batched_calls, peers
from resapermis_kit.rpc.auth import caller, current_token
from resapermis_kit.rpc.batch_servicer import LARGEST_ANSWERS, MOST_CALLS
from resapermis_kit.rpc.batched_calls import BatchedCalls
from resapermis_kit.rpc.deadline import remaining_seconds
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import RunningServer, Serve

SERVICE = pb.DESCRIPTOR.services_by_name["MandateService"]
CHECK = "/resapermis.mandate.v1.MandateService/CheckMandates"


class Mandates(rpc.MandateServiceServicer):
    """Answers with who asked; waits, breaks and refuses on demand."""

    def __init__(self) -> None:
        self.here = 0
        self.most_at_once = 0
        self.free = asyncio.Event()
        self.left = 0

    async def CheckMandates(self, request: pb.CheckMandatesRequest, context: Any) -> pb.CheckMandatesResponse:
        self.here += 1
        self.most_at_once = max(self.most_at_once, self.here)
        try:
            how = request.questions[0].candidate_id if request.questions else ""
            await asyncio.sleep(0)
            if how == "wait":
                await self.free.wait()
            if how == "break":
                raise RuntimeError
            if how == "refuse":
                raise Failure(Code.CODE_NO_MANDATE, "no mandate", rdvpermis_code="CANDIDAT_PAS_SOUS_MANDAT")
            found = f"{caller().school().school_id} {remaining_seconds():.0f}"
            answer = pb.MandateAnswer(candidate_id=found, rdvpermis_candidate_id="x" * (LARGEST_ANSWERS // 3))
            return pb.CheckMandatesResponse(
                answers=[answer if how == "large" else pb.MandateAnswer(candidate_id=found)]
            )
        finally:
            self.here -= 1
            self.left += 1


@pytest.fixture
def mandates() -> Mandates:
    return Mandates()


@pytest.fixture
async def running(serve: Serve, mandates: Mandates) -> RunningServer:
    return await serve("mandate", (rpc.add_MandateServiceServicer_to_server, mandates, SERVICE.full_name))


@pytest.fixture
async def batched(running: RunningServer) -> AsyncIterator[BatchedCalls]:
    async with running.channel("mandate", "basket") as channel:
        yield BatchedCalls(channel, SERVICE)


async def check(batched: BatchedCalls, token: str, how: str = "", seconds: float = 5) -> str:
    request = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(candidate_id=how)])
    answer = await peers.call(batched.method("CheckMandates"), request, timeout=seconds, principal=token)
    return str(answer.answers[0].candidate_id)


async def test_each_call_is_its_own_persons_and_all_are_answered_at_once(
    running: RunningServer, batched: BatchedCalls, mandates: Mandates
) -> None:
    tokens = [running.principal(school_id=f"s-{n}") for n in range(5)]
    found = await asyncio.gather(*(check(batched, token, seconds=3 + n) for n, token in enumerate(tokens)))
    assert found == [f"s-{n} {3 + n}" for n in range(5)]
    assert mandates.most_at_once == 5
    assert await check(batched, tokens[0]) == "s-0 5"  # alone
    assert caller_is_unset()


def caller_is_unset() -> bool:
    """What a call set is the call's."""
    return current_token.get() == ""


async def test_one_that_is_refused_breaks_or_has_no_right_harms_no_other(
    running: RunningServer, batched: BatchedCalls
) -> None:
    good, trainer = running.principal(), running.principal(roles=("trainer",))
    asked = [(good, ""), (good, "refuse"), (good, "break"), (trainer, ""), ("not.a.token", ""), ("", ""), (good, "")]
    found = await asyncio.gather(*(check(batched, *one) for one in asked), return_exceptions=True)
    codes = [one.code if isinstance(one, Failure) else "answered" for one in found]
    assert codes == [
        "answered",
        Code.CODE_NO_MANDATE,
        Code.CODE_INTERNAL,
        Code.CODE_FORBIDDEN,
        Code.CODE_UNAUTHENTICATED,
        Code.CODE_FORBIDDEN,  # basket itself acts for no school here
        "answered",
    ]
    assert isinstance(found[1], Failure)
    assert found[1].rdvpermis_code == "CANDIDAT_PAS_SOUS_MANDAT"


async def test_answers_come_as_they_are_ready(
    running: RunningServer, batched: BatchedCalls, mandates: Mandates
) -> None:
    slow = asyncio.create_task(check(batched, running.principal(), "wait"))
    assert await check(batched, running.principal()) == "school-1 5"
    assert not slow.done()
    assert await check(batched, running.principal()) == "school-1 5"  # nor do later ones wait for it
    mandates.free.set()
    assert await slow == "school-1 5"


async def test_each_has_its_own_deadline(running: RunningServer, batched: BatchedCalls, mandates: Mandates) -> None:
    token = running.principal()
    one, two = await asyncio.gather(
        check(batched, token, "wait", seconds=0.2), check(batched, token, seconds=5), return_exceptions=True
    )
    assert isinstance(one, Failure)
    assert one.code == Code.CODE_DEADLINE
    assert two == "school-1 5"

    async def nobody_works_on() -> bool:
        return mandates.here == 0

    await eventually(nobody_works_on)


async def test_answers_larger_than_a_message_come_in_several(running: RunningServer, batched: BatchedCalls) -> None:
    found = await asyncio.gather(*(check(batched, running.principal(), "large") for _ in range(20)))
    assert found == ["school-1 5"] * 20


async def test_only_whom_the_policy_names_may(running: RunningServer) -> None:
    async with running.channel("mandate", "notification") as channel:
        token = running.principal()
        calls = BatchedCalls(channel, SERVICE)
        for failed in await asyncio.gather(check(calls, token), check(calls, token), return_exceptions=True):
            assert isinstance(failed, Failure)
            assert failed.code == Code.CODE_UNAUTHENTICATED


async def refused(running: RunningServer, *calls: batch_pb2.Call) -> list[Code.ValueType]:
    async with running.channel("mandate", "basket") as channel:
        stub = batch_pb2_grpc.BatchServiceStub(channel)
        request = batch_pb2.ExecuteRequest(calls=calls)
        return [one.refusal.code async for response in stub.Execute(request, timeout=5) for one in response.results]


async def test_what_cannot_be_called_or_read_is_malformed(running: RunningServer) -> None:
    token = running.principal()
    itself = "/resapermis.batch.v1.BatchService/Execute"
    asked = [("/nobody/knows", b""), (itself, b""), (CHECK, b"\xff\xff"), ("", b"")]
    calls = [batch_pb2.Call(method=m, request=r, principal=token, left_milliseconds=5000) for m, r in asked]
    assert await refused(running, *calls) == [Code.CODE_MALFORMED] * 4
    late = batch_pb2.Call(method=CHECK, principal=token)
    assert await refused(running, late) == [Code.CODE_DEADLINE]
    assert await refused(running) == []


async def test_too_many_at_once_are_refused(running: RunningServer) -> None:
    call = batch_pb2.Call(method=CHECK, principal=running.principal(), left_milliseconds=5000)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await refused(running, *[call] * (MOST_CALLS + 1))
    assert from_rpc_error(caught.value).code == Code.CODE_MALFORMED


async def test_a_peer_that_goes_away_fails_all_who_wait(running: RunningServer, batched: BatchedCalls) -> None:
    token = running.principal()
    waiting = [asyncio.create_task(check(batched, token, "wait")) for _ in range(3)]
    assert await check(batched, token) == "school-1 5"
    await running.server.stop(0)
    for failed in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(failed, Failure)
        assert failed.code == Code.CODE_UNAVAILABLE


async def test_a_peer_of_a_release_that_knows_no_batches_is_called_one_by_one(
    running: RunningServer, batched: BatchedCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running.channel("mandate", "basket") as channel:
        older = channel.unary_stream(
            "/resapermis.batch.v2.BatchService/Execute",
            request_serializer=batch_pb2.ExecuteRequest.SerializeToString,
            response_deserializer=batch_pb2.ExecuteResponse.FromString,
        )
        monkeypatch.setattr(batched, "_call", older)
        for _ in range(2):
            tokens = [running.principal(school_id=f"s-{n}") for n in range(3)]
            found = await asyncio.gather(*(check(batched, token) for token in tokens))
            assert found == ["s-0 5", "s-1 5", "s-2 5"]


async def test_a_peer_that_has_moved_on_to_a_newer_release_is_found_to_know_batches(
    running: RunningServer, batched: BatchedCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batched_calls, "ALONE_SECONDS", 0.0)
    newer, sizes = batched._call, []
    async with running.channel("mandate", "basket") as channel:
        older = channel.unary_stream(
            "/resapermis.batch.v2.BatchService/Execute",
            request_serializer=batch_pb2.ExecuteRequest.SerializeToString,
            response_deserializer=batch_pb2.ExecuteResponse.FromString,
        )
        monkeypatch.setattr(batched, "_call", older)
        await asyncio.gather(*(check(batched, running.principal()) for _ in range(2)))

    def counted(request: Any, **more: float) -> Any:
        sizes.append(len(request.calls))
        return newer(request, **more)

    monkeypatch.setattr(batched, "_call", counted)
    await asyncio.gather(*(check(batched, running.principal()) for _ in range(2)))
    assert sizes == [2]


async def test_a_peer_that_answers_nonsense_or_not_all_is_a_failure(
    running: RunningServer, batched: BatchedCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nonsense(request: object, **_: float) -> AsyncIterator[batch_pb2.ExecuteResponse]:
        yield batch_pb2.ExecuteResponse(results=[batch_pb2.Result(call=0, answer=b"\xff\xff")])

    async def silence(request: object, **_: float) -> AsyncIterator[batch_pb2.ExecuteResponse]:
        yield batch_pb2.ExecuteResponse(results=[batch_pb2.Result(call=99, answer=b"")])

    for how in (nonsense, silence):
        monkeypatch.setattr(batched, "_call", how)
        both = (check(batched, running.principal()) for _ in range(2))
        for failed in await asyncio.gather(*both, return_exceptions=True):
            assert isinstance(failed, Failure)
            assert failed.code == Code.CODE_INTERNAL
