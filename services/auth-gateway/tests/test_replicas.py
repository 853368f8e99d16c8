"""Replicas of a process divide its limits: whoever comes, goes, falls or comes back, in sum never more than the whole."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway.egress.budget import Budget, Limits, Reservation
from resapermis_auth_gateway.replicas import GONE_SECONDS, USED_SECONDS, Replicas, Sighting, parts_for
from resapermis_auth_gateway.tables import replicas
from resapermis_kit.database.transaction import transaction
from resapermis_testing.databases import as_owner
from resapermis_testing.eventually import eventually
from resapermis_testing.postgres import MakeEngine

pytestmark = pytest.mark.req("R-27", "S-05")


@dataclass
class Clock:
    """Seconds of this machine, which a test moves."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Egress:
    """A replica and the budget that it divides."""

    clock: Clock
    budget: Budget = field(default_factory=lambda: Budget(Limits(employee=10, school=100)))

    def replica(self, engine: AsyncEngine, place: str) -> Replicas:
        within: Callable[[], bool] = lambda: self.budget.within(self.clock())  # noqa: E731 - handed over as it is
        return Replicas(engine, "egress", place, self.budget.divide, within, self.clock)

    def left(self) -> int:
        return self.budget.left("employee", "school", self.clock(), urgent=True)

    def spend(self, calls: int) -> None:
        found = self.budget.reserve("employee", "school", calls, self.clock(), urgent=True)
        assert isinstance(found, Reservation)
        while found.left:
            found.left -= 1
            self.budget.ended(found, self.clock(), asked=True)


async def let_pass(engine: AsyncEngine, seconds: float, place: str = "%") -> None:
    """Who stands in the table was last seen so much earlier."""
    earlier = replicas.c.seen_at - timedelta(seconds=seconds)
    async with transaction(engine) as tx:
        await tx.execute(sa.update(replicas).where(replicas.c.place.like(place)).values(seen_at=earlier))


steps = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["beat", "fall", "return", "long"])), max_size=60)


@given(steps)
def test_the_parts_of_those_at_work_are_never_more_than_the_whole(steps: list[tuple[int, str]]) -> None:
    table: dict[int, tuple[int, float]] = {}
    """Replica → (parts, when seen). What "fall" stops beats no more and uses nothing; each step takes two seconds."""
    fallen: set[int] = set()
    now = 0.0
    for who, step in steps:
        now += 70 if step == "long" else 2
        if step == "fall":
            fallen.add(who)
        if step in {"return", "long"}:
            fallen.discard(who)
        for one in [who, *(other for other in table if other not in fallen and other != who)]:  # each beats in time
            if one in fallen:
                continue
            own, seen = table.get(one, (0, -1e9))
            others = [
                Sighting(parts, now - at < GONE_SECONDS)
                for place, (parts, at) in table.items()
                if place != one and now - at < USED_SECONDS
            ]
            table[one] = parts_for(own if now - seen < GONE_SECONDS else 0, others), now
        at_work = [parts for place, (parts, at) in table.items() if parts and place not in fallen and at == now]
        assert sum((Fraction(1, parts) for parts in at_work), Fraction()) <= 1


async def test_one_alone_has_the_whole_at_once_and_again_after_a_restart(make_engine: MakeEngine) -> None:
    engine, egress = await make_engine("resapermis_auth_gateway"), Egress(Clock())
    first = egress.replica(engine, "a")
    assert egress.left() == 0  # nothing before it has entered itself
    await first.join()
    assert egress.left() == 10
    again = Egress(Clock())
    await again.replica(engine, "a").join()
    assert again.left() == 10


async def test_a_second_begins_with_nothing_and_has_half_when_the_first_has_made_room(make_engine: MakeEngine) -> None:
    engine, clock = await make_engine("resapermis_auth_gateway"), Clock()
    one, other = Egress(clock), Egress(clock)
    first, second = one.replica(engine, "a"), other.replica(engine, "b")
    await first.beat()
    one.spend(8)
    await second.beat()
    assert (one.left(), other.left()) == (2, 0)
    await first.beat()
    await second.beat()
    assert (one.left(), other.left()) == (0, 0)  # eight of ten are gone for this minute
    clock.at += 61
    await second.beat()
    assert (one.left(), other.left()) == (5, 0)  # the first has not written down yet that it fits
    await first.beat()
    await second.beat()
    assert (one.left(), other.left()) == (5, 5)


async def test_of_two_that_enter_in_one_moment_one_sees_the_other(make_engine: MakeEngine) -> None:
    engine, clock = await make_engine("resapermis_auth_gateway"), Clock()
    both = Egress(clock), Egress(clock)
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with transaction(engine) as tx:
        await tx.execute(sa.text("LOCK TABLE replica"))
        beats = [
            asyncio.create_task(each.replica(engine, place).beat()) for each, place in zip(both, "ab", strict=True)
        ]

        async def both_wait() -> bool:
            await tx.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
            return (await tx.execute(waiting)).scalar_one() == 2

        await eventually(both_wait)
    await asyncio.gather(*beats)
    assert sorted(each.left() for each in both) == [0, 10]


async def test_two_that_begin_at_once_wait_for_each_other_only_a_beat(make_engine: MakeEngine) -> None:
    engine, clock = await make_engine("resapermis_auth_gateway"), Clock()
    one, other, third = Egress(clock), Egress(clock), Egress(clock)
    all_of_them = [each.replica(engine, place) for each, place in ((one, "a"), (other, "b"), (third, "c"))]
    for _ in range(3):
        for each in all_of_them:
            await each.beat()
            assert one.left() + other.left() + third.left() <= 10
    assert (one.left(), other.left(), third.left()) == (3, 3, 3)


async def test_who_fell_leaves_its_part_to_the_other_when_its_calls_no_longer_count(make_engine: MakeEngine) -> None:
    engine, clock = await make_engine("resapermis_auth_gateway"), Clock()
    one, other = Egress(clock), Egress(clock)
    first, second = one.replica(engine, "a"), other.replica(engine, "b")
    for each in (first, second, first, second):
        await each.beat()
    await let_pass(engine, GONE_SECONDS + 1, "b")
    await first.beat()
    assert one.left() == 5
    await let_pass(engine, USED_SECONDS - GONE_SECONDS, "b")
    await first.beat()
    assert one.left() == 10
    async with engine.connect() as connection:
        assert (await connection.execute(sa.select(replicas.c.place))).scalars().all() == ["a"]
    other.spend(1)  # it did not fall, it was cut off, and comes back
    await second.beat()
    assert (one.left(), other.left()) == (10, 0)


async def test_who_left_or_fell_keeps_nobody_waiting_who_comes_in_its_place(make_engine: MakeEngine) -> None:
    engine, clock = await make_engine("resapermis_auth_gateway"), Clock()
    one, other, third = Egress(clock), Egress(clock), Egress(clock)
    first = one.replica(engine, "a")
    await first.join()
    await first.leave()
    assert one.left() == 0
    await other.replica(engine, "b").join()
    assert other.left() == 10
    await let_pass(engine, GONE_SECONDS + 1)
    await third.replica(engine, "c").join()
    assert third.left() == 10


@pytest.mark.parametrize(("company", "left"), [(True, 0), (False, 10)])
async def test_who_cannot_write_uses_nothing_unless_it_is_alone(
    make_engine: MakeEngine, *, company: bool, left: int
) -> None:
    engine, clock = await make_engine("resapermis_auth_gateway"), Clock()
    one, other = Egress(clock), Egress(clock)
    first, second = one.replica(engine, "a"), other.replica(engine, "b")
    await first.join()
    if company:
        for each in (second, first, second):
            await each.beat()
    async with as_owner(engine) as tx:
        await tx.execute(sa.text("ALTER TABLE replica RENAME TO replica_away"))
    had = one.left()
    await first.try_beat()
    assert one.left() == had  # one missed beat is nothing
    clock.at += GONE_SECONDS
    await first.try_beat()
    assert one.left() == left


async def test_processes_of_one_database_divide_apart(make_engine: MakeEngine) -> None:
    engine, egress = await make_engine("resapermis_auth_gateway"), Egress(Clock())
    parts: list[int] = []
    await egress.replica(engine, "a").join()
    await Replicas(engine, "auth-gateway", "a", parts.append, lambda: True).join()
    assert parts[-1] == 1
    assert egress.left() == 10
