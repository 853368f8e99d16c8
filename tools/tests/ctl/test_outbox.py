"""After a restore no source gives a number again that a consumer has handled."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

import resapermisctl
from ctl.addresses import DATABASES, variable
from resapermis_basket.domain.line import State
from resapermis_basket.tables import groups, lines, watched
from resapermis_kit.clock import new_id
from resapermis_kit.database.engine import make_engine
from resapermis_kit.database.transaction import transaction
from resapermis_testing.postgres import MakeDatabase

pytestmark = pytest.mark.req("P-05", "D-15")
NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


async def run(url: str, *statements: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return list(await connection.fetch(statements[-1]))
    finally:
        await connection.close()


async def test_a_source_that_was_restored_to_the_past_goes_on_after_what_was_handled(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, consumer = await make_database("resapermis_basket"), await make_database("resapermis_notification")
    await run(
        source,
        "INSERT INTO outbox (id, stream, type, payload, traceparent, occurred_at) "
        "VALUES ('00000000-0000-0000-0000-000000000001', 'events', '', '', '', now())",
        "INSERT INTO outbox_head VALUES ('events', 5, '{00000000-0000-0000-0000-000000000001}'), ('records', 8, '{}')",
        "SELECT",
    )
    await run(
        consumer,
        "INSERT INTO inbox VALUES ('basket', 'events', 9, now()), ('basket', 'records', 8, now()), "
        "('elsewhere', 'events', 99, now())",
        "SELECT",
    )
    for name in DATABASES:  # who consumes nothing of basket's is as empty as notification is of the others'
        monkeypatch.setenv(variable(name), source if name == "basket" else consumer)

    def raised() -> object:
        assert resapermisctl.main(["outbox", "raise"]) == resapermisctl.HOLDS
        return json.loads(capsys.readouterr().out)["raised"]

    assert await asyncio.to_thread(raised) == [{"source": "basket", "stream": "events", "had": 6, "now": 9}]
    heads = await run(source, "SELECT stream, last_number, promised FROM outbox_head ORDER BY stream")
    assert [tuple(head) for head in heads] == [("events", 9, []), ("records", 8, [])]
    (row,) = await run(source, "SELECT number, published_at IS NOT NULL FROM outbox")
    assert tuple(row) == (6, True), "it had been published: newer numbers were given"
    assert await asyncio.to_thread(raised) == []


async def test_basket_reads_its_holds_and_bookings_again_whatever_was_raised(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Streams lost with nobody ahead, or a raise before basket's start: it finds itself behind nothing, and is, all the same.

    Seen to fail without `doubt_basket`.
    """
    basket = await make_database("resapermis_basket")
    engine = make_engine(basket, pool=1)
    later = NOW + timedelta(days=365)
    async with transaction(engine) as tx:
        await tx.execute(sa.insert(groups).values(_row(groups)))
        for position, state in enumerate((State.HELD, State.BOOKED)):
            line = {"position": position, "slot_id": state, "school_id": state, "state": state, "expires_at": later}
            known = {"candidate_id": new_id(), "id": new_id(), "next_poll_at": later}
            await tx.execute(sa.insert(lines).values(_row(lines) | line | known))
        await tx.execute(sa.insert(watched).values(_row(watched) | {"school_id": "w", "next_reconciliation_at": later}))
    await engine.dispose()
    for name in DATABASES:
        monkeypatch.setenv(variable(name), basket)
    assert await asyncio.to_thread(resapermisctl.main, ["outbox", "raise"]) == resapermisctl.HOLDS
    assert json.loads(capsys.readouterr().out) == {"raised": [], "doubted": 1}
    due = await run(basket, "SELECT state, version FROM basket_line WHERE next_poll_at <= now()")
    assert [tuple(line) for line in due] == [("held", 1)], "an act that read it before is stale"
    schools = await run(
        basket, "SELECT school_id FROM watched WHERE next_reconciliation_at <= now() ORDER BY school_id"
    )
    assert [row["school_id"] for row in schools] == ["booked", "w"]


def _row(table: sa.Table) -> dict[str, Any]:
    """Something for each column that wants a value; ids are all the same."""
    values = {sa.Uuid: UUID(int=1), sa.Text: "", sa.LargeBinary: b"", sa.Boolean: False, sa.DateTime: NOW}
    asked = [column for column in table.columns if not column.nullable and column.server_default is None]
    return {column.name: values.get(type(column.type), 0) for column in asked}
