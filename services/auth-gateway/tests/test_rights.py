"""Who has taken over one of the gateway's processes has what that process' role may, and no more: PostgreSQL refuses the rest.

What each must be able to do, the other tests show: they connect as these roles. Seen to fail with the rights that every other
service has (`Rights()`) for either role, and with "SELECT" on `token` back for the web face's.
"""

# ruff: noqa: S608 - of constants of this file
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway import tables, tokens
from resapermis_kit.clock import new_id
from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.transaction import transaction
from resapermis_testing.databases import as_owner
from resapermis_testing.postgres import MakeEngine

PACKAGE = "resapermis_auth_gateway"
WEB, EGRESS = "auth_gateway_web", "auth_gateway_egress"
NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
COLUMNS = {
    name: [column.name for column in table.columns]
    for metadata in (tables.metadata, KIT)
    for name, table in metadata.tables.items()
}
TABLES_OF_EGRESS = {"account", "session", "token", "revocation", "replica", "outbox", "outbox_head"}
"""Those of which it has some right; of the others none."""
TOKEN = ", ".join(COLUMNS["token"])
FORBIDDEN = {
    # It reads what browsers send: it holds no token (security.md), and ends one without seeing it.
    WEB: [
        *(f"SELECT {what} FROM token" for what in ("*", "access", "refresh", "token", "row_to_json(token)")),
        "SELECT id FROM token WHERE refresh > '\\x00'",
        "SELECT id FROM token ORDER BY access",
        "COPY token TO STDOUT",
        "UPDATE token SET school_id = '' RETURNING refresh",
        *(f"UPDATE token SET {column} = NULL" for column in COLUMNS["token"] if column != "school_id"),
        f"INSERT INTO token ({TOKEN}) SELECT {TOKEN} FROM token",
        "INSERT INTO token (id) VALUES (gen_random_uuid()) RETURNING access",
        "INSERT INTO token (id) VALUES (gen_random_uuid()) ON CONFLICT (id) DO UPDATE SET school_id = token.refresh::text",
        "DELETE FROM token",
        *(f"SELECT {what} FROM revocation" for what in ("*", "sealed", "revocation")),
        "DELETE FROM revocation RETURNING sealed",
        "INSERT INTO revocation (id) VALUES (gen_random_uuid())",
        *(f"UPDATE revocation SET {column} = NULL" for column in COLUMNS["revocation"]),
        f"SET ROLE {EGRESS}",
        f"SET SESSION AUTHORIZATION {EGRESS}",
        "DROP FUNCTION end_and_revoke(uuid, text, timestamptz, uuid, timestamptz)",
    ],
    # It reads what the provider and RdvPermis answer: it opens no session, gives no right, takes no record back.
    EGRESS: [
        "INSERT INTO session (id) VALUES (gen_random_uuid())",
        "SELECT cookie_hash FROM session",
        *(
            f"UPDATE session SET {column} = NULL"
            for column in COLUMNS["session"]
            if column not in {"ended_at", "end_cause"}
        ),
        "DELETE FROM session",
        *(f"SELECT {column} FROM account" for column in ("*", "profile", "person_key")),
        *(f"UPDATE account SET {column} = NULL" for column in COLUMNS["account"]),
        "INSERT INTO account (id) VALUES (gen_random_uuid())",
        "DELETE FROM account",
        # Every other table, later ones included.
        *(
            statement
            for table, columns in COLUMNS.items()
            if table not in TABLES_OF_EGRESS
            for statement in (
                f"SELECT FROM {table}",
                f"DELETE FROM {table}",
                f"INSERT INTO {table} DEFAULT VALUES",
                *(f"UPDATE {table} SET {column} = NULL" for column in columns),
            )
        ),
        "INSERT INTO token (id) VALUES (gen_random_uuid())",
        "UPDATE outbox SET payload = ''",
        "DELETE FROM outbox",
        "UPDATE outbox_head SET last_number = 0",
        f"SET ROLE {WEB}",
    ],
}


async def _sqlstate(engine: AsyncEngine, statement: str) -> str:
    with pytest.raises(sa.exc.DBAPIError) as refused:
        async with transaction(engine) as tx:
            await tx.execute(sa.text(statement.replace(":", r"\:")))
    return str(getattr(refused.value.orig, "sqlstate", ""))


@pytest.mark.req("S-02", "S-14")
@pytest.mark.parametrize("role", FORBIDDEN)
async def test_a_process_that_was_taken_over_has_no_more_than_its_role(make_engine: MakeEngine, role: str) -> None:
    engine = await make_engine(PACKAGE, role)
    assert {one: await _sqlstate(engine, one) for one in FORBIDDEN[role]} == dict.fromkeys(FORBIDDEN[role], "42501")


@pytest.mark.req("S-02", "S-03")
@pytest.mark.parametrize("role", [WEB, EGRESS])
async def test_a_session_that_has_ended_is_not_opened_again(make_engine: MakeEngine, role: str) -> None:
    """Seen to fail without the trigger of migration 0023."""
    engine, account_id, session_id = await make_engine(PACKAGE, role), new_id(), new_id()
    async with as_owner(engine) as tx:
        await tx.execute(sa.insert(tables.accounts).values(_account(account_id)))
        words = dict.fromkeys(("school_id", "school_name", "department", "provider_sid"), "")
        moments = {"created_at": NOW, "seen_at": NOW}
        row = {"id": session_id, "cookie_hash": b"", "account_id": account_id, **words, **moments}
        await tx.execute(sa.insert(tables.sessions).values(row))
    end = "UPDATE session SET ended_at = now(), end_cause = 'grant' WHERE ended_at IS NULL"
    async with transaction(engine) as tx:
        assert [(await tx.execute(sa.text(end))).rowcount for _ in range(2)] == [1, 0]
    for again in ("ended_at = NULL", "end_cause = 'signed_out'", "ended_at = now() - interval '1 year'"):
        assert await _sqlstate(engine, f"UPDATE session SET {again}") == "23000"


def _account(account_id: UUID) -> dict[str, Any]:
    return {
        "id": account_id,
        "issuer": "",
        "subject": "",
        "school_id": "",
        "roles": [],
        "person_key": b"",
        "profile": b"",
        "created_at": NOW,
        "signed_in_at": NOW,
    }


async def _keep(engine: AsyncEngine, sealed: tokens.SealedPair) -> None:
    account = _account(new_id())
    async with transaction(engine) as tx:
        await tx.execute(sa.insert(tables.accounts).values(account))
        await tokens.store(
            tx, sealed, account_id=account["id"], school_id="", now=NOW, ends_at=NOW + timedelta(days=365)
        )


@pytest.mark.req("S-02", "S-03")
@pytest.mark.parametrize(
    ("refresh", "refresh_ends", "waits"),
    [
        (b"refresh", timedelta(minutes=30), ("refresh", b"refresh", timedelta(minutes=30))),
        (b"refresh", None, ("refresh", b"refresh", tokens.OFFLINE_REVOKED_FOR)),
        (None, None, ("access", b"access", timedelta(minutes=5))),
    ],
    ids=["refresh token", "offline token", "access token alone"],
)
async def test_the_web_face_ends_a_token_that_it_cannot_read_and_what_it_kept_is_revoked(
    make_engine: MakeEngine, refresh: bytes | None, refresh_ends: timedelta | None, waits: tuple[Any, ...]
) -> None:
    engine, later = await make_engine(PACKAGE, WEB), None if refresh_ends is None else NOW + refresh_ends
    sealed = tokens.SealedPair(new_id(), b"access", NOW + timedelta(minutes=5), refresh, later)
    await _keep(engine, sealed)
    async with transaction(engine) as tx:
        ended = [await tokens.end_and_revoke(tx, sealed.token_id, reason, NOW) for reason in ("withdrawn", "again")]
    assert ended == [True, False]
    async with as_owner(engine) as tx:
        (row,) = await tx.execute(sa.select(tables.tokens))
        (waiting,) = await tx.execute(sa.select(tables.revocations))
    assert (row.dead_at, row.reason, row.access, row.refresh) == (NOW, "withdrawn", None, None)
    assert (waiting.token_id, waiting.due_at, waiting.tries) == (sealed.token_id, NOW, 0)
    kind, kept, lives = waits
    assert (waiting.kind, waiting.sealed, waiting.ends_at) == (kind, kept, NOW + lives)
