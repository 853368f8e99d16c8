"""Holds come in in turn; nobody waits for ever, and nobody who is slow holds up the others."""

import asyncio

import pytest

from resapermis_basket import door
from resapermis_basket.door import Door
from resapermis_kit.errors import Code, Failure


async def come(at: Door, order: list[int], number: int, until: asyncio.Event) -> None:
    async with at.place():
        order.append(number)
        await until.wait()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_came_first_is_first_and_no_more_than_so_many_are_at_work() -> None:
    at, order, end = Door(2), [], [asyncio.Event() for _ in range(5)]
    crowd = [asyncio.ensure_future(come(at, order, number, end[number])) for number in range(5)]
    await settled()
    assert order == [0, 1]
    end[1].set()
    await settled()
    assert order == [0, 1, 2]
    for one in end:
        one.set()
    await asyncio.gather(*crowd)
    assert order == [0, 1, 2, 3, 4]


async def test_who_goes_away_while_waiting_takes_no_place() -> None:
    at, order, end = Door(1), [], asyncio.Event()
    crowd = [asyncio.ensure_future(come(at, order, number, end)) for number in range(3)]
    await settled()
    crowd[1].cancel()
    end.set()
    await asyncio.gather(*crowd, return_exceptions=True)
    assert order == [0, 2]


async def test_who_waits_too_long_hears_that_too_many_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LONGEST_WAIT_SECONDS", 0.02)
    at, order, end = Door(1), [], asyncio.Event()
    first = asyncio.ensure_future(come(at, order, 0, end))
    await settled()
    with pytest.raises(Failure) as refused:
        await come(at, order, 1, end)
    assert refused.value.code == Code.CODE_OVERLOADED
    end.set()
    await first
    await come(at, order, 2, end)  # the place is free again
    assert order == [0, 2]


async def test_a_slow_one_gives_their_place_to_the_next_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "STUCK_SECONDS", 0.01)
    at, order, end = Door(1), [], asyncio.Event()
    slow = asyncio.ensure_future(come(at, order, 0, end))
    await settled()
    await come(at, order, 1, _over())
    assert order == [0, 1]
    end.set()
    await slow
    never = asyncio.Event()
    monkeypatch.setattr(door, "STUCK_SECONDS", 10)
    crowd = [asyncio.ensure_future(come(at, order, number, never)) for number in (2, 3)]
    await settled()
    assert order == [0, 1, 2]  # still one place
    never.set()
    await asyncio.gather(*crowd)


async def test_who_asks_a_slow_rdvpermis_lends_their_place_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "ASKING_SECONDS", 0.01)
    at, order = Door(1), []
    async with at.place() as place:
        place.asking()
        async with asyncio.timeout(0.9):  # before it would count as stuck
            await come(at, order, 1, _over())
        place.asking()  # it has no place to lend any more
    async with at.place():
        waiting = asyncio.ensure_future(come(at, order, 2, _over()))
        await settled()
        assert order == [1]  # still one place
    await waiting


async def test_on_a_busy_machine_nobody_is_slow_and_places_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "STUCK_SECONDS", 0.001)
    monkeypatch.setattr(door, "BUSY_SECONDS", -1.0)  # every timer rings late
    at, order, end = Door(1), [], asyncio.Event()
    crowd = [asyncio.ensure_future(come(at, order, number, end)) for number in range(2)]
    rung = asyncio.Event()
    real = Door.busy
    monkeypatch.setattr(Door, "busy", lambda self, due: (rung.set(), real(self, due))[1])
    await asyncio.wait_for(rung.wait(), 5)
    assert order == [0]
    monkeypatch.setattr(door, "BUSY_SECONDS", 1000.0)  # the crowd has gone, and somebody is slow
    await come(at, order, 2, _over())  # comes in behind the second: so both have got their places
    assert order == [0, 1, 2]
    end.set()
    await asyncio.gather(*crowd)


async def test_what_nobody_waits_for_lets_holds_go_first_but_not_for_ever() -> None:
    at, order, end = Door(2), [], asyncio.Event()
    await at.calm(10)  # nobody is here
    hold = asyncio.ensure_future(come(at, order, 0, end))
    await settled()
    await at.calm(0.01)
    assert not hold.done()
    waiting = asyncio.ensure_future(at.calm(10))
    await settled()
    assert not waiting.done()
    end.set()
    await asyncio.wait_for(waiting, 5)


def _over() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
