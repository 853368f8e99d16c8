"""The hold queue by itself: in order, one asker a slot, batches of 24; and nobody suffers for another's fault or slowness."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextvars import ContextVar

import pytest
from basket_peers import MONTH, START
from prometheus_client import REGISTRY

from resapermis_basket.domain.line import Slot
from resapermis_basket.hold.queue import (
    ASKING_SECONDS,
    BUSY_SECONDS,
    LONGEST_COALESCED_SECONDS,
    LONGEST_WAIT_SECONDS,
    MOST_IN_BATCH,
    REMEMBERED_MOST,
    REMEMBERED_SECONDS,
    SLOW_ASKER_SECONDS,
    SLOW_BATCH_SECONDS,
    STUCK_SECONDS,
    HoldQueue,
    Queued,
    each,
    in_moments,
)
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.deadline import deadline
from resapermis_testing.virtual_time import VirtualTimeLoop, in_virtual_time

AWAY = Failure(Code.CODE_UNAVAILABLE, "the database is away")
IN_NO_TIME = 1e-6


def now() -> float:
    return asyncio.get_running_loop().time()


def slot(slot_id: str) -> Slot:
    return Slot(slot_id, "94", "B", MONTH, START, START, "UTC", "", b"")


async def settled() -> None:
    """Everybody has done what they can without waiting; no time has passed."""
    for _ in range(20):
        await asyncio.sleep(0)


class Crowd:
    """Holds that are numbers. What judges them is slow, or breaks, as `judging` says of a number; RdvPermis as `calling`."""

    def __init__(self, at_once: int = 48) -> None:
        self.queue: HoldQueue[int, str] = HoldQueue(self.judge, at_once)
        self.batches: list[list[int]] = []
        self.began: dict[int, float] = {}
        self.judging: dict[int, float] = {}
        self.calling: dict[int, float] = {}
        self.broken: dict[int, Exception] = {}
        self.forgotten: set[int] = set()
        self.called: list[int] = []

    async def judge(self, batch: Sequence[Queued[int, str]]) -> None:
        self.batches.append([one.hold for one in batch])
        self.began |= {one.hold: now() for one in batch}
        await asyncio.sleep(max(self.judging.get(one.hold, 0) for one in batch))
        for one in batch:
            if one.hold in self.broken:
                raise self.broken[one.hold]
        for one in batch:
            if one.hold not in self.forgotten:
                one.settle(f"judged {one.hold}")

    async def hold(self, number: int, *slot_ids: str) -> str:
        async with self.queue.enter(number, slot_ids) as waiting:
            judged = await waiting.judged
            if judged is None:
                return "taken"
            self.queue.intended(waiting, [slot(slot_id) for slot_id in slot_ids])
            self.called.append(number)
            await asyncio.sleep(self.calling.get(number, 0))
            return judged

    def come(self, *numbers: int, slots: Iterable[str] = ()) -> list[asyncio.Task[str]]:
        return [asyncio.ensure_future(self.hold(number, *slots)) for number in numbers]


# Batches


@in_virtual_time
async def test_those_of_one_moment_and_those_who_came_meanwhile_are_batches() -> None:
    crowd = Crowd()
    crowd.judging = {0: 0.05}
    tasks = crowd.come(0, 1)
    await settled()
    tasks += crowd.come(2, 3, 4)
    await settled()
    assert crowd.batches == [[0, 1]]
    assert await asyncio.gather(*tasks) == [f"judged {n}" for n in range(5)]
    assert crowd.batches == [[0, 1], [2, 3, 4]]
    await asyncio.gather(*crowd.come(5))
    assert crowd.batches[2:] == [[5]]
    assert now() == pytest.approx(0.05)


@in_virtual_time
async def test_a_batch_has_24_and_the_others_come_after_it_in_order() -> None:
    crowd = Crowd()
    crowd.judging = {0: 0.05}
    before = REGISTRY.get_sample_value("resapermis_hold_queue_seconds_count") or 0
    coming = crowd.come(*range(60))
    await settled()
    assert REGISTRY.get_sample_value("resapermis_hold_queue_waiting") == 36
    await asyncio.gather(*coming)
    assert REGISTRY.get_sample_value("resapermis_hold_queue_waiting") == 0
    assert REGISTRY.get_sample_value("resapermis_hold_queue_seconds_count") == before + 60
    assert crowd.batches == [list(range(24)), list(range(24, 48)), list(range(48, 60))]
    assert MOST_IN_BATCH == 24


@in_virtual_time
async def test_a_batch_that_hangs_is_waited_for_no_longer_than_that() -> None:
    crowd = Crowd()
    crowd.judging = {0: 60.0}
    slow = crowd.come(0)
    await settled()
    await asyncio.gather(*crowd.come(1, 2))
    assert crowd.began[1] == pytest.approx(SLOW_BATCH_SECONDS)
    last = crowd.come(3)
    await settled()
    assert crowd.began[3] == now()
    await asyncio.gather(*slow, *last)


@in_virtual_time
async def test_each_hold_of_a_batch_has_its_callers_context_and_the_batch_has_nobodys() -> None:
    principal: ContextVar[str] = ContextVar("principal", default="nobody")
    seen: list[str] = []

    async def judge(batch: Sequence[Queued[str, str]]) -> None:
        seen.append(principal.get())
        for one, who in each(dict.fromkeys(batch, 0), lambda *_: principal.get()).items():
            one.settle(who)

    queue: HoldQueue[str, str] = HoldQueue(judge)

    async def hold(who: str) -> str | None:
        principal.set(who)
        async with queue.enter(who, ()) as waiting:
            return await waiting.judged

    assert await asyncio.gather(hold("one"), hold("other")) == ["one", "other"]
    assert seen == ["nobody"]


# Faults


@in_virtual_time
async def test_a_statement_that_fails_fails_for_its_batch_alone() -> None:
    crowd = Crowd()
    crowd.broken = {3: AWAY}
    failed = await asyncio.gather(*crowd.come(*range(5)), return_exceptions=True)
    assert failed == [AWAY] * 5
    assert crowd.called == []
    crowd.broken = {}
    assert await asyncio.gather(*crowd.come(*range(48))) == [f"judged {n}" for n in range(48)], "all permits are back"


@in_virtual_time
async def test_whom_a_batch_leaves_without_an_outcome_fails_and_no_other() -> None:
    crowd = Crowd()
    crowd.forgotten = {1}
    one, left, other = await asyncio.gather(*crowd.come(0, 1, 2), return_exceptions=True)
    assert (one, other) == ("judged 0", "judged 2")
    assert isinstance(left, Failure)
    assert left.code == Code.CODE_INTERNAL


def answered(*moments: tuple[float, dict[int, str | Exception]]) -> Callable[..., AsyncIterator[dict[object, object]]]:
    """A peer that answers numbers, at moments."""

    async def ask(batch: Sequence[Queued[int, str]]) -> AsyncIterator[dict[object, object]]:
        by_number = {one.hold: one for one in batch}
        for seconds, answers in moments:
            await asyncio.sleep(seconds - now())
            yield {by_number[number]: answer for number, answer in answers.items()}

    return ask


class Asked(Crowd):
    """Holds of which a peer is asked; who is answered goes on to a statement, which says with whom."""

    def __init__(self, *moments: tuple[float, dict[int, str | Exception]]) -> None:
        super().__init__()
        self.ask, self.known = answered(*moments), 0.0
        self.written: list[list[int]] = []
        self.breaks: set[int] = set()

    async def judge(self, batch: Sequence[Queued[int, str]]) -> None:
        async def write(part: dict[Queued[int, str], str]) -> None:
            worked_out = each(part, lambda one, answer: f"{answer} {1 // (one.hold - 13)}")
            self.written.append([one.hold for one in worked_out])
            if self.breaks & {one.hold for one in worked_out}:
                raise AWAY
            for one, answer in worked_out.items():
                one.settle(answer)

        after = asyncio.create_task(asyncio.sleep(self.known))
        await in_moments(self.ask(batch), write, after=after)


@in_virtual_time
async def test_of_a_batch_of_24_one_that_fails_at_its_own_work_is_the_only_one() -> None:
    crowd = Asked((0.01, dict.fromkeys(range(1, 25), "yes")))
    found = await asyncio.gather(*crowd.come(*range(1, 25)), return_exceptions=True)
    assert isinstance(found.pop(12), ZeroDivisionError)
    assert all(str(one).startswith("yes") for one in found)
    assert len(found) == len(crowd.written[0]) == 23


@in_virtual_time
async def test_who_is_answered_later_or_not_at_all_holds_up_none_of_its_batch() -> None:
    crowd = Asked((0.01, {0: "yes", 1: "yes"}), (3.0, {2: "late", 3: AWAY}))
    tasks = crowd.come(0, 1, 2, 3, 4)
    assert await asyncio.gather(*tasks[:2]) == ["yes -1", "yes -1"]
    assert now() == pytest.approx(0.01)
    found = await asyncio.gather(*tasks[2:], return_exceptions=True)
    assert found[:2] == ["late -1", AWAY]
    assert isinstance(found[2], Failure)
    assert found[2].code == Code.CODE_INTERNAL
    assert crowd.written == [[0, 1], [2]]


@in_virtual_time
async def test_a_statement_that_fails_for_some_of_a_batch_does_not_fail_for_those_answered_later() -> None:
    crowd = Asked((0.01, {0: "yes", 1: "yes"}), (0.02, {2: "yes"}))
    crowd.breaks = {1}
    found = await asyncio.gather(*crowd.come(0, 1, 2), return_exceptions=True)
    assert found == [AWAY, AWAY, "yes -1"]


@in_virtual_time
async def test_nobody_goes_on_before_what_is_to_be_known_first() -> None:
    crowd = Asked((0.01, {0: "yes", 1: AWAY}))
    crowd.known = 0.5
    assert await asyncio.gather(*crowd.come(0, 1), return_exceptions=True) == ["yes -1", AWAY]
    assert now() == pytest.approx(0.5)


# Who goes away


@in_virtual_time
async def test_who_goes_away_before_its_batch_has_not_asked_and_within_it_goes_no_further() -> None:
    crowd = Asked((0.05, {0: "yes", 1: "yes"}), (0.06, {}))
    leaves, stays = crowd.come(0, 1)
    await settled()
    gone, waits = crowd.come(2, 3)
    await settled()
    leaves.cancel()
    gone.cancel()
    assert await stays == "yes -1"
    assert crowd.written == [[1]]
    crowd.ask = answered((0.1, {3: "yes"}))
    assert await waits == "yes -1"
    assert crowd.written == [[1], [3]]
    assert leaves.cancelled()
    assert gone.cancelled()


@in_virtual_time
async def test_who_is_judged_and_cancelled_in_the_same_turn_gives_everything_back() -> None:
    crowd = Crowd(at_once=1)
    crowd.judging = {0: 0.01}
    (first,) = crowd.come(0, slots=["s1"])
    await settled()
    asyncio.get_running_loop().call_later(0.01, first.cancel)
    assert await crowd.hold(1, "s1") == "judged 1"
    assert first.cancelled()


@in_virtual_time
async def test_who_goes_away_while_rdvpermis_is_called_gives_its_permit_back() -> None:
    crowd = Crowd(at_once=1)
    crowd.calling = {0: 0.2}
    (first,) = crowd.come(0)
    await settled()
    assert crowd.called == [0]
    first.cancel()
    await crowd.hold(1)
    assert now() == 0


# Admission


@in_virtual_time
async def test_who_came_first_is_first_and_no_more_than_so_many_are_at_work() -> None:
    crowd = Crowd(at_once=2)
    crowd.calling = {0: 0.05, 1: 0.02, 2: 0.02}
    await asyncio.gather(*crowd.come(0, 1, 2, 3, 4))
    assert crowd.batches == [[0, 1], [2], [3], [4]]
    assert [round(crowd.began[n], 2) for n in range(5)] == [0, 0, 0.02, 0.04, 0.04]


@in_virtual_time
async def test_who_goes_away_while_waiting_takes_no_permit() -> None:
    crowd = Crowd(at_once=1)
    crowd.calling = {0: 0.1}
    tasks = crowd.come(0, 1, 2)
    await settled()
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert crowd.batches == [[0], [2]]


@in_virtual_time
@pytest.mark.parametrize(("left", "waits"), [(60.0, LONGEST_WAIT_SECONDS), (2.0, 1.9)])
async def test_who_waits_too_long_or_past_their_deadline_is_refused_as_too_many(
    left: float, waits: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resapermis_kit.rpc.deadline.time.monotonic", now)
    monkeypatch.setattr("resapermis_basket.hold.queue.STUCK_SECONDS", 60.0)
    crowd = Crowd(at_once=1)
    crowd.judging = {0: 30.0}
    first = crowd.come(0)
    await settled()
    deadline.set(left)
    with pytest.raises(Failure) as refused:
        await crowd.hold(1)
    assert refused.value.code == Code.CODE_OVERLOADED
    assert now() == pytest.approx(waits)
    await asyncio.gather(*first)
    deadline.set(now() + 60)
    await crowd.hold(2)
    assert crowd.batches == [[0], [2]]


@in_virtual_time
async def test_a_slow_one_gives_their_permit_to_the_next_once() -> None:
    crowd = Crowd(at_once=1)
    crowd.judging = {0: 1.5}
    slow = crowd.come(0)
    await settled()
    await crowd.hold(1)
    assert crowd.began[1] == pytest.approx(STUCK_SECONDS)
    await asyncio.gather(*slow)
    crowd.calling = {2: 0.1}
    await asyncio.gather(*crowd.come(2, 3))
    assert crowd.began[3] == pytest.approx(crowd.began[2] + 0.1), "there is one permit still"


@in_virtual_time
async def test_who_asks_a_slow_rdvpermis_gives_their_permit_back_sooner() -> None:
    crowd = Crowd(at_once=1)
    crowd.calling = {0: 30.0, 1: 0.1}
    slow = crowd.come(0, 1, 2)
    await asyncio.gather(*slow[1:])
    assert crowd.began[1] == pytest.approx(ASKING_SECONDS)
    assert crowd.began[2] == pytest.approx(ASKING_SECONDS + 0.1), "there is one permit still"
    slow[0].cancel()


class BusyLoop(VirtualTimeLoop):
    """One on which all wait for a core for a second and a half: its timers fire late."""

    def _pass(self, seconds: float) -> None:
        super()._pass(seconds + BUSY_SECONDS * 1.2 if seconds and self.time() < 1.5 else seconds)


def test_on_a_busy_machine_nobody_is_slow_and_permits_are_kept() -> None:
    async def crowded() -> None:
        crowd = Crowd(at_once=1)
        crowd.judging = {0: 30.0}
        slow = crowd.come(0)
        await settled()
        await crowd.hold(1)
        assert 4 * STUCK_SECONDS < crowd.began[1] < 4.2 * STUCK_SECONDS, "two late timers, and one for them to fade"
        slow[0].cancel()

    with asyncio.Runner(loop_factory=BusyLoop) as runner:
        runner.run(crowded())


@in_virtual_time
async def test_what_nobody_waits_for_lets_holds_go_first_but_not_for_ever() -> None:
    crowd = Crowd()
    await crowd.queue.idle(10)
    assert now() == 0, "nobody is here"
    crowd.calling = {0: 5.0}
    hold = crowd.come(0)
    await settled()
    await crowd.queue.idle(0.1)
    assert now() == pytest.approx(0.1)
    await crowd.queue.idle(10)
    assert now() == pytest.approx(5.0)
    await asyncio.gather(*hold)


# One asker a slot


@in_virtual_time
async def test_the_second_waits_for_the_first_without_a_permit_and_other_slots_do_not() -> None:
    crowd = Crowd(at_once=2)
    crowd.judging = {0: 0.05}
    first = crowd.come(0, slots=["s1", "s2"])
    same = crowd.come(1, slots=["s2", "s4"])
    other = crowd.come(2, slots=["s3"])
    await asyncio.gather(*first, *same, *other)
    assert crowd.batches == [[0, 2], [1]]
    assert crowd.began[1] == pytest.approx(0.05)


@in_virtual_time
async def test_all_who_wait_are_told_at_once_when_the_slot_is_taken() -> None:
    crowd = Crowd()
    crowd.judging, crowd.calling = {0: 0.05}, {0: 30.0}
    crowd.come(0, slots=["s1"])
    await settled()
    assert await asyncio.gather(*crowd.come(*range(1, 500), slots=["s1"])) == ["taken"] * 499
    assert now() == pytest.approx(0.05)
    assert crowd.batches == [[0]]
    assert crowd.queue.seen_taken(["s1"]) == [slot("s1")]
    assert await crowd.hold(500, "s1", "s2") == "judged 500", "not all of its slots are taken"


@in_virtual_time
async def test_when_the_first_does_not_get_the_slot_the_next_asks_and_the_others_wait_for_that_one() -> None:
    crowd = Crowd()
    crowd.broken = {0: AWAY}
    crowd.judging = {0: 0.05, 1: 0.05}
    first, *rest = crowd.come(0, 1, 2, slots=["s1"])
    assert await asyncio.gather(*rest) == ["judged 1", "taken"]
    assert await asyncio.gather(first, return_exceptions=True) == [AWAY]


@in_virtual_time
async def test_a_slow_asker_is_not_waited_for_and_one_other_asks_beside_them() -> None:
    crowd = Crowd()
    crowd.judging = {0: 60.0, 1: 60.0, 2: 60.0}
    tasks = crowd.come(0, 1, 2, slots=["s1"])
    await asyncio.sleep(SLOW_ASKER_SECONDS * 1.5)
    assert crowd.batches == [[0], [1]]
    await asyncio.sleep(SLOW_ASKER_SECONDS)
    assert crowd.batches == [[0], [1], [2]]
    for task in tasks:
        task.cancel()


@in_virtual_time
async def test_who_waited_long_for_a_slot_asks_as_if_alone() -> None:
    crowd = Crowd()
    crowd.judging = dict.fromkeys(range(30), 60.0)
    tasks = crowd.come(*range(30), slots=["s1"])
    await asyncio.sleep(LONGEST_COALESCED_SECONDS - IN_NO_TIME)
    assert len(crowd.began) == LONGEST_COALESCED_SECONDS / SLOW_ASKER_SECONDS
    await asyncio.sleep(SLOW_ASKER_SECONDS)
    assert len(crowd.began) == 30
    for task in tasks:
        task.cancel()


@in_virtual_time
async def test_what_was_seen_taken_is_remembered_for_seconds() -> None:
    crowd = Crowd()
    await crowd.hold(0, "s1")
    await crowd.hold(1, "s3")
    assert crowd.queue.seen_taken(["s1", "s3"]) == [slot("s1"), slot("s3")]
    assert crowd.queue.seen_taken(["s1", "s2"]) == []
    assert crowd.queue.seen_taken([]) == []
    crowd.queue.forget(["s3", "s4"])
    assert crowd.queue.seen_taken(["s3"]) == []
    await asyncio.sleep(REMEMBERED_SECONDS)
    assert crowd.queue.seen_taken(["s1"]) == []
    await crowd.hold(2, *(f"n{number}" for number in range(REMEMBERED_MOST + 1)))
    assert crowd.queue.seen_taken([f"n{REMEMBERED_MOST}"])
