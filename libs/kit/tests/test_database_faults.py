"""What PostgreSQL does to a transaction, and what is made of it: begun again whole, judged, looked up (sections 5, 6)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.mandate.v1 import mandate_pb2_grpc as rpc
from resapermis_kit.clock import utc_now
from resapermis_kit.database import durability
from resapermis_kit.database.engine import make_engine as new_engine
from resapermis_kit.database.idempotency import Command, answer_twin, begin, requests
from resapermis_kit.database.transaction import Collided, after_commit, check, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc import peers
from resapermis_testing.databases import as_owner
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import RunningServer, Serve
from resapermis_testing.postgres import MakeEngine, Postgres

SERVICE = "resapermis.mandate.v1.MandateService"
CALLER = "school-1/account-1"


class Colliding(rpc.MandateServiceServicer):
    """Two rows moved in the order that each caller says: crossed orders are a deadlock."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Count how often an answer is begun."""
        self._engine, self.begun, self.sleeps = engine, 0, 0.2
        self.always = False

    async def ListMandates(self, request: pb.ListMandatesRequest, context: Any) -> pb.ListMandatesResponse:
        """Take both rows."""
        self.begun += 1
        async with transaction(self._engine) as tx:
            for row in request.cursor.split():
                await tx.execute(sa.text("UPDATE seen SET number = number + 1 WHERE id = :id"), {"id": row})
                await tx.execute(sa.text(f"SELECT pg_sleep({self.sleeps})"))
            if self.always:
                await tx.execute(sa.text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$"))
        return pb.ListMandatesResponse()


@pytest.fixture
async def colliding(serve: Serve, make_engine: MakeEngine) -> tuple[Colliding, RunningServer, AsyncEngine]:
    """The servicer behind the real gate."""
    engine = await make_engine("kit_sample")
    async with transaction(engine) as tx:
        await tx.execute(sa.text("INSERT INTO seen VALUES ('a', 0), ('b', 0)"))
    servicer = Colliding(engine)
    return servicer, await serve("mandate", (rpc.add_MandateServiceServicer_to_server, servicer, SERVICE)), engine


async def _ask(running: RunningServer, rows: str) -> Message:
    async with running.channel("mandate") as channel:
        stub = rpc.MandateServiceStub(channel)
        request = pb.ListMandatesRequest(cursor=rows)
        answer: Message = await peers.call(stub.ListMandates, request, principal=running.principal())
        return answer


async def _numbers(engine: AsyncEngine) -> dict[str, int]:
    async with transaction(engine) as tx:
        return {row.id: row.number for row in await tx.execute(sa.text("SELECT id, number FROM seen"))}


@pytest.mark.req("E11")
async def test_the_loser_of_a_deadlock_is_answered_all_the_same_and_acts_once(colliding: Any) -> None:
    servicer, running, engine = colliding
    await asyncio.gather(_ask(running, "a b"), _ask(running, "b a"))
    assert servicer.begun == 3
    assert await _numbers(engine) == {"a": 2, "b": 2}


@pytest.mark.req("E11")
async def test_what_always_collides_is_tried_three_times_and_refused_as_to_be_tried_again(colliding: Any) -> None:
    servicer, running, engine = colliding
    servicer.always, servicer.sleeps = True, 0
    with pytest.raises(Failure) as refused:
        await _ask(running, "a")
    assert refused.value.code == Code.CODE_UNAVAILABLE
    assert servicer.begun == 3
    assert await _numbers(engine) == {"a": 0, "b": 0}


@pytest.mark.req("E11")
async def test_a_broken_unique_key_is_judged_by_whoever_met_it_and_never_tried_again(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    with pytest.raises(sa.exc.IntegrityError):
        async with transaction(engine) as tx:
            for _ in range(2):
                await tx.execute(
                    sa.insert(requests).values(caller="a", request_id="1", digest=b"", created_at=utc_now())
                )


@pytest.mark.req("E15")
async def test_a_lock_that_is_held_too_long_is_overload(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    async with transaction(engine) as tx:
        await tx.execute(sa.text("LOCK TABLE seen"))
        with pytest.raises(Failure) as refused:
            async with transaction(engine) as other:
                await other.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
                await other.execute(sa.text("SELECT * FROM seen"))
    assert refused.value.code == Code.CODE_OVERLOADED


@pytest.mark.req("E15")
async def test_a_pool_without_a_free_connection_is_overload_and_heals(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await make_engine("kit_sample")
    monkeypatch.setattr(engine.pool, "_timeout", 0.1)
    async with contextlib.AsyncExitStack() as all_of_them:
        for _ in range(10):
            await all_of_them.enter_async_context(transaction(engine))
        with pytest.raises(Failure) as refused:
            await check(engine)
    assert refused.value.code == Code.CODE_OVERLOADED
    await check(engine)


@pytest.mark.req("C3")
async def test_transactions_are_read_committed_whatever_the_database_prefers(
    make_engine: MakeEngine, postgres: Postgres
) -> None:
    """With REPEATABLE READ a snapshot older than a lock would be judged by: pretix oversold so."""
    engine = await make_engine("kit_sample")
    await postgres.execute(
        f"ALTER DATABASE \"{engine.url.database}\" SET default_transaction_isolation = 'repeatable read'"
    )
    fresh = new_engine(engine.url.render_as_string(hide_password=False), name="sample")
    async with transaction(fresh) as tx:
        assert (await tx.execute(sa.text("SHOW transaction_isolation"))).scalar() == "read committed"
    await fresh.dispose()


@pytest.mark.req("C3")
async def test_in_repeatable_read_a_counter_is_not_oversold_but_refused_for_another_try(
    make_engine: MakeEngine,
) -> None:
    engine = await make_engine("kit_sample")
    async with transaction(engine) as tx:
        await tx.execute(sa.text("INSERT INTO seen VALUES ('a', 0)"))
    repeatable = engine.execution_options(isolation_level="REPEATABLE READ")
    take = sa.text("UPDATE seen SET number = number + 1 WHERE id = 'a' AND number < 1")
    with pytest.raises(Collided):
        async with transaction(repeatable) as slow:
            await slow.execute(sa.text("SELECT * FROM seen"))
            async with transaction(engine) as fast:
                await fast.execute(take)
            await slow.execute(take)
    assert await _numbers(engine) == {"a": 1}


@pytest.mark.req("E13")
async def test_where_commits_are_acknowledged_unwritten_nothing_starts(
    make_engine: MakeEngine, postgres: Postgres
) -> None:
    engine = await make_engine("kit_sample")
    await durability.require_commits(engine)
    await postgres.execute(f'ALTER DATABASE "{engine.url.database}" SET synchronous_commit = off')
    fresh = new_engine(engine.url.render_as_string(hide_password=False), name="sample")
    with pytest.raises(durability.NotDurable, match="synchronous_commit"):
        await durability.require_commits(fresh)
    await fresh.dispose()


# A connection cut after COMMIT was sent, and before its answer.


@contextlib.asynccontextmanager
async def cutting(postgres: Postgres, folder: Path, cut: Callable[[bytes], bool]) -> AsyncIterator[str]:
    """A way to PostgreSQL that lets everything through until `cut` says so of what a client sent; answers stop then."""
    path = f"{postgres.socket_dir}/.s.PGSQL.{postgres.port}"

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_unix_connection(path)

        async def back() -> None:
            while data := await theirs.read(65536):
                writer.write(data)

        answers = asyncio.create_task(back())
        try:
            while data := await reader.read(65536):
                if cut(data):
                    answers.cancel()
                    ours.write(data)
                    await ours.drain()
                    await theirs.read(65536)  # PostgreSQL has done it
                    return
                ours.write(data)
        finally:
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)
            for one in (writer, ours):
                one.close()
                with contextlib.suppress(OSError):
                    await one.wait_closed()
            gone.set()

    gone = asyncio.Event()
    server = await asyncio.start_unix_server(meet, f"{folder}/.s.PGSQL.5432")
    yield str(folder)
    server.close()
    await gone.wait()


@pytest.mark.req("E12", "C5")
async def test_a_commit_whose_answer_was_cut_off_is_found_by_its_key(
    make_engine: MakeEngine, postgres: Postgres, tmp_path: Path
) -> None:
    engine = await make_engine("kit_sample")
    command = Command(CALLER, pb.CreateCandidateRequest(request_id="key-1"), pb.CreateCandidateResponse)
    armed = False

    def cut(data: bytes) -> bool:
        return armed and b"COMMIT" in data

    folder = tmp_path / "s"
    folder.mkdir()
    async with cutting(postgres, folder, cut) as place:
        url = f"postgresql://{engine.url.username}@/{engine.url.database}?host={quote(place)}&port=5432"
        through = new_engine(url, name="sample")
        async with transaction(through) as tx:
            await tx.execute(sa.text("SELECT 1"))
        armed = True
        with pytest.raises(Failure) as cut_off:
            async with transaction(through) as tx:
                await tx.execute(sa.text("INSERT INTO seen VALUES ('effect', 1)"))
                assert await begin(tx, command, utc_now()) is None
        await through.dispose()
    assert cut_off.value.code == Code.CODE_UNAVAILABLE
    assert await _numbers(engine) == {"effect": 1}
    with pytest.raises(Failure) as twin:
        async with transaction(engine) as tx:
            await answer_twin(tx, command, utc_now())
    assert twin.value.code == Code.CODE_IN_PROGRESS  # known to have been begun; whoever settles it says how it ended


@pytest.mark.req("E14", "E12")
async def test_a_commit_that_was_sent_is_not_cancelled_with_whoever_waits_for_it(make_engine: MakeEngine) -> None:
    """Cancelled while it waits for a standby, PostgreSQL would stop waiting, and commit all the same."""
    engine = await make_engine("kit_sample")
    async with as_owner(engine) as tx:  # a commit that takes its time
        pause = "BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END"
        await tx.execute(sa.text(f"CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$ {pause} $$"))
        when = "AFTER INSERT ON seen DEFERRABLE INITIALLY DEFERRED"
        await tx.execute(sa.text(f"CREATE CONSTRAINT TRIGGER pause {when} FOR EACH ROW EXECUTE FUNCTION pause()"))
    called: list[str] = []

    async def act() -> None:
        async with transaction(engine) as tx:
            await tx.execute(sa.text("INSERT INTO seen VALUES ('a', 1)"))
            after_commit(tx, lambda: called.append("called"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.25):
            await act()
    assert (await _numbers(engine), called) == ({}, [])

    async def there() -> bool:
        return await _numbers(engine) == {"a": 1} and engine.pool.checkedout() == 0  # type: ignore[attr-defined]

    await eventually(there)
