"""Holds of one moment are one batch: statements and peers are asked with a list, and each hold is its own all the same."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import stamina
from basket_peers import Basket, LineChanged, candidate

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.hold import batch
from resapermis_basket.hold.queries import HoldQuestion, HoldSituation, read_situations, write_intentions
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc import batched_calls
from resapermis_testing.eventually import eventually

HELD = pb.LINE_STATE_HELD
SIZE = 24


class Lists:
    """How long the lists were with which statements were executed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read: list[int] = []
        self.written: list[int] = []
        self.breaks: set[str] = set()
        monkeypatch.setattr(batch, "read_situations", self._read)
        monkeypatch.setattr(batch, "write_intentions", self._write)

    async def _read(self, engine: Any, questions: Sequence[HoldQuestion]) -> list[HoldSituation]:
        self.read.append(len(questions))
        return await read_situations(engine, questions)

    async def _write(self, engine: Any, intentions: Sequence[Any]) -> list[str | Exception | None]:
        self.written.append(len(intentions))
        if self.breaks & {line.slot.id for one in intentions for line in one.lines}:
            raise Failure(Code.CODE_UNAVAILABLE, "the database is away")
        return await write_intentions(engine, intentions)


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> Lists:
    return Lists(monkeypatch)


async def crowd(basket: Basket, many: int = SIZE) -> list[asyncio.Task[pb.Group]]:
    """School n holds slot sn for candidate n: all have come while a batch was judged, and are about to make the next."""
    queue = basket.holds.queue
    under_way = queue._waited_for = asyncio.create_task(asyncio.Event().wait())
    tasks = [asyncio.create_task(basket.hold((f"s{n}", n), school=f"school-{n}")) for n in range(1, many + 1)]
    await present(basket, many)
    queue._wait_no_more(under_way)
    under_way.cancel()
    return tasks


async def present(basket: Basket, many: int) -> None:
    """Wait until so many holds are in the queue or at work."""

    async def so_many() -> bool:
        return basket.holds.queue._present == many

    await eventually(so_many)


def outcome(found: pb.Group | BaseException) -> Any:
    return found.code if isinstance(found, Failure) else [line.state for line in found.lines]


async def outcomes(tasks: Sequence[asyncio.Task[pb.Group]]) -> dict[int, Any]:
    """By the school's number; those that were held are left out."""
    found = await asyncio.gather(*tasks, return_exceptions=True)
    return {n: outcome(one) for n, one in enumerate(found, 1) if outcome(one) != [HELD]}


@pytest.mark.req("N-01")
async def test_a_batch_asks_each_statement_and_each_peer_once_with_all_its_holds(
    basket: Basket, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    real = batched_calls._wired

    def wired(call: Any) -> Any:
        sent.append(call.method.path.rpartition("/")[2])
        return real(call)

    monkeypatch.setattr(batched_calls, "_wired", wired)
    assert await outcomes(await crowd(basket, 30)) == {}
    assert sorted(lists.read) == sorted(lists.written) == [6, SIZE]
    assert sent.count("CheckMandates") == sent.count("Evaluate") == 30
    await basket.check()


async def test_each_hold_of_a_batch_is_its_own_schools_and_account(basket: Basket) -> None:
    assert await outcomes(await crowd(basket)) == {}
    events = {(one.school_id, one.account_id, one.slot_id) for one in await basket.published(LineChanged)}
    assert events == {(f"school-{n}", f"account-school-{n}", f"s{n}") for n in range(1, SIZE + 1)}


async def test_of_a_batch_of_24_the_one_that_mandate_left_without_an_answer_fails_alone(basket: Basket) -> None:
    basket.world.left_out = {candidate(7)}
    assert await outcomes(await crowd(basket)) == {7: Code.CODE_INTERNAL}
    await basket.check()


async def test_of_a_batch_of_24_the_one_that_the_rules_refuse_as_a_whole_is_refused_alone(basket: Basket) -> None:
    tasks = await crowd(basket)
    forty = asyncio.create_task(basket.hold(*(f"many-{n}" for n in range(40)), school="school-40"))
    assert await outcomes(tasks) == {}
    with pytest.raises(Failure) as refused:
        await forty
    assert [verdict.rule for verdict in refused.value.verdicts] == ["R-GROUP"]


async def test_of_a_batch_of_24_the_one_of_another_category_is_asked_again_alone(basket: Basket) -> None:
    basket.world.mandate_category[candidate(7)] = "A"
    assert await outcomes(await crowd(basket)) == {7: [pb.LINE_STATE_REFUSED]}
    again = [one for one in basket.world.evaluated if one.lines[0].candidate_id == candidate(7)]
    assert [one.lines[0].mandate_category for one in again] == ["A", "B"]


async def test_of_a_batch_of_24_the_one_whose_slot_another_replica_took_is_refused_alone(
    basket: Basket, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    await basket.hold(("s7", 30), school="school-30")
    basket.holds.queue.forget(["s7"])

    async def before(engine: Any, questions: Sequence[HoldQuestion]) -> list[HoldSituation]:
        nothing = [HoldQuestion(one.school_id, "", "", frozenset(), frozenset()) for one in questions]
        return await read_situations(engine, nothing)

    monkeypatch.setattr(batch, "read_situations", before)  # as it was a moment before that replica wrote
    assert await outcomes(await crowd(basket)) == {7: [pb.LINE_STATE_REFUSED]}
    await basket.check()


async def test_a_statement_that_fails_is_refused_to_its_batch_and_leaves_nothing(basket: Basket, lists: Lists) -> None:
    lists.breaks = {f"s{n}" for n in range(1, 4)}
    assert set((await outcomes(await crowd(basket, 3))).values()) == {Code.CODE_UNAVAILABLE}
    assert await basket.states() == {}
    assert basket.rdvpermis.calls == []
    lists.breaks = set()
    assert await outcomes(await crowd(basket, 3)) == {}
    await basket.check()


@pytest.mark.parametrize("what", [candidate(7), "s7"], ids=["mandate", "rules"])
async def test_who_waits_long_for_a_peer_holds_up_none_of_its_batch(basket: Basket, what: str) -> None:
    free = basket.world.waits[what] = asyncio.Event()
    tasks = await crowd(basket)
    slow = tasks.pop(6)
    assert {outcome(one)[0] for one in await asyncio.gather(*tasks)} == {HELD}
    assert not slow.done()
    assert outcome(await basket.hold("later", school="school-50")) == [HELD], "nor a later batch"
    free.set()
    assert outcome(await slow) == [HELD]
    await basket.check()


async def test_a_twin_is_answered_while_mandate_hangs(basket: Basket) -> None:
    first = await basket.hold(("s1", 1), key="k")
    basket.holds.queue.forget(["s1"])
    free = basket.world.waits[candidate(1)] = asyncio.Event()
    other = asyncio.create_task(basket.hold(("s2", 1), school="school-2"))
    assert await basket.hold(("s1", 1), key="k") == first
    free.set()
    await other


async def test_a_twin_is_answered_though_mandate_is_away(basket: Basket) -> None:
    first = await basket.hold(("s1", 1), key="k")
    basket.holds.queue.forget(["s1"])
    await basket.peer_servers["mandate"].server.stop(0)
    assert await basket.hold(("s1", 1), key="k") == first


async def test_a_peer_that_is_away_for_a_moment_is_asked_again_for_the_whole_batch(
    basket: Basket, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = basket.dependencies.peers._mandate_calls
    real, away = calls._execute, [2]

    async def execute(asked: Sequence[Any]) -> AsyncIterator[list[tuple[int, Any]]]:
        if away[0]:
            away[0] -= 1
            yield [(n, Failure(Code.CODE_UNAVAILABLE, "away")) for n in range(len(asked))]
            return
        async for some in real(asked):
            yield some

    monkeypatch.setattr(calls, "_execute", execute)
    with stamina.set_testing(True, attempts=3):  # without its pauses
        assert await outcomes(await crowd(basket, 5)) == {}
        away[0] = 3
        assert await basket_is_refused(basket) == Code.CODE_UNAVAILABLE


async def basket_is_refused(basket: Basket) -> Code.ValueType:
    with pytest.raises(Failure) as refused:
        await basket.hold(("s9", 9), school="school-9")
    return refused.value.code


# Who goes away


@pytest.mark.parametrize("what", [candidate(1), "s1"], ids=["mandate", "rules"])
async def test_who_goes_away_within_its_batch_takes_no_slot(basket: Basket, what: str) -> None:
    free = basket.world.waits[what] = asyncio.Event()
    gone, stays = await crowd(basket, 2)
    await stays
    gone.cancel()
    await present(basket, 0)
    free.set()
    assert outcome(await basket.hold("s1", school="school-3")) == [HELD]
    assert [line.slot_id for line in await basket.published(LineChanged)].count("s1") == 2
    await basket.check()


@pytest.mark.req("R-16")
async def test_who_goes_away_while_rdvpermis_is_asked_has_its_answer_written_all_the_same(basket: Basket) -> None:
    gate = basket.rdvpermis.gates["HoldSlots school-1"] = asyncio.Event()
    gone, stays = await crowd(basket, 2)
    assert outcome(await stays) == [HELD]

    async def is_asked() -> bool:
        return basket.rdvpermis.calls.count("HoldSlots") == 2

    async def is_written() -> bool:
        return await basket.states() == {"s1": "held", "s2": "held"}

    await eventually(is_asked)
    gone.cancel()
    await present(basket, 0)
    gate.set()
    await eventually(is_written)
    await basket.check()
