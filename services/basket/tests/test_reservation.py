"""A candidate whom an act under way would put on a line is reserved from its intention on."""

import asyncio

from basket_peers import Basket, candidate
from paused_acts import stopped_updates, waits_or_ended

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.booking.v1 import booking_pb2
from resapermis_kit.errors import Code


async def test_a_hold_that_waits_for_a_replacement_of_its_school_sees_whom_it_reserved(basket: Basket) -> None:
    group = await basket.hold(("s1", 1))
    (booked,) = (await basket.validate(group.id)).lines
    request = booking_pb2.ReplaceCandidateRequest(
        request_id=basket.key(), booking_id=booked.id, candidate_id=candidate(2)
    )
    async with stopped_updates(basket):
        replacing = asyncio.ensure_future(basket.book("ReplaceCandidate", request))
        await waits_or_ended(basket, replacing, 1)  # it has its school's turn, and has not committed
        holding = asyncio.ensure_future(basket.hold(("s2", 2)))
        await waits_or_ended(basket, holding, 2)
    await asyncio.gather(replacing, holding, return_exceptions=True)
    (line,) = holding.result().lines
    assert (line.state, line.refusal.code) == (pb.LINE_STATE_REFUSED, Code.CODE_CANDIDATE_BUSY)
    assert replacing.result().booking.candidate_id == candidate(2)
    await basket.check()
