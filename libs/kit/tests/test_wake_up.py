"""A relay that is told to stop stops, also in the instant at which rows arrive; what nobody waits for wakes no relay."""

import asyncio

import pytest
from google.protobuf.message import Message

from resapermis.audit.v1.events_pb2 import Record
from resapermis.mandate.v1.events_pb2 import CandidateCreated
from resapermis_kit.clock import utc_now
from resapermis_kit.events.outbox import Outbox, WakeUp
from resapermis_testing.postgres import MakeEngine


async def test_a_cancellation_that_meets_a_notification_is_not_lost() -> None:
    wake_up = WakeUp()

    async def relay() -> None:
        while True:
            await wake_up.wait(60)

    relaying = asyncio.create_task(relay())
    for _ in range(3):
        await asyncio.sleep(0)
    wake_up.notify()
    await asyncio.sleep(0)
    relaying.cancel()
    await asyncio.wait({relaying}, timeout=1)
    ended = relaying.done()
    relaying.cancel()  # whatever was seen, nothing stays behind
    await asyncio.wait({relaying})
    assert ended


@pytest.mark.parametrize(
    ("messages", "times"),
    [
        ([Record()], 0),
        ([Record(), Record()], 0),
        ([CandidateCreated()], 1),
        ([CandidateCreated(), Record()], 1),
        ([], 0),
    ],
)
async def test_records_alone_notify_nobody(make_engine: MakeEngine, messages: list[Message], times: int) -> None:
    notified: list[int] = []

    class Counted(WakeUp):
        def notify(self) -> None:
            notified.append(1)

    await Outbox("sample", Counted()).emit(await make_engine("kit_sample"), utc_now(), *messages)
    assert len(notified) == times
