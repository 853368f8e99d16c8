"""After a restore no source gives a number again that a consumer has handled."""

import asyncio
import json

import asyncpg
import pytest

import resapermisctl
from ctl.addresses import DATABASES, variable
from resapermis_testing.postgres import MakeDatabase

pytestmark = pytest.mark.req("P-05", "D-15")


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
