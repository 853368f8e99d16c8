"""The bench measures what it says: the responder speaks RdvPermis' shapes, the invariants see what breaks them."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from data import invariants, seed
from data.past import past_bookings, past_lines
from data.seed import School
from measure.profile import costs, functions
from measure.same_statements import Statement, script, transactions
from rush.callers import Done, slice_of
from system import responder

from resapermis_auth_gateway.egress.wire import answers, calls
from resapermis_testing.certificates import NOBODY
from resapermis_testing.databases import owner_url
from resapermis_testing.ports import free_port

DIGITS = School(7_777_700_001).digits


@pytest.fixture
async def rdvpermis():
    """The responder as the bench runs it: a process of its own."""
    port = free_port()
    command = [sys.executable, str(Path(responder.__file__)), str(port), "0.001"]
    process = await asyncio.create_subprocess_exec(*command)
    async with httpx2.AsyncClient(base_url=f"http://localhost:{port}", trust_env=False, verify=NOBODY) as client:
        async with asyncio.timeout(15):
            while True:
                try:
                    await client.get("/")
                    break
                except httpx2.ConnectError:
                    await asyncio.sleep(0.02)
        yield client
    process.terminate()
    await process.wait()


async def test_the_responder_answers_the_calls_of_a_hold_as_egress_reads_them(rdvpermis) -> None:
    async def ask(call: calls.Call) -> httpx2.Response:
        return await rdvpermis.request(call.method, call.path, json=call.body)

    opened = answers.read_basket((await ask(calls.open_basket())).json())
    other = answers.read_basket((await ask(calls.open_basket())).json())
    added = await ask(calls.add_slots(opened.id, ["a", "b"]))
    results, _ = answers.read_added(added.json(), added.status_code, ["a", "b"])
    named = await ask(calls.name_candidate(opened.id, "a", "candidat-1"))
    assert opened.id != other.id
    assert opened.expires_at.ToDatetime(UTC) > datetime.now(UTC)
    assert [one.outcome for one in results] == [1, 1]
    assert (added.status_code, named.status_code, named.content) == (201, 204, b"")
    assert (await rdvpermis.get("/elsewhere")).status_code == 404


async def test_the_responder_is_a_provider_that_can_be_discovered(rdvpermis) -> None:
    document = (await rdvpermis.get("/realms/formation/.well-known/openid-configuration")).json()
    assert document["token_endpoint"].startswith(document["issuer"])
    granted = await rdvpermis.post(document["token_endpoint"], data={"grant_type": "refresh_token"})
    assert granted.json()["expires_in"] == 300


MakeDatabase = Callable[[str], Awaitable[str]]


class Lines:
    """Basket's tables, written by hand."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def hold(self, slot: str, school: str = "ecole-1", state: str = "held", **more: Any) -> None:
        group, now = uuid4(), datetime.now(UTC)
        await self.connection.execute(
            "INSERT INTO group_ (id, school_id, account_id, session_id, all_or_nothing, request_caller, request_id, "
            "created_at) VALUES ($1, $2, '', '', false, '', '', $3)",
            group,
            school,
            now,
        )
        row = {
            **dict.fromkeys(("account_id", "time_zone", "centre_name", "reason", "changing", "exam_id"), ""),
            **dict.fromkeys(("rdvpermis_candidate_id", "wanted_rdvpermis_id", "basket_id"), ""),
            **dict.fromkeys(("position", "polls", "version"), 0),
            **dict.fromkeys(("starts_at", "ends_at", "since", "expires_at"), now),
            **dict.fromkeys(("snapshot", "refusal"), b""),
            "id": uuid4(),
            "group_id": group,
            "school_id": school,
            "slot_id": slot,
            "state": state,
            "department": "94",
            "category": "B",
            "month": "2026-12",
            "owed": False,
            **more,
        }
        await self.connection.copy_records_to_table("basket_line", records=[tuple(row.values())], columns=list(row))

    async def count(self, taken: int, basket: int, school: str = "ecole-1", cap: int = 12) -> None:
        for key, many in ((("94", "2026-12", "B"), taken), (("", "", ""), basket)):
            await self.connection.execute(
                "INSERT INTO quota VALUES ($1, $2, $3, $4, $5, $6, 1)", school, *key, many, cap
            )

    async def breaches(self) -> dict[str, int]:
        found = await invariants.breaches(self.connection, basket_limit=2)
        return {name: count for name, count in found.items() if count}


@pytest.fixture
async def lines(make_database: MakeDatabase):
    connection = await asyncpg.connect(owner_url(await make_database("resapermis_basket")), timeout=10)
    yield Lines(connection)
    await connection.close()


async def test_a_sound_database_breaks_no_invariant(lines: Lines) -> None:
    await lines.hold("a")
    await lines.hold("b")
    await lines.hold("b", state="released", ended_at=datetime.now(UTC))
    await lines.hold("c", "ecole-2", "booked", candidate_id=uuid4())
    await lines.count(2, 2)
    await lines.count(1, 0, "ecole-2")
    assert await lines.breaches() == {}
    assert await invariants.live_lines(lines.connection) == 3


async def test_a_slot_held_twice_is_seen_when_the_index_is_lost(lines: Lines) -> None:
    await lines.hold("a")
    with pytest.raises(asyncpg.UniqueViolationError):
        await lines.hold("a", "ecole-2")
    await lines.connection.execute("DELETE FROM group_ WHERE school_id = 'ecole-2'; DROP INDEX one_live_line_a_slot")
    await lines.hold("a", "ecole-2")
    await lines.count(1, 1)
    await lines.count(1, 1, "ecole-2")
    assert await lines.breaches() == {"oversold": 1}


async def test_counters_that_do_not_count_and_limits_passed_are_seen(lines: Lines) -> None:
    for slot in "abc":
        await lines.hold(slot)
    await lines.count(3, 2, cap=2)
    assert await lines.breaches() == {"counters_wrong": 1, "above_limit": 1, "baskets_above_limit": 1}


async def test_bookings_of_the_past_break_no_invariant_and_count_where_they_lie(make_database: MakeDatabase) -> None:
    basket = await asyncpg.connect(owner_url(await make_database("resapermis_basket")), timeout=10)
    await past_bookings(basket, 0, 30)
    await past_bookings(basket, 30, 50)
    found = await invariants.breaches(basket, basket_limit=seed.BASKET_LIMIT)
    lines = "SELECT id::text, school_id, department, month, category FROM basket_line WHERE state = 'done' ORDER BY id"
    done = await basket.fetch(lines)
    await basket.close()
    assert not any(found.values()), found
    assert len(done) == 30
    rules = await asyncpg.connect(owner_url(await make_database("resapermis_scheduling_rules")), timeout=10)
    await past_lines(rules, 0, 50)
    counted = await rules.fetch("SELECT id, school_id, department, month, category FROM line ORDER BY id")
    await rules.close()
    assert counted == done


def _log(*texts: str) -> str:
    head = "2026-11-24 03:31:12.347 UTC [7] basket@basket "
    return "".join(f"{head}{text}\n" for text in texts)


def test_the_statements_of_a_school_are_read_from_the_log_and_get_new_digits() -> None:
    made = "01900aaa-0000-7000-8000-123456789abc"
    log = _log(
        "LOG:  statement: BEGIN;",
        "LOG:  execute __asyncpg_stmt_1__: SELECT\n\t1",
        "LOG:  statement: COMMIT;",
        "LOG:  statement: BEGIN;",
        "LOG:  execute __asyncpg_stmt_2__: INSERT INTO t VALUES ($1::UUID, $2::TEXT, $3::BYTEA, $4)",
        f"DETAIL:  Parameters: $1 = '{made}', $2 = 'l''école-{DIGITS}', $3 = '\\x{DIGITS.encode().hex()}', $4 = NULL",
        "LOG:  statement: COMMIT;",
    )
    found = transactions(log, "basket", DIGITS)
    assert [[one.sql.split()[0] for one in transaction] for transaction in found] == [["BEGIN", "INSERT", "COMMIT"]]
    assert found[0][1].parameters[1:] == (f"'l''école-{DIGITS}'", f"'\\x{DIGITS.encode().hex()}'", "NULL")
    text = script(found[0], DIGITS)
    assert "INSERT INTO t VALUES (:v0::UUID, :v1::TEXT, :v2::BYTEA, NULL);" in text.splitlines()
    assert made not in text
    assert text.count("n.plain)") == 2
    assert text.count("n.hexed)") == 1
    assert "INSERT" not in script(found[0], DIGITS, only_prepare=True)


def test_a_statement_outside_of_a_transaction_is_one_by_itself() -> None:
    alone = ("LOG:  execute s: INSERT INTO t SELECT $1", f"DETAIL:  Parameters: $1 = '{DIGITS}'")
    undone = ("LOG:  statement: BEGIN;", "LOG:  execute s: SELECT $1", f"DETAIL:  Parameters: $1 = '{DIGITS}'")
    log = _log(*alone, *undone, "LOG:  statement: ROLLBACK;", *alone, "LOG:  execute s: SELECT 1")
    found = transactions(log, "basket", DIGITS)
    assert [[one.sql for one in transaction] for transaction in found] == [["INSERT INTO t SELECT $1"]] * 2


def test_another_databases_statements_are_left_out() -> None:
    log = _log("LOG:  statement: BEGIN;", "LOG:  execute s: SELECT $1", f"DETAIL:  Parameters: $1 = '{DIGITS}'")
    assert transactions(log + _log("LOG:  statement: COMMIT;"), "mandate", DIGITS) == []
    assert transactions(log, "basket", DIGITS) == []


def test_a_slice_counts_what_was_answered_within_it() -> None:
    done = [Done(at, 0.1, 2, 2) for at in (0.5, 1.0, 1.5, 2.0, 3.0)]
    figures = slice_of(done, 1.0, 3.0)
    assert (figures.actions_per_second, figures.slots_per_second, round(figures.p99_ms)) == (1.5, 3.0, 100)
    with pytest.raises(ValueError, match="no action"):
        slice_of(done, 10.0, 11.0)


def test_costs_go_to_the_innermost_part_that_is_known() -> None:
    stacks = "run (asyncio/x.py:1);hold (resapermis_basket/hold/command.py:2);execute (sqlalchemy/y.py:3) 3\nzzz 1\n"
    assert costs(stacks) == {"statements (SQLAlchemy)": 75.0, "other": 25.0}


def test_functions_are_told_by_the_samples_that_pass_through_and_end_in_them() -> None:
    table = functions("run (x.py:1);hold (y.py:2) 3\nrun (x.py:9) 1\n").splitlines()
    assert table[1:] == [" 100.0   25.0  run (x.py)", "  75.0   75.0  hold (y.py)"]


def test_a_schools_ids_end_in_its_digits() -> None:
    school = School(42)
    ids = [
        school.id,
        *school.slots,
        *map(str, school.candidates),
        *json.loads(json.dumps([school.principal.account_id])),
    ]
    assert all(one.endswith("0000000042") for one in ids)
    assert len(set(ids)) == len(ids)
    assert Statement("COMMIT").parameters == ()
