"""A relay that is told to stop stops, also in the instant at which rows arrive; what nobody waits for wakes no relay."""

import asyncio

import pytest
from google.protobuf.message import Message

from resapermis.audit.v1.events_pb2 import Record
from resapermis.mandate.v1.events_pb2 import CandidateCreated
from resapermis_kit.clock import utc_now
from resapermis_kit.outbox import Bell, Outbox
from resapermis_kit.testing import MakeEngine


async def test_a_cancellation_that_meets_a_ring_is_not_lost() -> None:
    bell = Bell()

    async def relay() -> None:
        while True:
            await bell.wait(60)

    relaying = asyncio.create_task(relay())
    for _ in range(3):
        await asyncio.sleep(0)
    bell.ring()
    await asyncio.sleep(0)
    relaying.cancel()
    await asyncio.wait({relaying}, timeout=1)
    ended = relaying.done()
    relaying.cancel()  # whatever was seen, nothing stays behind
    await asyncio.wait({relaying})
    assert ended


@pytest.mark.parametrize(
    ("messages", "rings"),
    [
        ([Record()], 0),
        ([Record(), Record()], 0),
        ([CandidateCreated()], 1),
        ([CandidateCreated(), Record()], 1),
        ([], 0),
    ],
)
async def test_records_alone_ring_no_bell(make_engine: MakeEngine, messages: list[Message], rings: int) -> None:
    rung: list[int] = []

    class Counted(Bell):
        def ring(self) -> None:
            rung.append(1)

    await Outbox("sample", Counted()).say(await make_engine("kit_sample"), utc_now(), *messages)
    assert len(rung) == rings
