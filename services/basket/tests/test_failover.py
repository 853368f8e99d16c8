"""The database's machine dies among acts, and its synchronous standby takes over (E14): what anybody was answered is there."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc
import pytest
from basket_peers import Basket, LineChanged, Record, candidate
from basket_work import settle_and_give_back
from sqlalchemy.ext.asyncio import AsyncEngine
from two_databases import TwoDatabases, two_databases

from resapermis.audit.v1.events_pb2 import Outcome
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.basket.v1 import basket_pb2_grpc
from resapermis_basket import invariants as questions
from resapermis_kit.clock import utc_now
from resapermis_kit.database.engine import make_engine as new_engine
from resapermis_kit.database.migration import migrate
from resapermis_kit.database.transaction import check, transaction
from resapermis_kit.errors import Code, Failure, from_rpc_error
from resapermis_kit.events import numbering, streams
from resapermis_kit.process import invariants
from resapermis_testing.eventually import eventually
from resapermis_testing.postgres import MakeEngine

QUESTIONS = {**invariants.KIT, **questions.ALWAYS, **questions.IN_TIME}
SCHOOLS, HOLDS = 12, 10
DOUBTFUL = frozenset(f"slot-{school}-2" for school in range(3))
"""RdvPermis takes its time over these."""
LATER = {Code.CODE_UNAVAILABLE, Code.CODE_OVERLOADED, Code.CODE_DEADLINE}
"""What those get who were not answered: ask again with the same request id."""


@pytest.fixture
def databases() -> Iterator[TwoDatabases]:
    with two_databases() as both:
        yield both


@pytest.fixture
async def make_engine(databases: TwoDatabases) -> AsyncIterator[MakeEngine]:
    """Instead of the suite's: an engine on the address of the two."""
    engines: list[AsyncEngine] = []

    async def make(package: str) -> AsyncEngine:
        await databases.start_primary()
        await asyncio.to_thread(migrate, package, databases.owner_url)
        await databases.start_standby()
        engines.append(new_engine(databases.url, name=package))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.dispose()


@dataclass
class Crowd:
    """Schools that hold slot after slot, each act with its own key, until one is not answered."""

    basket: Basket
    answered: dict[str, pb.Group] = field(default_factory=dict)
    """By key, also the slot's id."""
    unanswered: dict[str, Failure] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    async def school(self, school: int) -> None:
        for turn in range(HOLDS):
            key = f"slot-{school}-{turn}"
            self.numbers[key] = school * HOLDS + turn + 1
            try:
                self.answered[key] = await self.ask(key)
            except Failure as failure:
                self.unanswered[key] = failure
                return

    async def ask(self, key: str) -> pb.Group:
        return await self.basket.hold((key, self.numbers[key]), school=school_of(key), key=key)


@dataclass
class Relay:
    """What a relay does, without a bus: whatever it took a number for, consumers may have seen."""

    engine: AsyncEngine
    seen: dict[tuple[str, int], UUID] = field(default_factory=dict)

    async def turn(self) -> bool:
        async with transaction(self.engine) as tx:
            rows = await numbering.number_unpublished(tx)
        for row in rows:
            assert self.seen.setdefault((row.stream, row.number), row.id) == row.id, "a number was given twice"
        async with transaction(self.engine) as tx:
            await numbering.mark_published(tx, rows, {row.id for row in rows}, utc_now())
        return bool(rows)

    async def run(self) -> None:
        with suppress(Failure):
            while True:
                await self.turn()
                await asyncio.sleep(0)


def school_of(key: str) -> str:
    return f"ecole-{key.split('-')[1]}"


def slow(basket: Basket) -> asyncio.Event:
    """RdvPermis acts on the doubtful ones once the event is set."""
    acts = asyncio.Event()
    real = basket.rdvpermis._begin

    async def begin(method: str, request: Any) -> str:
        if method == "HoldSlots" and {one.slot_id for one in request.slots} & DOUBTFUL:
            await acts.wait()
        return await real(method, request)

    basket.rdvpermis._begin = begin  # type: ignore[method-assign]
    return acts


async def missing(basket: Basket, answered: dict[str, pb.Group]) -> list[str]:
    """Of what was answered, the keys whose line, event, record or claim the database does not have."""
    lines = {str(row.id): row for row in await basket.rows("SELECT id, slot_id, state FROM basket_line")}
    claims = {row.request_id for row in await basket.rows("SELECT request_id FROM request WHERE response IS NOT NULL")}
    published = {(one.line_id, one.to) for one in await basket.published(LineChanged)}
    kept = {one.object_id for one in await basket.published(Record) if one.outcome == Outcome.OUTCOME_DONE}
    lost = []
    for key, group in answered.items():
        (line,) = group.lines
        there = line.id in lines and (lines[line.id].slot_id, lines[line.id].state) == (key, "held")
        if not (there and key in claims and (line.id, pb.LINE_STATE_HELD) in published and line.id in kept):
            lost.append(key)
    return lost


async def halves(basket: Basket) -> list[str]:
    """Acts of which only a part is there."""
    return [
        row.request_id
        for row in await basket.rows(
            "SELECT coalesce(request.request_id, group_.request_id) AS request_id FROM request "
            "FULL JOIN group_ USING (request_id) LEFT JOIN basket_line ON group_id = group_.id "
            "WHERE request.request_id IS NULL OR group_.id IS NULL OR basket_line.id IS NULL"
        )
    ]


async def reconcile(basket: Basket) -> None:
    """What is in doubt is read at RdvPermis, now."""

    async def settled() -> bool:
        await settle_and_give_back(basket.dependencies)
        return "asking" not in (await basket.states()).values()

    await eventually(settled)


async def reached(basket: Basket) -> bool:
    with suppress(Failure):
        await check(basket.engine)
        return True
    return False


def agrees(basket: Basket, states: dict[str, str]) -> bool:
    """Whether RdvPermis holds what we say is held, and nothing else."""
    theirs = [slot for one in basket.rdvpermis.baskets.values() for slot in one.candidates]
    return sorted(theirs) == sorted(slot for slot, state in states.items() if state == "held")


async def broken(basket: Basket) -> dict[str, int]:
    return {name: many for name, many in (await invariants.check(basket.engine, QUESTIONS)).items() if many}


@pytest.mark.req("E14", "E12", "C5")
async def test_after_a_failover_all_that_was_answered_is_there_and_the_rest_is_found_or_asked_again(
    basket: Basket, databases: TwoDatabases
) -> None:
    crowd, relay, acts = Crowd(basket), Relay(basket.engine), slow(basket)
    everybody = [asyncio.create_task(crowd.school(school)) for school in range(SCHOOLS)]
    numbering = asyncio.create_task(relay.run())

    async def in_the_midst() -> bool:
        states = await basket.states()
        return {states.get(key) for key in DOUBTFUL} == {"asking"} and len(crowd.answered) > 3 * SCHOOLS

    await eventually(in_the_midst, 20)
    databases.primary.kill()
    acts.set()
    await asyncio.gather(*everybody, numbering)
    answered = dict(crowd.answered)
    assert len(crowd.unanswered) > len(DOUBTFUL), "it died among acts"
    assert {failure.code for failure in crowd.unanswered.values()} <= LATER
    await databases.fail_over()
    await eventually(lambda: reached(basket))

    assert await missing(basket, answered) == []
    assert await halves(basket) == []
    assert await broken(basket) == {}
    await basket.check()
    in_doubt = {key for key, state in (await basket.states()).items() if state == "asking"}
    assert in_doubt >= DOUBTFUL
    await reconcile(basket)
    states = await basket.states()
    assert {states[key] for key in DOUBTFUL} == {"held"}, "RdvPermis did these, and nobody could write it down"
    assert agrees(basket, states)

    calls = basket.rdvpermis.calls.count("HoldSlots")
    for key in crowd.unanswered:
        (line,) = (await crowd.ask(key)).lines
        assert line.state == (pb.LINE_STATE_REFUSED if states.get(key) == "refused" else pb.LINE_STATE_HELD)
    fresh = crowd.unanswered.keys() - states.keys()
    assert basket.rdvpermis.calls.count("HoldSlots") - calls == len(fresh), "what was begun is not asked again"
    assert len(await basket.rows("SELECT id FROM basket_line")) == len(crowd.numbers)
    while await relay.turn():
        pass
    assert agrees(basket, await basket.states())
    await basket.check()
    assert await broken(basket) == {}
    for stream in (streams.EVENTS, streams.RECORDS):
        given = sorted(number for of, number in relay.seen if of == stream)
        assert given == list(range(1, len(given) + 1))
    assert {(row.stream, row.number): row.id for row in await basket.rows("SELECT * FROM outbox")} == relay.seen


async def outcome_of(basket: Basket, method: str, request: Any, school: str) -> str:
    """What the caller of one second of patience gets; "" for an answer."""
    token = basket.running.principal(school_id=school, account_id=f"account-{school}")
    stub = basket_pb2_grpc.BasketServiceStub(basket.channel)
    try:
        await getattr(stub, method)(request, metadata=(("x-resapermis-principal", token),), timeout=1)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).name
    return ""


def hold_of(key: str, number: int) -> pb.HoldSlotsRequest:
    request = pb.HoldSlotsRequest(request_id=key)
    request.lines.add(slot_id=key, candidate_id=candidate(number))
    return request


@pytest.mark.req("E14", "R-16")
async def test_a_commit_that_waits_for_a_standby_that_is_gone_is_answered_to_nobody_and_reconciled(
    basket: Basket, databases: TwoDatabases
) -> None:
    (line,) = (await basket.hold(("slot-1-0", 1), school="ecole-1")).lines
    databases.standby.kill()
    hold, release = hold_of("slot-2-0", 2), pb.ReleaseLineRequest(request_id="give", line_id=line.id)
    both = outcome_of(basket, "HoldSlots", hold, "ecole-2"), outcome_of(basket, "ReleaseLine", release, "ecole-1")
    assert [*await asyncio.gather(*both)] == ["DEADLINE", "DEADLINE"]
    # They are written on one machine only: nobody may see that and tell it, nor act upon it at RdvPermis.
    seen = "SELECT slot_id, state, changing FROM basket_line"
    assert await basket.rows(seen) == [("slot-1-0", "held", "")]
    both = outcome_of(basket, "HoldSlots", hold, "ecole-2"), outcome_of(basket, "ReleaseLine", release, "ecole-1")
    assert [*await asyncio.gather(*both)] == ["DEADLINE", "DEADLINE"]
    assert await basket.rows(seen) == [("slot-1-0", "held", "")]
    assert basket.rdvpermis.calls == ["HoldSlots"]
    databases.standby.start()

    async def written() -> bool:
        return set(await basket.rows(seen)) == {("slot-1-0", "held", "release"), ("slot-2-0", "asking", "")}

    await eventually(written, 20)
    await reconcile(basket)
    after = [("slot-1-0", "held", ""), ("slot-2-0", "refused", "")]
    assert sorted(await basket.rows(seen)) == after, "RdvPermis was read, and had been asked neither"
    both = outcome_of(basket, "HoldSlots", hold, "ecole-2"), outcome_of(basket, "ReleaseLine", release, "ecole-1")
    assert [*await asyncio.gather(*both)] == ["", ""]
    assert sorted(await basket.rows(seen)) == after
    assert basket.rdvpermis.calls.count("HoldSlots") == 1
    assert agrees(basket, await basket.states())
    await basket.check()
    assert await broken(basket) == {}


@pytest.mark.req("E14")
@pytest.mark.parametrize(
    ("waits_for", "outcome"),
    [
        pytest.param("*", "DEADLINE", id="synchronous"),
        pytest.param(
            "", "", id="control", marks=pytest.mark.long_only
        ),  # that the other one can fail; two servers more
    ],
)
async def test_what_the_standby_never_had_was_answered_to_nobody_unless_commits_do_not_wait_for_it(
    basket: Basket, databases: TwoDatabases, waits_for: str, outcome: str
) -> None:
    before = await basket.hold(("slot-1-0", 1), school="ecole-1", key="slot-1-0")
    await databases.wait_for_each_other(waits_for)
    databases.standby.kill()
    request = hold_of("slot-2-0", 2)
    assert await outcome_of(basket, "HoldSlots", request, "ecole-2") == outcome
    databases.primary.kill()
    await databases.fail_over()
    await eventually(lambda: reached(basket))
    assert await missing(basket, {"slot-1-0": before}) == []
    assert await basket.states() == {"slot-1-0": "held"}
    # Without waiting this is the loss: the school was answered a hold that RdvPermis has and we have not.
    assert agrees(basket, await basket.states()) is bool(waits_for)
    if waits_for:
        assert await outcome_of(basket, "HoldSlots", request, "ecole-2") == ""
        assert await basket.states() == {"slot-1-0": "held", "slot-2-0": "held"}
        assert basket.rdvpermis.calls == ["HoldSlots", "HoldSlots"]
        await basket.check()
