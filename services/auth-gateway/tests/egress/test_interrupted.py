"""Egress that ends while RdvPermis is being asked: nobody gets the answer that RdvPermis surely was not."""

import asyncio

import pytest

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_kit.errors import Code, Failure

SURELY_NOT_ASKED = {
    Code.CODE_RDVPERMIS_DOWN,
    Code.CODE_RDVPERMIS_BUDGET,
    Code.CODE_RECONNECT_NEEDED,
    Code.CODE_OVERLOADED,
    Code.CODE_UNAUTHENTICATED,
    Code.CODE_FORBIDDEN,
}
"""What egress answers by itself before anything leaves."""
ASKED = {
    "CreateMandate": ("/mandats", pb.CreateMandateRequest(last_name="Martin", neph="012345678901", category="B")),
    "ValidateBasket": ("/paniers/b-1/valider", pb.ValidateBasketRequest(basket_id="b-1")),
}


@pytest.mark.parametrize("method", ASKED)
async def test_who_asked_for_a_change_gets_an_unknown_outcome(world, responder, method):
    path, request = ASKED[method]
    arrived, never = asyncio.Event(), asyncio.Event()

    async def answer(asked):
        arrived.set()
        await never.wait()

    responder.on("POST", path, answer)
    session = await world.sign_in()
    caller = "mandate" if method == "CreateMandate" else "basket"
    asking = asyncio.create_task(world.ask(method, request, session, caller=caller))
    await arrived.wait()
    await world.running.server.stop(0)
    with pytest.raises(Failure) as caught:
        await asking
    assert caught.value.code not in SURELY_NOT_ASKED
    assert not caught.value.rdvpermis_code
    assert len(responder.calls("POST /api")) == 1, "and it is asked once"
