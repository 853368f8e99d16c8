"""Holds are admitted in order; nobody waits for ever, and nobody who is slow holds up the others."""

import asyncio

import pytest

from resapermis_basket.hold import queue
from resapermis_basket.hold.queue import Admission
from resapermis_kit.errors import Code, Failure


async def come(at: Admission, order: list[int], number: int, until: asyncio.Event) -> None:
    async with at.admit():
        order.append(number)
        await until.wait()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_came_first_is_first_and_no_more_than_so_many_are_at_work() -> None:
    at, order, end = Admission(2), [], [asyncio.Event() for _ in range(5)]
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


async def test_who_goes_away_while_waiting_takes_no_permit() -> None:
    at, order, end = Admission(1), [], asyncio.Event()
    crowd = [asyncio.ensure_future(come(at, order, number, end)) for number in range(3)]
    await settled()
    crowd[1].cancel()
    end.set()
    await asyncio.gather(*crowd, return_exceptions=True)
    assert order == [0, 2]


async def test_who_waits_too_long_is_refused_as_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LONGEST_WAIT_SECONDS", 0.02)
    at, order, end = Admission(1), [], asyncio.Event()
    first = asyncio.ensure_future(come(at, order, 0, end))
    await settled()
    with pytest.raises(Failure) as refused:
        await come(at, order, 1, end)
    assert refused.value.code == Code.CODE_OVERLOADED
    end.set()
    await first
    await come(at, order, 2, end)  # the permit is free again
    assert order == [0, 2]


async def test_a_slow_one_gives_their_permit_to_the_next_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "STUCK_SECONDS", 0.01)
    at, order, end = Admission(1), [], asyncio.Event()
    slow = asyncio.ensure_future(come(at, order, 0, end))
    await settled()
    await come(at, order, 1, _over())
    assert order == [0, 1]
    end.set()
    await slow
    never = asyncio.Event()
    monkeypatch.setattr(queue, "STUCK_SECONDS", 10)
    crowd = [asyncio.ensure_future(come(at, order, number, never)) for number in (2, 3)]
    await settled()
    assert order == [0, 1, 2]  # still one permit
    never.set()
    await asyncio.gather(*crowd)


async def test_who_asks_a_slow_rdvpermis_gives_their_permit_back_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ASKING_SECONDS", 0.01)
    at, order = Admission(1), []
    async with at.admit() as permit:
        permit.calls_rdvpermis()
        async with asyncio.timeout(0.9):  # before it would count as stuck
            await come(at, order, 1, _over())
        permit.calls_rdvpermis()  # it has no permit to give back any more
    async with at.admit():
        waiting = asyncio.ensure_future(come(at, order, 2, _over()))
        await settled()
        assert order == [1]  # still one permit
    await waiting


async def test_on_a_busy_machine_nobody_is_slow_and_permits_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "STUCK_SECONDS", 0.001)
    monkeypatch.setattr(queue, "BUSY_SECONDS", -1.0)  # every timer rings late
    at, order, end = Admission(1), [], asyncio.Event()
    crowd = [asyncio.ensure_future(come(at, order, number, end)) for number in range(2)]
    rung = asyncio.Event()
    real = Admission.busy
    monkeypatch.setattr(Admission, "busy", lambda self, due: (rung.set(), real(self, due))[1])
    await asyncio.wait_for(rung.wait(), 5)
    assert order == [0]
    monkeypatch.setattr(queue, "BUSY_SECONDS", 1000.0)  # the crowd has gone, and somebody is slow
    await come(at, order, 2, _over())  # comes in behind the second: so both have got their permits
    assert order == [0, 1, 2]
    end.set()
    await asyncio.gather(*crowd)


async def test_what_nobody_waits_for_lets_holds_go_first_but_not_for_ever() -> None:
    at, order, end = Admission(2), [], asyncio.Event()
    await at.idle(10)  # nobody is here
    hold = asyncio.ensure_future(come(at, order, 0, end))
    await settled()
    await at.idle(0.01)
    assert not hold.done()
    waiting = asyncio.ensure_future(at.idle(10))
    await settled()
    assert not waiting.done()
    end.set()
    await asyncio.wait_for(waiting, 5)


def _over() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
