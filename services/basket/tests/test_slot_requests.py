"""Who presses at the same moment waits for the first, not for ever, and not for what is taken already."""

import asyncio
import time

from basket_peers import MONTH, START

from resapermis_basket.domain.line import Slot
from resapermis_basket.hold.queue import REMEMBERED_MOST, REMEMBERED_SECONDS, SLOW_ASKER_SECONDS, SlotRequests


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def slot(slot_id: str) -> Slot:
    return Slot(slot_id, "94", "B", MONTH, START, START, "UTC", "", b"")


async def ask(requests: SlotRequests, order: list[str], name: str, *slots: str, until: asyncio.Event) -> None:
    async with requests.coalesced(slots):
        order.append(name)
        await until.wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_second_waits_for_the_first_and_other_slots_do_not() -> None:
    requests, order, end = SlotRequests(Clock()), [], asyncio.Event()
    first = asyncio.ensure_future(ask(requests, order, "first", "s1", "s2", until=end))
    await settled()
    rest = [asyncio.ensure_future(ask(requests, order, name, name[-2:], until=end)) for name in ("a s2", "b s3")]
    await settled()
    assert order == ["first", "b s3"]
    end.set()
    await asyncio.gather(first, *rest)
    assert order == ["first", "b s3", "a s2"]


async def test_all_who_wait_go_at_once_when_the_slot_is_taken() -> None:
    requests, order, end, never = SlotRequests(Clock()), [], asyncio.Event(), asyncio.Event()
    first = asyncio.ensure_future(ask(requests, order, "first", "s1", until=end))
    await settled()
    rest = [asyncio.ensure_future(ask(requests, order, str(n), "s1", until=never)) for n in range(3)]
    requests.note_taken(slot("s1"))
    end.set()
    await first
    await settled()
    assert order == ["first", "0", "1", "2"]
    never.set()
    await asyncio.gather(*rest)


async def test_a_slow_asker_is_not_waited_for_and_one_other_asks_beside_them() -> None:
    requests, order, never = SlotRequests(time.monotonic), [], asyncio.Event()
    crowd = [
        asyncio.ensure_future(ask(requests, order, name, "s1", until=never)) for name in ("first", "second", "third")
    ]
    await settled()
    assert order == ["first"]
    async with asyncio.timeout(5), requests.coalesced(["s2"]):
        await asyncio.sleep(SLOW_ASKER_SECONDS * 1.5)
    assert len(order) == 2  # whoever wakes first of those who wait
    never.set()
    await asyncio.gather(*crowd)


async def test_what_was_seen_taken_is_remembered_for_seconds() -> None:
    clock = Clock()
    requests = SlotRequests(clock)
    requests.note_taken(slot("s1"))
    assert requests.seen_taken("s1") == slot("s1")
    assert requests.seen_taken("s2") is None
    requests.note_taken(slot("s3"))
    requests.forget(["s3", "s4"])
    assert requests.seen_taken("s3") is None
    clock.now = REMEMBERED_SECONDS
    assert requests.seen_taken("s1") is None
    for number in range(REMEMBERED_MOST + 1):
        requests.note_taken(slot(f"n{number}"))
    assert requests.seen_taken(f"n{REMEMBERED_MOST}") is not None
