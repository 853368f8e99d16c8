"""Holds are judged in batches: nobody waits alone, nobody waits for ever."""

import asyncio

import pytest

from resapermis_basket.hold import queue
from resapermis_basket.hold.queue import HoldBatches


class Crowd:
    """Holds that say when they are being judged, and go on when they are let."""

    def __init__(self) -> None:
        self.batches = HoldBatches()
        self.inside: list[int] = []
        self.free: dict[int, asyncio.Event] = {}

    def come(self, *numbers: int) -> list[asyncio.Task[None]]:
        return [asyncio.ensure_future(self._one(number)) for number in numbers]

    async def _one(self, number: int) -> None:
        self.free[number] = asyncio.Event()
        async with self.batches.join():
            self.inside.append(number)
            await self.free[number].wait()

    def let(self, *numbers: int) -> None:
        for number in numbers:
            self.free[number].set()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_those_of_one_moment_and_those_who_came_meanwhile_are_batches() -> None:
    crowd = Crowd()
    tasks = crowd.come(0, 1)
    await settled()
    assert crowd.inside == [0, 1]
    tasks += crowd.come(2, 3, 4)
    crowd.let(0)
    await settled()
    assert crowd.inside == [0, 1]  # the batch is not over
    crowd.let(1)
    await settled()
    assert crowd.inside == [0, 1, 2, 3, 4]
    crowd.let(2, 3, 4)
    await asyncio.gather(*tasks)
    alone = crowd.come(5)
    await settled()
    crowd.let(5)
    await asyncio.gather(*alone)


async def test_a_batch_has_so_many_and_the_others_come_after_it_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MOST_IN_BATCH", 2)
    crowd = Crowd()
    tasks = crowd.come(0, 1, 2, 3, 4)
    await settled()
    assert crowd.inside == [0, 1]
    crowd.let(0, 1)
    await settled()
    assert crowd.inside == [0, 1, 2, 3]
    crowd.let(2, 3, 4)
    await asyncio.gather(*tasks)


async def test_a_batch_that_hangs_is_waited_for_no_longer_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "SLOW_BATCH_SECONDS", 0.001)
    crowd = Crowd()
    slow = crowd.come(0)
    await settled()
    others = crowd.come(1, 2)
    await settled()
    crowd.let(1, 2)
    await asyncio.wait_for(asyncio.gather(*others), 10)
    crowd.let(0)
    await asyncio.gather(*slow)
    last = crowd.come(3)
    await settled()
    crowd.let(3)
    await asyncio.gather(*last)


async def test_who_goes_away_before_or_within_holds_up_nobody() -> None:
    crowd = Crowd()
    leaves, stays = crowd.come(0, 1)
    await settled()
    gone, waits = crowd.come(2, 3)
    await settled()
    leaves.cancel()
    gone.cancel()
    await settled()
    assert crowd.inside == [0, 1]
    crowd.let(1)
    await settled()
    assert crowd.inside == [0, 1, 3]
    crowd.let(3)
    await asyncio.gather(stays, waits)


async def test_who_is_let_in_and_cancelled_in_the_same_turn_leaves_the_batch() -> None:
    crowd = Crowd()
    first = crowd.come(0)
    await settled()
    second = crowd.come(1)
    await settled()
    crowd.let(0)
    await asyncio.sleep(0)  # the first leaves: the second is let in, and does not know it yet
    second[0].cancel()
    await asyncio.gather(*first, *second, return_exceptions=True)
    third = crowd.come(2)
    await settled()
    crowd.let(2)
    await asyncio.wait_for(third[0], 10)
