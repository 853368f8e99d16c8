"""A call of egress that the transport ends: RdvPermis may have acted, so its line is in doubt until it is read."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from basket_peers import Basket, candidate

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_kit.errors import Code

Act = Callable[[Basket, pb.Line], Awaitable[pb.Line]]


class EgressCutOff:
    """The stub of egress, whose answers to one method are lost on the way with a status of the transport."""

    def __init__(self, stub: Any, method: str, status: str) -> None:
        self._stub, self._method, self._status = stub, method, grpc.StatusCode[status]

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._stub, method)

        async def cut_off(request: Any, **more: Any) -> Any:
            await call(request, **more)
            raise grpc.aio.AioRpcError(self._status, grpc.aio.Metadata(), grpc.aio.Metadata(), details="broken off")

        return cut_off if method == self._method else call


async def named(basket: Basket, line: pb.Line) -> pb.Line:
    request = pb.NameCandidateRequest(request_id=basket.key(), line_id=line.id, candidate_id=candidate(1))
    return (await basket.ask("NameCandidate", request)).line


async def released(basket: Basket, line: pb.Line) -> pb.Line:
    request = pb.ReleaseLineRequest(request_id=basket.key(), line_id=line.id)
    return (await basket.ask("ReleaseLine", request)).line


async def validated(basket: Basket, line: pb.Line) -> pb.Line:
    return (await basket.validate(line.group_id)).lines[0]


@pytest.mark.req("R-16")
@pytest.mark.parametrize("status", ["UNAVAILABLE", "CANCELLED", "RESOURCE_EXHAUSTED", "PERMISSION_DENIED"])
@pytest.mark.parametrize(
    ("act", "method", "state"),
    [(named, "NameCandidate", "held"), (released, "ReleaseSlot", "released"), (validated, "ValidateBasket", "booked")],
)
async def test_a_change_whose_answer_the_transport_lost_is_read_and_not_taken_for_refused(
    basket: Basket, act: Act, method: str, state: str, status: str
) -> None:
    line = (await basket.hold(("s1", 2) if act is validated else "s1")).lines[0]
    peers = basket.dependencies.peers
    peers.egress = EgressCutOff(peers.egress, method, status)  # type: ignore[assignment] # answers as the stub does
    after = await act(basket, line)
    assert after.changing or after.state == pb.LINE_STATE_CONFIRMING
    await basket.rows("UPDATE basket_line SET next_poll_at = now() RETURNING 1")
    await settle_doubts(basket.dependencies)
    assert await basket.states() == {"s1": state}
    assert basket.rdvpermis.calls.count(method) == 1
    await basket.check()


async def test_while_egress_cannot_be_reached_holds_are_refused_and_block_no_slot(basket: Basket) -> None:
    await basket.egress.server.stop(0)
    (line,) = (await basket.hold("s1")).lines
    assert (line.state, line.refusal.code) == (pb.LINE_STATE_REFUSED, Code.CODE_UNAVAILABLE)
    assert not await basket.rows("SELECT 1 FROM basket_line WHERE ended_at IS NULL")
    assert set((await basket.counters()).values()) == {0}
