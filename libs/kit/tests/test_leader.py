"""One replica does what is to be done once, and another takes over when it falls."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from resapermis_kit.process import leader
from resapermis_testing.eventually import eventually
from resapermis_testing.postgres import MakeDatabase, Postgres


@pytest.fixture
async def replicas(
    make_database: MakeDatabase,
) -> AsyncIterator[tuple[list[int], dict[int, int], list[asyncio.Task[None]]]]:
    url = await make_database("kit_sample")
    engines = [leader.lock_engine(url, f"replica-{n}") for n in range(3)]
    at_work: list[int] = []
    rounds: dict[int, int] = {}

    def task(replica: int) -> leader.Worker:
        async def work() -> None:
            at_work.append(replica)
            try:
                while True:
                    rounds[replica] = rounds.get(replica, 0) + 1
                    await asyncio.sleep(0.01)
            finally:
                at_work.remove(replica)

        return work

    tasks = [asyncio.create_task(leader.lead(engine, "sample", [task(n)])) for n, engine in enumerate(engines)]
    yield at_work, rounds, tasks
    await leader.cancel_all(tasks)
    for engine in engines:
        await engine.dispose()


async def _one(at_work: list[int]) -> bool:
    return len(at_work) == 1


@pytest.mark.req("P-04")
async def test_of_three_replicas_one_works_and_another_follows_when_it_stops(replicas: tuple) -> None:
    at_work, rounds, tasks = replicas
    await eventually(lambda: _one(at_work))
    first = at_work[0]
    tasks[first].cancel()
    await asyncio.gather(tasks[first], return_exceptions=True)
    await eventually(lambda: _one(at_work))
    assert at_work[0] != first
    assert rounds[first] > 0


@pytest.mark.req("P-04")
async def test_a_replica_whose_connection_is_cut_lets_go(replicas: tuple, postgres: Postgres) -> None:
    at_work, rounds, _ = replicas
    await eventually(lambda: _one(at_work))
    await postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%leader'"
    )
    before = sum(rounds.values())

    async def again() -> bool:
        return len(at_work) == 1 and sum(rounds.values()) > before + 50

    await eventually(again)


@pytest.mark.req("P-04")
async def test_a_replica_knows_that_somebody_leads_who_does_and_who_does_not(make_database: MakeDatabase) -> None:
    url, known = await make_database("kit_sample"), [asyncio.Event(), asyncio.Event()]
    engines = [leader.lock_engine(url, f"replica-{n}") for n in range(2)]
    tasks = [asyncio.create_task(leader.lead(one, "sample", [], led)) for one, led in zip(engines, known, strict=True)]
    await asyncio.wait_for(asyncio.gather(*(led.wait() for led in known)), 10)
    await leader.cancel_all(tasks)
    nowhere, led = leader.lock_engine(url.replace("/test_", "/no_"), "replica"), asyncio.Event()
    paused = asyncio.create_task(leader.lead(nowhere, "sample", [], led))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(led.wait(), 0.2)
    await leader.cancel_all([paused])
    for engine in (*engines, nowhere):
        await engine.dispose()


async def test_a_leader_task_that_breaks_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "BEAT_SECONDS", 0.001)
    begun = 0

    async def fragile() -> None:
        nonlocal begun
        begun += 1
        raise RuntimeError

    task = asyncio.create_task(leader.run_forever(fragile))

    async def thrice() -> bool:
        return begun >= 3

    await eventually(thrice)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "BEAT_SECONDS", 0.01)
    swallowed = 0

    async def deaf() -> None:
        nonlocal swallowed
        while swallowed < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await asyncio.wait_for(leader.cancel_all([task]), 5)
    assert task.done()


async def test_a_round_that_never_ends_is_cut_off_and_the_next_begins() -> None:
    begun, cut = 0, 0

    async def waits() -> None:
        nonlocal begun, cut
        begun += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut += 1
            raise

    task = asyncio.create_task(leader.every(0.01, "waits", waits, most_seconds=0.01))

    async def thrice() -> bool:
        return begun >= 3

    await eventually(thrice)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert cut == begun


@pytest.mark.req("P-03")
async def test_rounds_are_counted_by_how_they_ended_and_a_good_one_is_dated() -> None:
    def counted(outcome: str) -> float:
        labels = {"task": "counted", "outcome": outcome}
        return REGISTRY.get_sample_value("resapermis_leader_task_seconds_count", labels) or 0

    def dated() -> float:
        return REGISTRY.get_sample_value("resapermis_leader_task_success_timestamp_seconds", {"task": "counted"}) or 0

    ends: list[float] = []

    async def work() -> None:
        ends.append(dated())
        if len(ends) < 3:
            raise OSError
        if len(ends) > 3:
            await asyncio.Event().wait()

    task = asyncio.create_task(leader.every(0.01, "counted", work, most_seconds=60))
    await eventually(lambda: _is_reached(ends, 4))
    assert (counted("failed"), counted("ok")) == (2, 1)
    assert ends[0] == ends[1] == ends[2] < ends[3]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert counted("aborted") == 1
    late = REGISTRY.get_sample_value("resapermis_leader_task_late_after_seconds", {"task": "counted"})
    assert late == pytest.approx(60.03)


async def _is_reached(rounds: list[float], many: int) -> bool:
    return len(rounds) >= many
