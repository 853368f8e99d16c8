"""Who comes too late is refused cheaply, from the database: never because of what this process remembers."""

import asyncio
from typing import Any

import pytest
from basket_peers import Basket, Record

from resapermis.audit.v1.events_pb2 import Outcome
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.hold import command
from resapermis_basket.hold.taken_slots import refuse_taken_slots
from resapermis_kit.errors import Code, Failure

SCHOOLS = 60


async def taken(basket: Basket, *slots: str) -> pb.Group:
    """Slots that school-1 holds, and somebody was refused: their slots are remembered."""
    group = await basket.hold(*slots)
    assert {line.state for line in group.lines} == {pb.LINE_STATE_HELD}
    return group


def reasons(group: pb.Group) -> list[Any]:
    return [line.refusal.code for line in group.lines]


@pytest.mark.req("N-01")
async def test_a_crowd_that_is_too_late_is_refused_recorded_and_answered_each(basket: Basket) -> None:
    await taken(basket, ("s1", 1), ("s2", 2))
    before = len(basket.world.evaluated)
    groups = await asyncio.gather(
        *(basket.hold("s1", "s2", school=f"ecole-{n}", key=f"trop-tard-{n}") for n in range(SCHOOLS))
    )
    assert all(reasons(group) == [Code.CODE_SLOT_TAKEN] * 2 for group in groups)
    assert len(basket.world.evaluated) == before
    (kept,) = await basket.rows(
        "SELECT count(DISTINCT school_id) AS schools, count(*) AS many FROM basket_line WHERE state = 'refused'"
    )
    assert (kept.schools, kept.many) == (SCHOOLS, 2 * SCHOOLS)
    records = [one for one in await basket.published(Record) if one.outcome == Outcome.OUTCOME_REFUSED]
    assert {one.school_id for one in records} == {f"ecole-{n}" for n in range(SCHOOLS)}
    assert {one.facts["code"] for one in records} == {"SLOT_TAKEN"}
    assert len(records) == 2 * SCHOOLS
    await basket.check()


@pytest.mark.req("C5", "C6")
async def test_a_twin_of_a_refused_command_gets_its_answer(basket: Basket) -> None:
    await taken(basket, ("s1", 1))
    twins = await asyncio.gather(*(basket.hold("s1", school="ecole-2", key="same") for _ in range(5)))
    again = await basket.hold("s1", school="ecole-2", key="same")
    assert {one.id for one in twins} == {again.id}
    with pytest.raises(Failure) as other:
        await basket.hold("s1", ("s2", 1), school="ecole-2", key="same")
    assert other.value.code == Code.CODE_KEY_REUSED


async def test_a_slot_that_came_free_meanwhile_is_held_whatever_is_remembered(basket: Basket) -> None:
    group = await taken(basket, ("s1", 1), ("s2", 2))
    assert reasons(await basket.hold("s1", school="ecole-2")) == [Code.CODE_SLOT_TAKEN]
    line = next(line for line in group.lines if line.slot.id == "s1")
    await basket.ask("ReleaseLine", pb.ReleaseLineRequest(request_id="give", line_id=line.id))
    freed = await basket.hold(("s1", 3), "s2", school="ecole-2")
    assert [line.state for line in freed.lines] == [pb.LINE_STATE_HELD, pb.LINE_STATE_REFUSED]
    assert freed.lines[1].refusal.code == Code.CODE_SLOT_TAKEN
    await basket.check()


async def test_some_of_a_batch_may_be_refused_and_others_not(basket: Basket) -> None:
    group = await taken(basket, ("s1", 1), ("s2", 2))
    line = next(line for line in group.lines if line.slot.id == "s1")
    await basket.ask("ReleaseLine", pb.ReleaseLineRequest(request_id="give", line_id=line.id))
    one, other = await asyncio.gather(
        basket.hold(("s1", 3), school="ecole-2"), basket.hold(("s2", 4), school="ecole-3")
    )
    assert [line.state for line in one.lines] == [pb.LINE_STATE_HELD]
    assert reasons(other) == [Code.CODE_SLOT_TAKEN]


async def test_a_batch_that_fails_is_refused_to_each_and_leaves_nothing(
    basket: Basket, monkeypatch: pytest.MonkeyPatch
) -> None:
    await taken(basket, ("s1", 1))
    real = refuse_taken_slots

    async def away(*_: Any) -> Any:
        raise Failure(Code.CODE_UNAVAILABLE, "the database is away")

    monkeypatch.setattr(command, "refuse_taken_slots", away)
    answers = await asyncio.gather(
        *(basket.hold("s1", school=f"ecole-{n}", key=f"k{n}") for n in range(3)), return_exceptions=True
    )
    assert [one.code for one in answers if isinstance(one, Failure)] == [Code.CODE_UNAVAILABLE] * 3
    assert not await basket.rows("SELECT id FROM basket_line WHERE state = 'refused'")
    monkeypatch.setattr(command, "refuse_taken_slots", real)
    assert reasons(await basket.hold("s1", school="ecole-0", key="k0")) == [Code.CODE_SLOT_TAKEN]
