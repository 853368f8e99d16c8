"""A relay that is told to stop stops, also in the instant at which rows arrive."""

import asyncio

from resapermis_kit.outbox import Bell


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
