"""The operator's code for the first administrator: made once, kept as a hash, refused where somebody administers."""

import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

import resapermisctl
from ctl import people
from resapermis.audit.v1.events_pb2 import Record
from resapermis_kit.clock import utc_now

pytestmark = pytest.mark.req("S-23", "P-05")
ADMINISTRATOR = (
    (
        "INSERT INTO account (id, issuer, subject, school_id, roles, person_key, profile, created_at, signed_in_at) "
        "VALUES (:id, 'resapermis', 'x', 'x', '{}', '', '', now(), now())"
    ),
    (
        "INSERT INTO person (account_id, role, scope, state, created_at, changed_at) "
        "VALUES (:id, 'platform_admin', '{}', :state, now(), now())"
    ),
)


async def _rows(engine: Any, table: str) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(sa.text(f"SELECT * FROM {table}"))).all())  # noqa: S608 - ours


def test_a_code_has_more_than_112_bits_and_reads_aloud() -> None:
    codes = {people.new_code() for _ in range(100)}
    assert len(codes) == 100
    for code in codes:
        letters = code.text.replace("-", "")
        assert (len(letters), set(letters) <= set(people.LETTERS)) == (25, True)
        assert code.digest == sha256(letters.encode()).digest()
    assert len(people.LETTERS) == 32
    assert not set("01IO") & set(people.LETTERS)


async def test_a_code_is_let_in_once_as_a_hash_and_recorded(make_engine: Callable[..., Any]) -> None:
    engine = await make_engine("resapermis_auth_gateway")
    url, code, now = engine.url.render_as_string(hide_password=False), people.new_code(), utc_now()
    for later in (timedelta(), timedelta(hours=80)):  # the same again revives nothing
        assert await people.let_in(url, code.digest, now + later)
    (row,) = await _rows(engine, "first_administrator_code")
    assert (bytes(row.code_hash), row.ends_at) == (code.digest, now + timedelta(hours=72))
    (recorded,) = await _rows(engine, "outbox")
    record = Record.FromString(recorded.payload)
    assert (record.action, record.actor.id, record.source) == ("person.code", "resapermisctl", "auth-gateway")
    assert code.text not in str(record)


@pytest.mark.parametrize("state", ["active", "suspended", "invited", "left"])
async def test_none_is_let_in_while_somebody_administers(make_engine: Callable[..., Any], state: str) -> None:
    lets_in = state in {"invited", "left"}
    engine = await make_engine("resapermis_auth_gateway")
    account_id = uuid4()
    async with engine.begin() as tx:
        for statement in ADMINISTRATOR:
            await tx.execute(sa.text(statement), {"id": account_id, "state": state})
    url = engine.url.render_as_string(hide_password=False)
    assert await people.let_in(url, people.new_code().digest, utc_now()) == lets_in
    assert len(await _rows(engine, "first_administrator_code")) == lets_in


def test_a_code_is_printed_where_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert resapermisctl.main(["people", "new-code"]) == resapermisctl.HOLDS
    said = json.loads(capsys.readouterr().out)
    assert sha256(said["code"].replace("-", "").encode()).hexdigest() == said["hash"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--code-hash", "not hexadecimal"], "--code-hash"),
        (["--code-hash", "00"], "--code-hash"),
        ([], "RESAPERMIS_AUTH_GATEWAY_DATABASE_URL"),
        (["--home", "."], "no local stack"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_says_why(
    arguments: list[str],
    why: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESAPERMIS_AUTH_GATEWAY_DATABASE_URL", raising=False)
    assert resapermisctl.main(["people", "first-administrator", *arguments]) == resapermisctl.NOT_ASKED
    assert why in capsys.readouterr().err
