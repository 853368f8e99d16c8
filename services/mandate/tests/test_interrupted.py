"""A request for a mandate that is cut off: asked of RdvPermis once at most, and answered to whoever repeats it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from mandate_service import Service, refusal_of

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc as rdv_rpc
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc import peers
from resapermis_kit.tls.certificates import Certificates
from resapermis_mandate.mandates import Mandates

Create = Callable[..., Awaitable[rdv.CreateMandateResponse]]
DRAFT, PENDING, CANCELLED = pb.MANDATE_STATE_DRAFT, pb.MANDATE_STATE_PENDING, pb.MANDATE_STATE_CANCELLED


class EgressWith:
    """The stub of egress with another CreateMandate."""

    def __init__(self, stub: Any, create: Create) -> None:
        self.CreateMandate, self.SearchMandates = create, stub.SearchMandates


def request_for(candidate_id: str, request_id: str) -> pb.RequestMandateRequest:
    return pb.RequestMandateRequest(request_id=request_id, candidate_id=candidate_id, category="B")


# A process that dies


@asynccontextmanager
async def dead_process(
    service: Service, request: pb.RequestMandateRequest, make: Callable[[Callable[[], Awaitable[None]]], Mandates]
) -> AsyncIterator[None]:
    """Answer `request` on a replica that goes on for ever at the point where `make` has it await the end.

    To everybody else it is dead there: what it holds in memory does nothing more, and what it committed stays.
    """
    reached, never = asyncio.Event(), asyncio.Event()

    async def end() -> None:
        reached.set()
        await never.wait()

    dying = asyncio.create_task(service.call_replica(make(end), "RequestMandate", request))
    await reached.wait()
    try:
        yield
    finally:
        dying.cancel()
        await asyncio.wait([dying])


async def pressed_again(service: Service, request: pb.RequestMandateRequest) -> pb.Mandate:
    mandate: pb.Mandate = (await service.call("RequestMandate", request)).mandate
    return mandate


async def test_a_process_that_dies_after_rdvpermis_was_asked_leaves_an_answer_to_the_next_press(
    service: Service,
) -> None:
    request = request_for(await service.candidate(), "k")

    def dies_with_the_answer(end: Callable[[], Awaitable[None]]) -> Mandates:
        async def create(asked: rdv.CreateMandateRequest, **more: Any) -> rdv.CreateMandateResponse:
            answer: rdv.CreateMandateResponse = await service.egress_stub.CreateMandate(asked, **more)
            await end()
            return answer

        return service.mandates_over(EgressWith(service.egress_stub, create))

    async with dead_process(service, request, dies_with_the_answer):
        await service.poll(minutes=1)
        answer = await pressed_again(service, request)
    assert (answer.state, answer.rdvpermis_candidate_id, service.egress.asked) == (PENDING, "c1", 1)


async def test_a_process_that_dies_before_rdvpermis_was_asked_leaves_an_answer_to_the_next_press(
    service: Service,
) -> None:
    request = request_for(await service.candidate(), "k")

    def dies_before_asking(end: Callable[[], Awaitable[None]]) -> Mandates:
        async def create(asked: rdv.CreateMandateRequest, **more: Any) -> rdv.CreateMandateResponse:
            await end()
            raise AssertionError

        return service.mandates_over(EgressWith(service.egress_stub, create))

    async with dead_process(service, request, dies_before_asking):
        for minutes in (1, 10, 20, 30, 40):
            await service.poll(minutes=minutes)
        assert [one.state for one in await service.mandates()] == [CANCELLED]
        answer = await pressed_again(service, request)
    # Told that it came to nothing, or asked at last: either helps the person on.
    assert (answer.state, service.egress.asked) in [(CANCELLED, 0), (PENDING, 1)]


async def test_a_process_that_dies_when_all_is_known_leaves_an_answer_to_the_next_press(service: Service) -> None:
    request = request_for(await service.candidate(), "k")

    def dies_before_answering(end: Callable[[], Awaitable[None]]) -> Mandates:
        class Dying(Mandates):
            async def request(self, *arguments: Any) -> Any:
                found = await super().request(*arguments)
                await end()
                return found

        return Dying(service.engine, service.egress_stub, service.identities, Outbox("mandate"), service.now)

    async with dead_process(service, request, dies_before_answering):
        service.later = timedelta(minutes=1)
        answer = await pressed_again(service, request)
    assert (answer.state, service.egress.asked) == (PENDING, 1)


# An answer that does not come


def broken(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    """A status as the transport makes it, without our detail."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="broken off")


@pytest.mark.parametrize(
    "status", ["UNAVAILABLE", "CANCELLED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN"]
)
async def test_an_answer_that_is_cut_off_is_unknown_and_nothing_is_asked_again(service: Service, status: str) -> None:
    candidate_id = await service.candidate()

    async def create(asked: rdv.CreateMandateRequest, **more: Any) -> rdv.CreateMandateResponse:
        await service.egress_stub.CreateMandate(asked, **more)
        raise broken(grpc.StatusCode[status])

    dialogue = service.mandates_over(EgressWith(service.egress_stub, create))
    first = asyncio.create_task(service.call_replica(dialogue, "RequestMandate", request_for(candidate_id, "k")))
    assert (await first).mandate.state == DRAFT
    again = (await service.call("RequestMandate", request_for(candidate_id, "k2"))).mandate
    assert (again.state, service.egress.asked) == (DRAFT, 1)
    await service.poll(minutes=1)
    assert [(one.state, one.rdvpermis_candidate_id) for one in await service.mandates()] == [(PENDING, "c1")]


@pytest.mark.req("R-01")
@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(Failure(Code.CODE_RDVPERMIS_DOWN, "its breaker is open"), id="RDVPERMIS_DOWN"),
        pytest.param(Failure(Code.CODE_RDVPERMIS_BUDGET, "no call is left"), id="RDVPERMIS_BUDGET"),
        pytest.param(Failure(Code.CODE_RECONNECT_NEEDED, "no token"), id="RECONNECT_NEEDED"),
        pytest.param(Failure(Code.CODE_OVERLOADED, "too many calls at once"), id="OVERLOADED"),
        pytest.param(malformed("email", "not an address"), id="MALFORMED"),
    ],
)
async def test_what_egress_refuses_before_it_asks_ends_the_draft_with_its_reason(
    service: Service, refusal: Failure
) -> None:
    candidate_id = await service.candidate()
    service.egress.refusal = refusal
    refused = await refusal_of(service.mandate(candidate_id))
    assert (refused.code, refused.violations) == (refusal.code, refusal.violations)
    assert [one.state for one in await service.mandates()] == [CANCELLED]
    service.egress.refusal = None
    assert (await service.mandate(candidate_id)).state == PENDING


async def test_while_egress_is_away_nothing_is_asked_and_the_school_can_ask_again(service: Service) -> None:
    candidate_id = await service.candidate()
    async with peers.channel("127.0.0.1:1", Certificates(service.running.tls / "mandate"), "egress") as nobody:
        dialogue = service.mandates_over(rdv_rpc.RdvPermisServiceStub(nobody))
        refused = await refusal_of(
            asyncio.create_task(service.call_replica(dialogue, "RequestMandate", request_for(candidate_id, "k")))
        )
    assert refused.code == Code.CODE_UNAVAILABLE
    assert [one.state for one in await service.mandates()] == [CANCELLED]
    again = (await service.call("RequestMandate", request_for(candidate_id, "k"))).mandate
    assert (again.state, service.egress.asked) == (PENDING, 1)
