"""RdvPermis' tokens at rest: sealed, one row a session or grant, renewed by whoever holds the row's lease.

Both faces use this: the web face keeps tokens at sign-in and drops them at sign-out, the egress face uses and renews
them. A dead row keeps its history and loses its secrets. Nothing here is logged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway.tables import sessions, tokens
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx
from resapermis_vault.kek import KeyEncryption
from resapermis_vault.person_key import row_of
from resapermis_vault.secret import open_secret, seal_secret

Kind = Literal["session", "grant"]
LEASE = timedelta(seconds=15)
"""Longer than a refresh may take; a process that dies with a lease frees it so."""
KEPT = timedelta(days=365)

LIVE = tokens.c.dead_at.is_(None)


@dataclass(frozen=True)
class TokenPair:
    """Access and refresh token in clear with their ends, as the token endpoint gave them; neither is shown in a repr."""

    access: str = field(repr=False)
    access_expires_at: datetime
    refresh: str = field(repr=False)
    """Empty when the provider gave none."""
    refresh_expires_at: datetime | None


@dataclass(frozen=True)
class Token:
    """A token row that lives; `access` and `refresh` are sealed under the key-encryption key."""

    id: UUID
    kind: Kind
    session_id: UUID | None
    account_id: UUID
    school_id: str
    access: bytes = field(repr=False)
    access_expires_at: datetime
    refresh: bytes | None = field(repr=False)
    refresh_expires_at: datetime | None

    def renewable(self, now: datetime) -> bool:
        """Whether there is a refresh token that has not ended at `now`; the provider may still have revoked it."""
        return self.refresh is not None and (self.refresh_expires_at is None or self.refresh_expires_at > now)


_COLUMNS = tuple(tokens.c[name] for name in Token.__dataclass_fields__)


def _row(token_id: UUID, column: str) -> str:
    return row_of("token", column, token_id)


def open_access(vault: KeyEncryption, token: Token) -> str:
    """The access token in clear; Unreadable when the row was moved or its key is gone."""
    return open_secret(vault, token.access, row=_row(token.id, "access")).reveal()


def open_refresh(vault: KeyEncryption, token: Token) -> str:
    """The refresh token in clear; "" when the row has none, Unreadable when it was moved or its key is gone."""
    if token.refresh is None:
        return ""
    return open_secret(vault, token.refresh, row=_row(token.id, "refresh")).reveal()


def _sealed(vault: KeyEncryption, token_id: UUID, pair: TokenPair) -> dict[str, object]:
    refresh = seal_secret(vault, pair.refresh, row=_row(token_id, "refresh")) if pair.refresh else None
    return {
        "access": seal_secret(vault, pair.access, row=_row(token_id, "access")),
        "access_expires_at": pair.access_expires_at,
        "refresh": refresh,
        "refresh_expires_at": pair.refresh_expires_at,
    }


async def store(
    tx: Tx,
    vault: KeyEncryption,
    pair: TokenPair,
    *,
    token_id: UUID,
    account_id: UUID,
    school_id: str,
    now: datetime,
    session_id: UUID | None = None,
) -> None:
    """Seal and insert a sign-in's tokens: of a session, or (without one) a grant for background work."""
    await tx.execute(
        insert(tokens).values(
            id=token_id,
            kind="session" if session_id is not None else "grant",
            session_id=session_id,
            account_id=account_id,
            school_id=school_id,
            created_at=now,
            **_sealed(vault, token_id, pair),
        )
    )


async def end_tokens(
    tx: Tx,
    vault: KeyEncryption,
    *,
    reason: str,
    now: datetime,
    session_id: UUID | None = None,
    account_id: UUID | None = None,
) -> list[str]:
    """End the tokens of a session, or all of an account; return what is to be revoked at the provider after commit."""
    if (session_id is None) == (account_id is None):
        msg = "name a session or an account"
        raise ValueError(msg)
    whose = tokens.c.session_id == session_id if session_id is not None else tokens.c.account_id == account_id
    found = [
        Token(**row._asdict()) for row in await tx.execute(sa.select(*_COLUMNS).where(whose, LIVE).with_for_update())
    ]
    for token in found:
        await end_token(tx, token.id, reason, now)
    return [open_refresh(vault, token) or open_access(vault, token) for token in found]


async def set_school(tx: Tx, session_id: UUID, school_id: str) -> None:
    """Set for which school a session's token is used: RdvPermis names it only after the token was kept."""
    await tx.execute(sa.update(tokens).where(tokens.c.session_id == session_id).values(school_id=school_id))


_OF_SESSIONS = Statement(
    sa.select(*_COLUMNS).where(tokens.c.session_id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))), LIVE)
)


async def of_sessions(engine: AsyncEngine, session_ids: Sequence[UUID]) -> Sequence[Token | None]:
    """The live token of each session, if it has one: one round trip however many."""
    rows = await _OF_SESSIONS.run(engine, {"ids": list(set(session_ids))})
    found = {row["session_id"]: Token(**row) for row in rows}
    return [found.get(session_id) for session_id in session_ids]


_OF_SCHOOL = Statement(
    sa.select(*_COLUMNS)
    .where(tokens.c.school_id == sa.bindparam("school_id"), LIVE)
    .order_by(tokens.c.id.desc())
    .limit(sa.literal_column("20"))
)


async def of_school(engine: AsyncEngine, school_id: str) -> list[Token]:
    """Live tokens of a school, newest first, at most twenty."""
    return [Token(**row) for row in await _OF_SCHOOL.run(engine, {"school_id": school_id})]


async def by_id(tx: Tx, token_id: UUID) -> Token | None:
    """The token row with this id; None when there is none, or it no longer lives."""
    row = (await tx.execute(sa.select(*_COLUMNS).where(tokens.c.id == token_id, LIVE))).one_or_none()
    return None if row is None else Token(**row._asdict())


async def expiring(tx: Tx, before: datetime, now: datetime) -> list[Token]:
    """Live tokens of grants and open sessions whose refresh token ends before `before`, at most a hundred."""
    open_session = sa.exists().where(sessions.c.id == tokens.c.session_id, sessions.c.ended_at.is_(None))
    statement = (
        sa.select(*_COLUMNS)
        .where(
            LIVE,
            tokens.c.refresh_expires_at.between(now, before),
            sa.or_(tokens.c.kind == "grant", open_session),
        )
        .order_by(tokens.c.refresh_expires_at)
        .limit(100)
    )
    return [Token(**row._asdict()) for row in await tx.execute(statement)]


async def lease(tx: Tx, token: Token, now: datetime) -> datetime | None:
    """Become the only one who renews this row, unless somebody does or just did; return the lease's end."""
    until = now + LEASE
    statement = (
        sa.update(tokens)
        .where(
            tokens.c.id == token.id,
            LIVE,
            tokens.c.access_expires_at == token.access_expires_at,
            sa.or_(tokens.c.lease_until.is_(None), tokens.c.lease_until <= now),
        )
        .values(lease_until=until)
        .returning(tokens.c.id)
    )
    return until if (await tx.execute(statement)).scalar() is not None else None


async def renewed(tx: Tx, vault: KeyEncryption, token_id: UUID, leased: datetime, pair: TokenPair) -> bool:
    """Write the new pair; False when the row died meanwhile or the lease went to another, and nothing is written."""
    statement = (
        sa.update(tokens)
        .where(tokens.c.id == token_id, LIVE, tokens.c.lease_until == leased)
        .values(lease_until=None, **_sealed(vault, token_id, pair))
        .returning(tokens.c.id)
    )
    return (await tx.execute(statement)).scalar() is not None


async def release(tx: Tx, token_id: UUID, leased: datetime) -> None:
    """Give the lease back: the provider could not be asked."""
    await tx.execute(
        sa.update(tokens).where(tokens.c.id == token_id, tokens.c.lease_until == leased).values(lease_until=None)
    )


async def end_token(tx: Tx, token_id: UUID, reason: str, now: datetime) -> bool:
    """End a token once, for `reason` (a word), and destroy its secrets; False when it was dead."""
    statement = (
        sa.update(tokens)
        .where(tokens.c.id == token_id, LIVE)
        .values(dead_at=now, reason=reason, access=None, refresh=None, lease_until=None)
        .returning(tokens.c.id)
    )
    return (await tx.execute(statement)).scalar() is not None


async def forget_old(tx: Tx, now: datetime) -> None:
    """Delete rows that died a year ago."""
    await tx.execute(sa.delete(tokens).where(tokens.c.dead_at < now - KEPT))
