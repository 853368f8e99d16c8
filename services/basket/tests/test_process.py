"""The process itself: it starts, answers, expires unasked, survives PostgreSQL's absence, stops when asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from basket_peers import Basket

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.basket.v1 import basket_pb2_grpc
from resapermis_basket import process as program
from resapermis_basket.domain.line import Line
from resapermis_basket.hold.command import HoldCommand
from resapermis_basket.reconcile import expiry
from resapermis_basket.reconcile.queries import LeftOut, due_to_expire
from resapermis_basket.servicer import BasketServicer
from resapermis_basket.settings import Settings
from resapermis_basket.tables import metadata
from resapermis_kit.clock import utc_now
from resapermis_kit.database.migration import migrate
from resapermis_kit.database.transaction import Tx
from resapermis_kit.denials.journal import DenialJournal
from resapermis_kit.errors import Code, Failure
from resapermis_kit.process import leader
from resapermis_kit.process.process import Process
from resapermis_kit.process.telemetry import Health
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.databases import owner_url
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import RunningServer
from resapermis_testing.postgres import Postgres


@contextlib.asynccontextmanager
async def leader_tasks(process: Process) -> AsyncIterator[None]:
    """Run what its leader does."""
    tasks = [asyncio.ensure_future(leader.run_forever(task)) for task in process.leader_tasks]
    try:
        yield
    finally:
        await leader.cancel_all(tasks)


async def wired(basket: Basket, settings: Settings, make_bus: Any) -> Process:
    """What `run.serve` makes, wired by `build`, with the peers of this test."""
    bus, outbox, server = await make_bus("basket"), basket.dependencies.outbox, basket.running.server
    denials = DenialJournal(lambda records: outbox.emit(basket.engine, utc_now(), *records), utc_now, "basket")
    process = Process(
        "basket", settings, Certificates(settings.tls_dir), basket.engine, bus, outbox, server, Health(), denials
    )
    process.channels = dict(basket.peer_channels)
    await program.build(process, settings)
    return process


@pytest.mark.req("R-15")
async def test_a_hold_expires_unasked_within_a_second(
    basket: Basket, settings_for: Any, make_bus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Searches follow each other in less than a second, and the first that begins after its end finds it."""
    assert Settings.model_fields["expire_every_seconds"].default < 0.9
    searches: list[tuple[datetime, bool]] = []
    held = sa.select(sa.func.count()).select_from(sa.text("basket_line")).where(sa.text("state = 'held'"))

    async def noted(tx: Tx, left_out: LeftOut) -> list[Line]:
        began = (await tx.execute(sa.select(sa.func.now()))).scalar_one()
        there = (
            await tx.execute(held)
        ).scalar_one()  # on a machine at work its end may come before its hold is written
        due = await due_to_expire(tx, left_out)
        if there:
            searches.append((began, bool(due)))
        return due

    monkeypatch.setattr(expiry, "due_to_expire", noted)
    settings = settings_for(Settings, "basket", grace_seconds=0.05, expire_every_seconds=0.05, settle_every_seconds=0.1)
    process = await wired(basket, settings, make_bus)
    basket.rdvpermis.lasts = timedelta(milliseconds=100)
    async with leader_tasks(process):
        await basket.hold("s1")

        async def expired_and_given_back() -> bool:
            return await basket.states() == {"s1": "expired"} and not basket.rdvpermis.owner

        await eventually(expired_and_given_back, seconds=15)
    (row,) = await basket.rows("SELECT expires_at FROM basket_line")
    assert next(found for began, found in searches if began > row.expires_at)


async def test_while_postgresql_is_away_nothing_is_asked_and_all_comes_back(basket: Basket, postgres: Postgres) -> None:
    name = basket.engine.url.database
    await basket.hold("s1")
    await postgres.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    await postgres.cut_off(str(name))
    with pytest.raises(Failure) as refused:
        await basket.hold("s2")
    assert refused.value.code == Code.CODE_UNAVAILABLE
    assert basket.rdvpermis.calls == ["HoldSlots"]
    await postgres.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    async def back() -> bool:
        with contextlib.suppress(Failure):
            return [line.state for line in (await basket.hold("s2")).lines] == [pb.LINE_STATE_HELD]
        return False

    await eventually(back)
    await basket.check()


async def test_without_mandate_or_rules_holds_wait_and_held_lines_are_still_seen(basket: Basket) -> None:
    held = await basket.hold("s1")
    for server in basket.peer_servers.values():
        await server.server.stop(0)
    with pytest.raises(Failure) as refused:
        await basket.hold("s2")
    assert refused.value.code == Code.CODE_UNAVAILABLE
    assert (await basket.ask("GetBasket", pb.GetBasketRequest())).groups == [held]
    assert await basket.states() == {"s1": "held"}


@pytest.mark.req("C1")
async def test_two_replicas_sell_a_slot_once(basket: Basket, serve: Any) -> None:
    second: RunningServer = await serve(
        "basket",
        (
            basket_pb2_grpc.add_BasketServiceServicer_to_server,
            BasketServicer(basket.dependencies, HoldCommand(basket.dependencies)),
            "resapermis.basket.v1.BasketService",
        ),
    )
    channel = second.channel("basket")
    other = Basket(**(vars(basket) | {"running": second, "channel": channel}))
    groups = await asyncio.gather(
        *(one.hold("s1", school=f"school-{n}-{m}") for n in range(8) for m, one in enumerate((basket, other)))
    )
    assert sum(line.state == pb.LINE_STATE_HELD for group in groups for line in group.lines) == 1
    await channel.close()
    await basket.check()


async def test_migrating_twice_changes_nothing(make_database: Any) -> None:
    url = await make_database("resapermis_basket")
    await asyncio.to_thread(migrate, "resapermis_basket", owner_url(url))


async def test_the_tables_are_what_the_migrations_make(make_engine: Any) -> None:
    engine = await make_engine("resapermis_basket")
    async with engine.connect() as connection:
        found = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(
                    sync, opts={"include_object": lambda _o, name, kind, *_: kind != "table" or name in metadata.tables}
                ),
                metadata,
            )
        )
    assert found == []
