"""A statement that is a transaction by itself: whole or not at all, and the pool survives what breaks under it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from resapermis_kit.database.engine import make_engine, open_connections
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_testing.postgres import MakeDatabase, MakeEngine

NOTE = Statement(
    "WITH one AS (INSERT INTO seen (id, number) VALUES (:id, :first) RETURNING 1), "
    "two AS (INSERT INTO seen (id, number) SELECT :id, CAST(:second AS bigint) FROM one RETURNING 1) "
    "SELECT count(*) AS many FROM one, two"
)


async def test_it_takes_names_in_any_order_and_commits_by_itself(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    rows = await NOTE.run(engine, {"second": 2, "first": 1, "id": "a"})
    assert rows[0]["many"] == 1
    async with transaction(engine) as tx:
        assert (await tx.execute(sa.text("SELECT count(*) FROM seen"))).scalar_one() == 2


async def test_what_a_constraint_refuses_leaves_nothing_and_the_connection_stays_good(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await NOTE.run(engine, {"id": "a", "first": 1, "second": None})
    async with transaction(engine) as tx:
        assert (await tx.execute(sa.text("SELECT count(*) FROM seen"))).scalar_one() == 0


async def test_a_connection_cut_by_the_server_is_away_and_replaced(make_database: MakeDatabase) -> None:
    engine = make_engine(await make_database("kit_sample"), pool=1)
    cut = Statement("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(Failure) as refused:
        await cut.run(engine, {})
    assert refused.value.code == Code.CODE_UNAVAILABLE
    assert (await Statement("SELECT 1 AS one").run(engine, {}))[0]["one"] == 1
    await engine.dispose()


GOODBYE = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"


@pytest.mark.parametrize("way", ["statement", "transaction"])
async def test_a_connection_on_which_the_server_said_goodbye_is_away_before_its_end_is_read(
    make_database: MakeDatabase, way: str
) -> None:
    engine = make_engine(await make_database("kit_sample"), pool=1)

    async def ask() -> int:
        if way == "statement":
            return int((await Statement("SELECT pg_backend_pid() AS pid").run(engine, {}))[0]["pid"])
        async with transaction(engine) as tx:
            return int((await tx.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one())

    before = await ask()
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
    driver._protocol.data_received(b"E" + (len(GOODBYE) + 4).to_bytes(4, "big") + GOODBYE)
    with pytest.raises(Failure) as refused:
        await ask()
    assert refused.value.code == Code.CODE_UNAVAILABLE
    assert await ask() != before
    await engine.dispose()


async def test_a_full_pool_is_overload_and_no_database_is_away(make_database: MakeDatabase) -> None:
    engine = make_engine(await make_database("kit_sample"), pool=1)
    wait = Statement("SELECT pg_sleep(3)")
    busy = asyncio.ensure_future(wait.run(engine, {}))
    await asyncio.sleep(0)
    with pytest.raises(Failure) as full:
        await asyncio.gather(*(Statement("SELECT 1").run(engine, {}) for _ in range(2)))
    assert full.value.code == Code.CODE_OVERLOADED
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
    await engine.dispose()
    nowhere = make_engine("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Failure) as away:
        await wait.run(nowhere, {})
    assert away.value.code == Code.CODE_UNAVAILABLE


async def test_what_sqlalchemy_builds_is_a_statement_too(make_engine: MakeEngine) -> None:
    seen = sa.table("seen", sa.column("id", sa.Text), sa.column("number", sa.BigInteger))
    among = seen.c.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Text)))
    question = Statement(sa.select(seen).where(among, seen.c.number > sa.bindparam("above")).order_by(seen.c.number))
    engine = await make_engine("kit_sample")
    await NOTE.run(engine, {"id": "a", "first": 1, "second": 2})
    await NOTE.run(engine, {"id": "b", "first": 3, "second": 4})
    rows = await question.run(engine, {"above": 1, "ids": ["a", "c"]})
    assert [(row.id, row["number"]) for row in rows] == [("a", 2)]


async def test_a_warmed_pool_has_all_its_connections_open(make_database: MakeDatabase) -> None:
    engine = make_engine(await make_database("kit_sample"), pool=3)
    await open_connections(engine, 3)
    assert engine.pool.checkedin() == 3
    await engine.dispose()
    await open_connections(
        make_engine("postgresql://nobody@127.0.0.1:1/none", pool=2), 2
    )  # away: logged, and nothing more


async def one_statement(engine: AsyncEngine) -> Any:
    return (await Statement("SELECT 1 AS one").run(engine, {}))[0]["one"]


async def in_a_transaction(engine: AsyncEngine) -> Any:
    async with transaction(engine) as tx:
        return (await tx.execute(sa.text("SELECT 1"))).scalar_one()


@pytest.mark.parametrize("ask", [one_statement, in_a_transaction])
async def test_a_pool_that_was_cut_meanwhile_serves_at_the_first_try(
    make_database: MakeDatabase, ask: Callable[[AsyncEngine], Awaitable[Any]]
) -> None:
    url = await make_database("kit_sample")
    engine, other = make_engine(url, pool=3), make_engine(url, pool=1)
    await open_connections(engine, 3)
    taken = [await engine.raw_connection() for _ in range(3)]
    gone = []
    for pooled in taken:
        ended = asyncio.Event()
        pooled.driver_connection.add_termination_listener(lambda _, ended=ended: ended.set())
        gone.append(ended)
    pids = [pooled.driver_connection.get_server_pid() for pooled in taken]
    for pooled in taken:
        await greenlet_spawn(pooled.close)
    await Statement("SELECT pg_terminate_backend(pid) FROM unnest(CAST(:pids AS int[])) AS cut (pid)").run(
        other, {"pids": pids}
    )
    await asyncio.gather(*(ended.wait() for ended in gone))
    assert await asyncio.gather(*(ask(engine) for _ in range(3))) == [1, 1, 1]
    await engine.dispose()
    await other.dispose()
