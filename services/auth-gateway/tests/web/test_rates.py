"""What a moving window lets through, and what it forgets; what two replicas let through together."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway.tables import rate_counts
from resapermis_auth_gateway.web.security.rates import Headers, Kind, Rates, Window
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure
from resapermis_testing.eventually import eventually
from resapermis_testing.postgres import MakeEngine
from resapermis_vault.blind_index import BlindIndex

pytestmark = pytest.mark.req("S-05")


@given(st.lists(st.integers(0, 300), max_size=60).map(sorted), st.integers(1, 5))
def test_no_span_of_a_minute_has_more_than_allowed_and_one_that_has_room_is_not_refused(
    moments: list[int], most: int
) -> None:
    window, passed = Window(most, 60), list[int]()
    for now in moments:
        lately = [moment for moment in passed if moment >= now - 60]
        free_at = window.hit("one", now)
        assert free_at == (lately[0] + 60 if len(lately) >= most else None)
        passed += [now] if free_at is None else []


def test_who_asks_too_often_stands_in_nobody_elses_way() -> None:
    window = Window(1, 60)
    assert [window.hit(who, 10.0) for who in ("one", "one", "other")] == [None, 70.0, None]


def test_who_asked_a_while_ago_is_forgotten() -> None:
    window = Window(2, 60)
    for number in range(100):
        window.hit(str(number), float(number))
    assert len(window) == 61


def test_a_window_that_is_divided_lets_its_part_through_and_the_whole_again() -> None:
    window = Window(4, 60)
    assert [window.hit("one", float(second)) for second in range(3)] == [None, None, None]
    window.divide(2)
    assert not window.within(3.0)
    assert window.hit("one", 3.0) == 61.0  # when all but one of the three are over
    assert window.within(61.0)
    window.divide(0)
    assert window.hit("other", 61.0) == 121.0
    window.divide(9)
    assert [window.hit("other", 61.0), window.hit("other", 62.0)] == [None, 121.0]
    window.divide(1)
    assert [window.hit("other", 62.0) for _ in range(4)] == [None, None, None, 121.0]


def rates(engine: AsyncEngine, **limits: Any) -> Rates:
    """Of one replica."""
    given_limits = {
        "sign_in": "3/minute",
        "calendar": "5/hour",
        "read": "4/minute",
        "write": "2/minute",
        "report": "2/minute",
        "provider": "2/minute",
    } | limits
    return Rates(engine, BlindIndex([b"k" * 32]).of, **given_limits)


async def hit(replica: Rates, kind: Kind = "login", who: str = "192.0.2.1") -> datetime | None:
    """None when it passes, else when the next is free."""
    try:
        await replica.count(kind, who, [])
    except Failure as refused:
        return refused.retry_at
    return None


async def let_pass(engine: AsyncEngine, seconds: float) -> None:
    """The counts' time goes on: everything that stands was so much earlier."""
    earlier = sa.text(
        "UPDATE rate_count SET over_at = over_at - :by,"
        " moments = ARRAY(SELECT moment - :by FROM unnest(moments) AS moment)"
    ).bindparams(sa.bindparam("by", timedelta(seconds=seconds), sa.Interval))
    async with transaction(engine) as tx:
        await tx.execute(earlier)


async def size(engine: AsyncEngine) -> int:
    """Rows of the table."""
    async with engine.connect() as connection:
        return (await connection.execute(sa.select(sa.func.count()).select_from(rate_counts))).scalar_one()


async def test_two_replicas_at_once_let_no_more_through_than_the_limit(make_engine: MakeEngine) -> None:
    engine = await make_engine("resapermis_auth_gateway")
    replicas = rates(engine), rates(engine)
    assert await hit(replicas[0]) is None
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with transaction(engine) as tx:  # all have read the table before the first of them counts
        await tx.execute(sa.select(rate_counts).with_for_update())
        hits = [asyncio.create_task(hit(replicas[number % 2])) for number in range(6)]

        async def all_wait() -> bool:
            await tx.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
            return (await tx.execute(waiting)).scalar_one() == len(hits)

        await eventually(all_wait)
    answers = await asyncio.gather(*hits)
    assert answers.count(None) == 2
    assert await size(engine) == 1


async def test_a_window_moves_and_a_refusal_counts_nothing(make_engine: MakeEngine) -> None:
    engine = await make_engine("resapermis_auth_gateway")
    one, other = rates(engine, sign_in="2/minute"), rates(engine, sign_in="2/minute")
    assert await hit(one) is None
    await let_pass(engine, 40)
    assert await hit(other) is None
    free_at = await hit(one)
    assert free_at
    assert timedelta(seconds=10) < free_at - datetime.now(UTC) <= timedelta(seconds=20)
    await let_pass(engine, 21)
    assert await hit(one) is None
    assert await hit(other) is not None
    await let_pass(engine, 40)
    assert await hit(other) is None


async def test_addresses_and_kinds_are_counted_apart_and_none_is_stored(make_engine: MakeEngine) -> None:
    engine = await make_engine("resapermis_auth_gateway")
    one = rates(engine, sign_in="1/minute", calendar="1/minute")
    assert [await hit(one), await hit(one, "calendar"), await hit(one, who="192.0.2.2")] == [None, None, None]
    async with engine.connect() as connection:
        stored = (await connection.execute(sa.text("SELECT string_agg(t::text, ' ') FROM rate_count t"))).scalar_one()
    assert b"192.0.2.1".hex() not in stored
    assert "192.0.2.1" not in stored


async def test_who_came_a_while_ago_is_deleted_and_nobody_else(make_engine: MakeEngine) -> None:
    engine = await make_engine("resapermis_auth_gateway")
    one = rates(engine)
    for number in range(20):
        await hit(one, who=f"192.0.2.{number}")
    await hit(one, "calendar")
    await let_pass(engine, 61)
    await hit(one, who="192.0.2.1")
    await one.forget()
    assert await size(engine) == 2


async def test_a_count_waits_for_no_disk(make_engine: MakeEngine) -> None:
    engine = await make_engine("resapermis_auth_gateway")
    async with engine.connect() as connection:
        question = sa.text("SELECT relpersistence::text FROM pg_class WHERE relname = 'rate_count'")
        assert (await connection.execute(question)).scalar_one() == "u"


def told(headers: Headers) -> dict[str, str]:
    """The RateLimit fields."""
    return {name.decode(): value.decode() for name, value in headers}


async def test_a_refused_change_learns_when_the_next_is_free(make_engine: MakeEngine) -> None:
    engine = await make_engine("resapermis_auth_gateway")
    one = rates(engine, write="1/hour", now=lambda: 1_000_000.0)
    first: Headers = []
    one.spend("write", "account", first)
    assert told(first) == {"ratelimit-policy": '"write";q=1;w=3600', "ratelimit": '"write";r=0;t=3600'}
    with pytest.raises(Failure) as refused:
        one.spend("write", "account", [])
    at: Any = refused.value.retry_at
    assert at.timestamp() == 1_003_600


async def test_each_budget_is_its_own_and_tells_what_is_left(make_engine: MakeEngine) -> None:
    now = 1_000_000.0
    one = rates(await make_engine("resapermis_auth_gateway"), now=lambda: now)
    left = []
    for second in range(4):
        now, headers = 1_000_000.0 + second, Headers()
        one.spend("read", "account", headers)
        left.append(told(headers)["ratelimit"])
    assert left == ['"read";r=3;t=60', '"read";r=2;t=59', '"read";r=1;t=58', '"read";r=0;t=57']
    refused: Headers = []
    with pytest.raises(Failure):
        one.spend("read", "account", refused)
    assert told(refused) == {"ratelimit-policy": '"read";q=4;w=60', "ratelimit": '"read";r=0;t=57'}
    for _ in range(2):
        one.spend("write", "account", [])
        one.spend("report", "192.0.2.1", [])
        one.spend("read", "another account", [])


async def test_replicas_divide_every_budget_and_give_way_when_one_used_more(make_engine: MakeEngine) -> None:
    one = rates(await make_engine("resapermis_auth_gateway"), now=lambda: 1_000_000.0)
    for _ in range(3):
        one.spend("read", "account", [])
    one.divide(2)
    assert not one.within()
    headers: Headers = []
    with pytest.raises(Failure):
        one.spend("read", "account", headers)
    assert told(headers)["ratelimit-policy"] == '"read";q=4;w=60', "the policy is of all replicas together"
    one.spend("write", "account", [])
    with pytest.raises(Failure):
        one.spend("write", "account", [])
    one.divide(1)
    assert one.within()


async def test_an_address_is_told_what_is_left_of_its_sign_ins(make_engine: MakeEngine) -> None:
    one = rates(await make_engine("resapermis_auth_gateway"))
    left = []
    for _ in range(3):
        headers: Headers = []
        await one.count("login", "192.0.2.1", headers)
        assert told(headers)["ratelimit-policy"] == '"login";q=3;w=60'
        left.append(told(headers)["ratelimit"].partition(";t=")[0])
    assert left == ['"login";r=2', '"login";r=1', '"login";r=0']
    refused: Headers = []
    with pytest.raises(Failure):
        await one.count("login", "192.0.2.1", refused)
    assert told(refused)["ratelimit"].startswith('"login";r=0;t=')
    assert await hit(one, "callback") is None
