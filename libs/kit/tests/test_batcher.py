"""Questions that come in the same moment are answered as one batch, and nobody suffers for another."""

import asyncio
from collections.abc import Sequence

import pytest

from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.batcher import Batcher


class Answerer:
    """Doubles numbers, batch by batch, each when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.came: asyncio.Queue[None] = asyncio.Queue()
        self.free = asyncio.Event()
        self.free.set()

    async def answer(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        self.came.put_nowait(None)
        await self.free.wait()
        if 13 in numbers:
            raise Failure(Code.CODE_UNAVAILABLE, "away")
        return [Failure(Code.CODE_NOT_FOUND, "odd") if number % 2 else number * 2 for number in numbers]


@pytest.fixture
async def answerer() -> Answerer:
    return Answerer()


async def let_others_run() -> None:
    """Let everybody do what they can without waiting."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_turn_of_the_loop_is_one_batch_answered_in_order(answerer: Answerer) -> None:
    batcher = Batcher(answerer.answer)
    assert await asyncio.gather(*(batcher.submit(number) for number in (2, 8, 4))) == [4, 16, 8]
    assert answerer.batches == [[2, 8, 4]]


async def test_those_who_come_meanwhile_make_the_next_batch(answerer: Answerer) -> None:
    batcher = Batcher(answerer.answer, most=2)
    answerer.free.clear()
    asked = [asyncio.create_task(batcher.submit(2))]
    await let_others_run()
    asked += [asyncio.create_task(batcher.submit(number)) for number in (4, 6, 8)]
    await let_others_run()
    assert answerer.batches == [[2]]
    answerer.free.set()
    assert await asyncio.gather(*asked) == [4, 8, 12, 16]
    assert answerer.batches == [[2], [4, 6], [8]]


async def test_one_refusal_is_its_own_and_a_failure_is_everybodys(answerer: Answerer) -> None:
    batcher = Batcher(answerer.answer)
    two, three = await asyncio.gather(batcher.submit(2), batcher.submit(3), return_exceptions=True)
    assert two == 4
    assert isinstance(three, Failure)
    assert three.code == Code.CODE_NOT_FOUND
    both = await asyncio.gather(batcher.submit(2), batcher.submit(13), return_exceptions=True)
    assert [one.code for one in both if isinstance(one, Failure)] == [Code.CODE_UNAVAILABLE] * 2
    assert await batcher.submit(2) == 4


async def test_an_answerer_that_hangs_holds_up_nobody_for_long(answerer: Answerer) -> None:
    batcher = Batcher(answerer.answer, most=1, patience_seconds=0.001)
    answerer.free.clear()
    asked = [asyncio.create_task(batcher.submit(number)) for number in (2, 4, 6)]
    async with asyncio.timeout(10):
        for _ in range(3):
            await answerer.came.get()
    answerer.free.set()
    assert await asyncio.gather(*asked) == [4, 8, 12]


async def test_without_patience_a_batch_waits_for_none(answerer: Answerer) -> None:
    batcher = Batcher(answerer.answer, most=2, patience_seconds=0)
    answerer.free.clear()
    asked = [asyncio.create_task(batcher.submit(number)) for number in (2, 4, 6)]
    await let_others_run()
    assert answerer.batches == [[2, 4], [6]]
    answerer.free.set()
    assert await asyncio.gather(*asked) == [4, 8, 12]


async def test_who_goes_away_before_the_batch_has_not_asked(answerer: Answerer) -> None:
    batcher = Batcher(answerer.answer)
    answerer.free.clear()
    first = asyncio.create_task(batcher.submit(2))
    await let_others_run()
    gone, stays = asyncio.create_task(batcher.submit(4)), asyncio.create_task(batcher.submit(6))
    await let_others_run()
    gone.cancel()
    first.cancel()  # on its way: its answer is for nobody
    answerer.free.set()
    assert await stays == 12
    assert answerer.batches == [[2], [6]]
    assert first.cancelled()


async def test_a_loop_that_ends_leaves_nobody_waiting(answerer: Answerer) -> None:
    batcher = Batcher(answerer.answer)
    answerer.free.clear()
    asked = asyncio.create_task(batcher.submit(2))
    await let_others_run()
    for batch in batcher._batches:
        batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
