"""Many at once, at the statements themselves: one winner, counters equal rows, and what loses leaves nothing behind.

Each guard has its control beside it: the same crowd with the guard taken away oversells.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from basket_peers import MONTH, START, Basket
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis_basket.domain.answer import Answer, AnswerOutcome, PreparedBasket, held
from resapermis_basket.domain.line import BASKET, Group, Line, Slot, State
from resapermis_basket.hold.queries import (
    HoldAnswer,
    HoldIntention,
    HoldQuestion,
    HoldSituation,
    read_situations,
    write_answers,
    write_intentions,
)
from resapermis_basket.opening.queries import keep_prepared
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.idempotency import Command
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_testing.databases import as_owner
from resapermis_testing.postgres import MakeEngine

CROWD = 500
PLACE = ("94", MONTH, "B")


@pytest.fixture
async def engine(make_engine: MakeEngine) -> AsyncEngine:
    return await make_engine("resapermis_basket")


def asking(slot_id: str, school: str, group_id: UUID, position: int = 0, candidate_id: UUID | None = None) -> Line:
    slot = Slot(slot_id, *("94", "B"), MONTH, START, START + timedelta(minutes=32), "Europe/Paris", "Rungis", b"")
    now = utc_now()
    return Line(new_id(), group_id, position, school, "account", slot, State.ASKING, now, candidate_id=candidate_id)


def intention(*slots: str, school: str = "ecole-1", cap: int = 100, key: str = "", **more: Any) -> HoldIntention:
    """What a hold writes before it asks."""
    now = utc_now()
    request = pb.HoldSlotsRequest(request_id=key or str(new_id()))
    group = Group(new_id(), school, "account", "session", False, school, request.request_id, now)
    lines = [asking(slot, school, group.id, place, **more) for place, slot in enumerate(slots)]
    counts = {BASKET: (len(lines), 36), PLACE: (len(lines), cap)}
    messages = Outbox("basket").values(now, [pb.GetBasketRequest()])
    claim = Command(school, request, pb.HoldSlotsResponse).claim(now, None)
    judged = {line.id: b"facts" for line in lines}
    return HoldIntention(claim, group, counts, lines, judged, messages)


async def intend(engine: AsyncEngine, *slots: str, **more: Any) -> tuple[bool, Sequence[Line]]:
    """One intention by itself; whether it was written, and its lines."""
    one = intention(*slots, **more)
    return (await write_intentions(engine, [one]))[0] is not None, one.lines


async def scalar(engine: AsyncEngine, question: str) -> Any:
    async with transaction(engine) as tx:
        return (await tx.execute(sa.text(question))).scalar_one()


async def count(engine: AsyncEngine, table: str) -> int:
    async with transaction(engine) as tx:
        return int((await tx.execute(sa.select(sa.func.count()).select_from(sa.table(table)))).scalar_one())


async def won(crowd: list[Any]) -> int:
    gate = asyncio.Semaphore(40)  # the pool has ten connections, and nobody waits for one longer than two seconds

    async def one(attempt: Any) -> bool:
        async with gate:
            return bool((await attempt)[0])

    return sum(await asyncio.gather(*map(one, crowd)))


@pytest.mark.req("C1")
async def test_of_500_schools_one_gets_the_slot(engine: AsyncEngine) -> None:
    assert await won([intend(engine, "s1", school=f"ecole-{n}") for n in range(CROWD)]) == 1
    for table, many in (("basket_line", 1), ("group_", 1), ("judgement", 1), ("outbox", 1), ("request", 1)):
        assert await count(engine, table) == many
    assert await scalar(engine, "SELECT sum(taken) FROM quota") == 2  # of the winner: basket and month
    assert await scalar(engine, "SELECT count(*) FROM quota") == 2


@pytest.mark.req("C2")
async def test_control_without_the_index_the_slot_is_oversold(engine: AsyncEngine) -> None:
    async with as_owner(engine) as tx:
        await tx.execute(sa.text("DROP INDEX one_live_line_a_slot"))
    assert await won([intend(engine, "s1", school=f"ecole-{n}") for n in range(20)]) == 20


@pytest.mark.req("R-11", "C1")
async def test_of_500_holds_one_fits_under_a_threshold_of_one(engine: AsyncEngine) -> None:
    assert await won([intend(engine, f"s{n}", cap=1) for n in range(CROWD)]) == 1
    assert await scalar(engine, "SELECT count(*) FROM basket_line") == 1
    assert await scalar(engine, "SELECT max(taken) FROM quota") == 1


@pytest.mark.req("C2")
async def test_control_without_the_counters_refusal_the_threshold_is_passed(engine: AsyncEngine) -> None:
    async with as_owner(engine) as tx:
        await tx.execute(sa.text("ALTER TABLE quota ALTER cap DROP NOT NULL"))
    assert await won([intend(engine, f"s{n}", cap=1) for n in range(20)]) == 20


@pytest.mark.req("R-30")
async def test_a_candidate_stands_on_one_line_and_a_reserved_one_on_none(engine: AsyncEngine) -> None:
    one, other = new_id(), new_id()
    assert await won([intend(engine, f"s{n}", school=f"ecole-{n}", candidate_id=one) for n in range(50)]) == 1
    async with transaction(engine) as tx:
        await tx.execute(sa.text("UPDATE basket_line SET wanted_candidate_id = :id"), {"id": other})
    assert (await intend(engine, "s60", candidate_id=other))[0] is False
    assert (await intend(engine, "s60", candidate_id=new_id()))[0] is True


SLOWLY = (
    "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END'",
    "CREATE TRIGGER slowly BEFORE INSERT ON basket_line FOR EACH ROW EXECUTE FUNCTION slowly()",
)


@pytest.mark.req("C4")
async def test_groups_in_opposite_orders_queue_and_never_deadlock(engine: AsyncEngine) -> None:
    async with as_owner(engine) as tx:
        for statement in SLOWLY:
            await tx.execute(sa.text(statement))
    slots = ["s1", "s2", "s3", "s4"]
    crowd = [intend(engine, *(slots if n % 2 else reversed(slots)), school=f"ecole-{n}") for n in range(8)]
    assert await won(crowd) == 1  # a deadlock would be raised here
    assert await scalar(engine, "SELECT count(*) FROM basket_line") == 4


async def standing(engine: AsyncEngine, *slots: str) -> HoldSituation:
    question = HoldQuestion("ecole-1", "ecole-1", "k", frozenset(slots), frozenset())
    return (await read_situations(engine, [question]))[0]


@pytest.mark.req("C3")
async def test_statements_see_what_was_committed_before_them_not_before_their_connection(engine: AsyncEngine) -> None:
    """Under REPEATABLE READ a snapshot older than the lock would judge by what is no longer true."""
    assert await scalar(engine, "SHOW transaction_isolation") == "read committed"
    seen = await standing(engine, "s1")
    assert (seen.asked_before, seen.counted, seen.conflicts.slots) == (False, {}, frozenset())
    await intend(engine, "s1", key="k")
    seen = await standing(engine, "s1", "s2")
    assert (seen.asked_before, seen.counted) == (True, {BASKET: 1, PLACE: 1})
    assert seen.conflicts.slots == {"s1"}
    assert abs(seen.time.now - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.req("R-11")
async def test_of_a_batch_all_that_fits_is_written_and_what_does_not_leaves_nothing(engine: AsyncEngine) -> None:
    await intend(engine, "s1", school="ecole-0")
    await intend(engine, "s2", school="ecole-9", key="before")
    batch = [
        intention("s3", school="ecole-1"),
        intention("s1", school="ecole-2"),  # taken
        intention("s4", "s5", school="ecole-3"),
        intention("s6", "s7", school="ecole-4", cap=1),  # over the threshold
        intention("s3", school="ecole-5"),  # the first of this batch has it
        intention("s8", school="ecole-9", key="before"),  # a twin was here
    ]
    assert await write_intentions(engine, batch) == ["", None, "", None, None, None]
    assert await scalar(engine, "SELECT string_agg(slot_id, ' ' ORDER BY slot_id) FROM basket_line") == "s1 s2 s3 s4 s5"
    for table in ("group_", "request"):
        assert await count(engine, table) == 4
    assert await scalar(engine, "SELECT sum(taken) FROM quota") == 10  # basket and month of each line


@pytest.mark.req("R-11")
async def test_two_of_one_school_in_a_batch_count_one_after_the_other(engine: AsyncEngine) -> None:
    batch = [intention(f"s{n}", cap=3) for n in range(5)] + [intention("t", school="ecole-2", cap=3)]
    written = await write_intentions(engine, batch)
    assert written[-1] == ""
    assert sum(one is not None for one in written[:-1]) == 3
    assert await scalar(engine, "SELECT max(taken) FROM quota") == 3


@pytest.mark.req("C5")
async def test_twins_of_a_batch_are_one(engine: AsyncEngine) -> None:
    batch = [intention(f"s{n}", key="same") for n in range(3)]
    assert sorted(map(str, await write_intentions(engine, batch))) == ["", "None", "None"]
    assert await scalar(engine, "SELECT count(*) FROM basket_line") == 1


async def test_each_hold_of_a_batch_takes_its_own_persons_prepared_basket(engine: AsyncEngine) -> None:
    async with transaction(engine) as tx:
        for school, account in (("ecole-1", "account"), ("ecole-2", "account"), ("ecole-3", "somebody else")):
            prepared = PreparedBasket(f"panier-{school}", utc_now() + timedelta(minutes=10))
            await keep_prepared(tx, school, account, prepared)
    batch = [intention(f"s{n}", school=f"ecole-{n}") for n in (3, 2, 1)]
    assert await write_intentions(engine, batch) == ["", "panier-ecole-2", "panier-ecole-1"]
    assert await scalar(engine, "SELECT count(*) FROM prepared_basket WHERE taken_at IS NOT NULL") == 2
    assert await write_intentions(engine, [intention("s4", school="ecole-1")]) == [""]


async def test_a_batch_of_questions_answers_each_school_its_own(engine: AsyncEngine) -> None:
    theirs = new_id()
    await intend(engine, "s1", school="ecole-1", key="k", candidate_id=theirs)
    questions = [
        HoldQuestion("ecole-1", "ecole-1", "k", frozenset({"s1"}), frozenset({theirs})),
        HoldQuestion("ecole-2", "ecole-2", "k", frozenset({"s1", "s2"}), frozenset()),
        HoldQuestion("ecole-3", "ecole-3", "k", frozenset({"s3"}), frozenset({new_id()})),
    ]
    one, two, three = await read_situations(engine, questions)
    assert (one.asked_before, two.asked_before, three.asked_before) == (True, False, False)
    assert (one.counted, two.counted, three.counted) == ({BASKET: 1, PLACE: 1}, {}, {})
    assert [seen.conflicts.slots for seen in (one, two, three)] == [{"s1"}, {"s1"}, set()]
    assert [seen.conflicts.candidates for seen in (one, two, three)] == [{(theirs, "B")}, set(), set()]


@pytest.mark.req("C5")
async def test_a_twin_of_an_intention_writes_nothing(engine: AsyncEngine) -> None:
    assert await won([intend(engine, f"s{n}", key="same") for n in range(50)]) == 1
    assert await scalar(engine, "SELECT count(*) FROM basket_line") == 1
    assert await scalar(engine, "SELECT max(taken) FROM quota") == 1


def an_answer(lines: Sequence[Line], key: str) -> HoldAnswer:
    now = utc_now()
    school = lines[0].school_id
    after = [held(line, Answer(AnswerOutcome.DONE, expires_at=now + timedelta(minutes=9)), now) for line in lines]
    command = Command(school, pb.HoldSlotsRequest(request_id=key), pb.HoldSlotsResponse)
    claim = command.claim(now, pb.HoldSlotsResponse())
    group = Group(lines[0].group_id, school, "account", "session", False, school, key, now)
    return HoldAnswer(claim, group, after, Outbox("basket").values(now, [pb.GetBasketRequest()]))


async def answered(engine: AsyncEngine, lines: Sequence[Line], key: str) -> bool:
    return (await write_answers(engine, [an_answer(lines, key)]))[0]


async def test_of_a_batch_of_answers_each_is_written_whole_or_not_at_all(engine: AsyncEngine) -> None:
    lines = {n: (await intend(engine, f"s{n}", f"t{n}", school=f"ecole-{n}", key="k"))[1] for n in range(3)}
    async with transaction(engine) as tx:
        await tx.execute(sa.text("UPDATE basket_line SET version = version + 1 WHERE slot_id = 't1'"))
    assert await write_answers(engine, [an_answer(lines[n], "k") for n in (2, 1, 0)]) == [True, False, True]
    held_now = "SELECT string_agg(slot_id, ' ' ORDER BY slot_id) FROM basket_line WHERE state = 'held'"
    assert await scalar(engine, held_now) == "s0 s2 t0 t2"
    assert await scalar(engine, "SELECT count(response) FROM request") == 2
    assert await scalar(engine, "SELECT count(*) FROM outbox") == 5


async def test_an_answer_is_written_once_whole_or_not_at_all(engine: AsyncEngine) -> None:
    _, lines = await intend(engine, "s1", "s2", key="k")
    async with transaction(engine) as tx:  # the reconciler was faster with one of the two
        await tx.execute(sa.text("UPDATE basket_line SET version = version + 1 WHERE slot_id = 's1'"))
    assert await answered(engine, lines, "k") is False
    assert await scalar(engine, "SELECT count(*) FROM basket_line WHERE state = 'held'") == 0
    assert await scalar(engine, "SELECT count(*) FROM outbox") == 1
    assert await scalar(engine, "SELECT count(response) FROM request") == 0
    async with transaction(engine) as tx:
        await tx.execute(sa.text("UPDATE basket_line SET version = 0"))
    assert sorted(await asyncio.gather(*(answered(engine, lines, "k") for _ in range(5)))) == [False] * 4 + [True]
    assert await scalar(engine, "SELECT count(*) FROM basket_line WHERE state = 'held'") == 2
    assert await scalar(engine, "SELECT count(*) FROM outbox") == 2
    assert await scalar(engine, "SELECT count(response) FROM request") == 1


@pytest.mark.req("C5")
async def test_fifty_times_the_same_key_is_one_hold(basket: Basket) -> None:
    answers = await asyncio.gather(*(basket.hold("s1", key="k") for _ in range(50)), return_exceptions=True)
    groups = [one for one in answers if isinstance(one, pb.Group)]
    assert groups
    assert all(group == groups[0] for group in groups)
    waiting = [one for one in answers if one not in groups]
    assert all(isinstance(one, Failure) and one.code == Code.CODE_IN_PROGRESS for one in waiting)
    assert basket.rdvpermis.calls.count("HoldSlots") == 1
    await basket.check()


@pytest.mark.req("C6")
async def test_a_key_with_another_body_is_refused_and_another_persons_is_their_own(basket: Basket) -> None:
    mine = await basket.hold("s1", key="k")
    with pytest.raises(Failure) as reused:
        await basket.hold("s2", key="k")
    assert reused.value.code == Code.CODE_KEY_REUSED
    theirs = await basket.hold("s3", key="k", school="school-2")
    assert theirs.lines[0].slot.id == "s3"
    assert (await basket.hold("s1", key="k")) == mine


async def test_who_is_too_late_is_answered_without_rules_or_rdvpermis_being_asked(basket: Basket) -> None:
    won = await basket.hold(("s1", 1))
    asked = len(basket.world.evaluated)
    late = await basket.hold(("s1", 2), school="school-2")
    line = late.lines[0]
    assert (line.state, line.refusal.code) == (pb.LINE_STATE_REFUSED, Code.CODE_SLOT_TAKEN)
    assert line.slot.starts_at == won.lines[0].slot.starts_at
    assert not line.slot.HasField("distance_km")
    assert len(basket.world.evaluated) == asked
    assert (await basket.hold(("s1", 2), school="school-2", key="again")).lines[0].state == pb.LINE_STATE_REFUSED
    release = pb.ReleaseLineRequest(request_id="r", line_id=won.lines[0].id)
    await basket.ask("ReleaseLine", release)
    free = await basket.hold(("s1", 2), school="school-2")  # remembered as taken, but the database says free
    assert free.lines[0].state == pb.LINE_STATE_HELD
    await basket.check()


@pytest.mark.req("R-14")
async def test_more_taken_slots_than_an_action_may_have_are_refused_by_their_rule(basket: Basket) -> None:
    for slots in (["s1", "s2", "s3"], ["s4", "s5"]):
        await basket.hold(*slots)
    with pytest.raises(Failure) as refused:
        await basket.hold(*((f"s{n}", n) for n in range(1, 6)), school="school-2")
    assert refused.value.code == Code.CODE_RULE_REFUSED
    assert "R-GROUP" in {verdict.rule for verdict in refused.value.verdicts}


async def test_a_slot_that_is_forgotten_between_two_reads_is_judged_like_any_other(
    basket: Basket, monkeypatch: pytest.MonkeyPatch
) -> None:
    await basket.hold(("s1", 1))
    monkeypatch.setattr("resapermis_basket.hold.queue.HoldQueue.seen_taken", lambda *_: [])
    late = await basket.hold(("s1", 2), school="school-2")
    assert late.lines[0].refusal.code == Code.CODE_SLOT_TAKEN
