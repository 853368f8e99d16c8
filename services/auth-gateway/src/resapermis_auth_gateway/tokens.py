"""RdvPermis' tokens at rest: sealed, one row a session or grant, renewed by whoever holds the row's lease.

Egress alone seals, opens and renews them. The web face writes rows at sign-in and ends them at sign-out; its role may not read
what is sealed in them, and it has no key to it (ADR 41). A dead row keeps its history and loses its secrets; what the provider is to revoke moves to a
table of its own until it did. Nothing here is logged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway.tables import accounts, revocations, sessions, tokens
from resapermis_kit.clock import new_id
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx
from resapermis_vault.kek import KeyEncryption
from resapermis_vault.person_key import row_of
from resapermis_vault.secret import open_secret, seal_secret

Kind = Literal["session", "grant"]
LEASE = timedelta(seconds=15)
"""Longer than a refresh may take. A lease that ran out is of a process that died with it: nobody knows what came of it."""
OFFLINE_REVOKED_FOR = timedelta(days=30)
"""So long the revocation of a token without an end of its own is tried."""
KEPT = timedelta(days=365)
UNADOPTED = timedelta(minutes=1)
"""So long after the provider handed them out tokens wait for the row that keeps them, before they are revoked. More than a request lasts."""
UNUSED = timedelta(days=1)
"""A grant that was not renewed for so long is: the provider ends what nobody uses, and whether it ended one is known within a day."""

LIVE = tokens.c.dead_at.is_(None)


def given_by(issuer: str | sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Of the provider `issuer`: a token's account is a person there, and no other provider is ever sent it."""
    return (
        sa.exists(accounts.c.id)
        .where(accounts.c.id == tokens.c.account_id, accounts.c.issuer == issuer)
        .correlate(tokens)
    )


@dataclass(frozen=True)
class TokenPair:
    """Access and refresh token in clear with their ends, as the token endpoint gave them; neither is shown in a repr."""

    access: str = field(repr=False)
    access_expires_at: datetime
    refresh: str = field(repr=False)
    """Empty when the provider gave none."""
    refresh_expires_at: datetime | None


@dataclass(frozen=True)
class SealedPair:
    """A pair as it is kept: sealed for the row `token_id` and no other."""

    token_id: UUID
    access: bytes = field(repr=False)
    access_expires_at: datetime
    refresh: bytes | None = field(repr=False)
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
    lease_until: datetime | None
    refused_at: datetime | None
    """Of a grant: since when RdvPermis does not take it."""

    @property
    def sealed(self) -> SealedPair:
        """What is kept of it, as it stands."""
        return SealedPair(self.id, self.access, self.access_expires_at, self.refresh, self.refresh_expires_at)

    def lost(self, now: datetime) -> bool:
        """Whether somebody began a refresh whose outcome nobody wrote down: the refresh token must not be sent again."""
        return self.lease_until is not None and self.lease_until <= now

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


def seal(vault: KeyEncryption, token_id: UUID, pair: TokenPair) -> SealedPair:
    """Seal a pair for the row that keeps it."""
    return SealedPair(
        token_id,
        seal_secret(vault, pair.access, row=_row(token_id, "access")),
        pair.access_expires_at,
        seal_secret(vault, pair.refresh, row=_row(token_id, "refresh")) if pair.refresh else None,
        pair.refresh_expires_at,
    )


def _columns(sealed: SealedPair) -> dict[str, object]:
    return {
        "access": sealed.access,
        "access_expires_at": sealed.access_expires_at,
        "refresh": sealed.refresh,
        "refresh_expires_at": sealed.refresh_expires_at,
    }


async def store(
    tx: Tx,
    sealed: SealedPair,
    *,
    account_id: UUID,
    school_id: str,
    now: datetime,
    session_id: UUID | None = None,
    ends_at: datetime | None = None,
) -> None:
    """Insert tokens: of a session, or (without one) of a grant for background work until `ends_at`."""
    await tx.execute(
        insert(tokens).values(
            id=sealed.token_id,
            kind="session" if session_id is not None else "grant",
            session_id=session_id,
            account_id=account_id,
            school_id=school_id,
            created_at=now,
            ends_at=ends_at,
            **_columns(sealed),
        )
    )


async def end_tokens(tx: Tx, *, session_id: UUID, reason: str, now: datetime) -> None:
    """End the tokens of a session; the provider is to revoke them from now on. Nothing is opened for it."""
    statement = sa.select(tokens.c.id).where(tokens.c.session_id == session_id, LIVE).with_for_update()
    for token_id in list((await tx.execute(statement)).scalars()):
        await end_and_revoke(tx, token_id, reason, now)


async def end_and_revoke(tx: Tx, token_id: UUID, reason: str, now: datetime) -> bool:
    """End a token once, for `reason` (a word), and have the provider revoke what it kept; False when it was dead.

    A function of the owner's (migration 0021) moves the secrets from one table to the other: who ends a token need not read it.
    """
    done = sa.func.end_and_revoke(token_id, reason, now, new_id(), now + OFFLINE_REVOKED_FOR)
    return bool((await tx.execute(sa.select(done))).scalar())


async def revoke_later(tx: Tx, sealed: SealedPair, now: datetime, *, issuer: str = "", subject: str = "") -> None:
    """Have the provider revoke a pair: the refresh token, with which the access token goes, else the access token.

    `issuer` and `subject`: who gave it and whose it is, of a pair that no row of `token` keeps.
    """
    by_refresh = sealed.refresh is not None
    ends_at = sealed.refresh_expires_at if by_refresh else sealed.access_expires_at
    await tx.execute(
        insert(revocations).values(
            id=new_id(),
            token_id=sealed.token_id,
            kind="refresh" if by_refresh else "access",
            sealed=sealed.refresh if by_refresh else sealed.access,
            tries=0,
            due_at=now,
            ends_at=ends_at or now + OFFLINE_REVOKED_FOR,
            issuer=issuer,
            subject=subject,
        )
    )


async def keep_unadopted(tx: Tx, sealed: SealedPair, now: datetime, *, issuer: str, subject: str) -> None:
    """Have a pair revoked unless somebody adopts it soon: an answer that is lost on its way leaves nothing alive.

    `issuer` gave it, to `subject` ("": it does not say to whom).
    """
    await revoke_later(tx, sealed, now + UNADOPTED, issuer=issuer, subject=subject)


async def adopt(tx: Tx, token_id: UUID) -> bool:
    """Take fresh tokens over, in the transaction that keeps them; False where they are not there, or being revoked."""
    fresh = (revocations.c.token_id == token_id, revocations.c.tries == 0)
    rows = await tx.execute(sa.delete(revocations).where(*fresh).returning(revocations.c.id))
    return rows.scalar() is not None


async def hasten(tx: Tx, token_id: UUID, now: datetime) -> None:
    """Nobody will adopt these tokens: revoke them now."""
    await tx.execute(sa.update(revocations).where(revocations.c.token_id == token_id).values(due_at=now))


@dataclass(frozen=True)
class Revocation:
    """A token that the provider is to revoke."""

    id: UUID
    token_id: UUID
    kind: Literal["access", "refresh"]
    sealed: bytes = field(repr=False)
    tries: int
    due_at: datetime
    ends_at: datetime
    issuer: str
    subject: str
    ours: bool
    """Whether the provider that is asked gave it: no other is ever sent it."""

    def open(self, vault: KeyEncryption) -> str:
        """The token in clear; Unreadable when its key is gone."""
        return open_secret(vault, self.sealed, row=_row(self.token_id, self.kind)).reveal()


_KEPT_IN, _OTHER = tokens.alias("kept_in"), tokens.alias("other")
_KEPT_FOR = (
    sa.select(_KEPT_IN.c.account_id)
    .where(_KEPT_IN.c.id == revocations.c.token_id)
    .correlate(revocations)
    .scalar_subquery()
)
_UNADOPTED_OF = sa.and_(accounts.c.issuer == revocations.c.issuer, accounts.c.subject == revocations.c.subject)
_OWNED = sa.or_(accounts.c.id == _KEPT_FOR, _UNADOPTED_OF)
"""Whether an account is the owner of what is to be revoked: that of the row which kept it, else as the provider said."""
_OWNER_HAS_MORE = (
    sa.exists(accounts.c.id)
    .where(_OWNED, _OTHER.c.account_id == accounts.c.id, _OTHER.c.dead_at.is_(None))
    .correlate(revocations)
)


def _revocable_at(issuer: str) -> sa.ColumnElement[bool]:
    """Of the provider `issuer`, by the account of the row that kept the token, else as the provider said."""
    kept = (
        sa.exists(accounts.c.id).where(accounts.c.id == _KEPT_FOR, accounts.c.issuer == issuer).correlate(revocations)
    )
    return sa.or_(revocations.c.issuer == issuer, kept)


async def take_revocation(
    tx: Tx, now: datetime, pause: Callable[[int], timedelta], *, issuer: str, spare: bool = False
) -> Revocation | None:
    """The revocation of a token of `issuer` that is due longest; it is due again after `pause(tries)` unless it is forgotten meanwhile.

    Once it has ended by itself, also of another provider's. `spare`: none whose owner has tokens that live here, before that.
    """
    ours = _revocable_at(issuer)
    served = sa.and_(ours, ~_OWNER_HAS_MORE) if spare else ours
    statement = (
        sa.select(revocations, ours.label("ours"))
        .where(revocations.c.due_at <= now, sa.or_(revocations.c.ends_at <= now, served))
        .order_by(revocations.c.due_at)
        .limit(1)
        .with_for_update(of=revocations, skip_locked=True)
    )
    row = (await tx.execute(statement)).one_or_none()
    if row is None:
        return None
    again = {"tries": row.tries + 1, "due_at": now + pause(row.tries)}
    await tx.execute(sa.update(revocations).where(revocations.c.id == row.id).values(again))
    return Revocation(**row._asdict())


async def forget_revocation(tx: Tx, revocation_id: UUID) -> None:
    """The provider took it, or it has ended by itself."""
    await tx.execute(sa.delete(revocations).where(revocations.c.id == revocation_id))


async def set_school(tx: Tx, session_id: UUID, school_id: str) -> None:
    """Set for which school a session's token is used: RdvPermis names it only after the token was kept."""
    await tx.execute(sa.update(tokens).where(tokens.c.session_id == session_id).values(school_id=school_id))


_OF_SESSIONS = Statement(
    sa.select(*_COLUMNS).where(
        tokens.c.session_id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))),
        LIVE,
        given_by(sa.bindparam("issuer", type_=sa.Text)),
    )
)


async def of_sessions(engine: AsyncEngine, issuer: str, session_ids: Sequence[UUID]) -> Sequence[Token | None]:
    """The live token of each session, if it has one that `issuer` gave: one round trip however many."""
    rows = await _OF_SESSIONS.run(engine, {"ids": list(set(session_ids)), "issuer": issuer})
    found = {row["session_id"]: Token(**row) for row in rows}
    return [found.get(session_id) for session_id in session_ids]


_OF_SCHOOL = Statement(
    sa.select(*_COLUMNS)
    .where(
        tokens.c.school_id == sa.bindparam("school_id"),
        LIVE,
        given_by(sa.bindparam("issuer", type_=sa.Text)),
        sa.or_(tokens.c.ends_at.is_(None), tokens.c.ends_at > sa.bindparam("now", type_=sa.DateTime(timezone=True))),
    )
    .order_by((tokens.c.kind == sa.literal_column("'grant'")).desc(), tokens.c.id.desc())
    .limit(sa.literal_column("20"))
)


async def of_school(engine: AsyncEngine, issuer: str, school_id: str, now: datetime) -> list[Token]:
    """Live tokens of a school that `issuer` gave, grants before sessions', newest first, at most twenty."""
    values = {"school_id": school_id, "issuer": issuer, "now": now}
    return [Token(**row) for row in await _OF_SCHOOL.run(engine, values)]


async def by_id(tx: Tx, issuer: str, token_id: UUID) -> Token | None:
    """The token row with this id; None when there is none of `issuer`, or it no longer lives."""
    statement = sa.select(*_COLUMNS).where(tokens.c.id == token_id, LIVE, given_by(issuer))
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else Token(**row._asdict())


async def expiring(tx: Tx, issuer: str, before: datetime, now: datetime) -> list[Token]:
    """Live tokens that `issuer` gave, of grants and open sessions, whose refresh token ends before `before`, and grants long unused; at most a hundred."""
    open_session = sa.exists(sessions.c.id).where(sessions.c.id == tokens.c.session_id, sessions.c.ended_at.is_(None))
    ends = tokens.c.refresh_expires_at.between(now, before)
    grant = sa.and_(
        tokens.c.kind == "grant", tokens.c.ends_at > now, sa.or_(ends, tokens.c.access_expires_at < now - UNUSED)
    )
    statement = (
        sa.select(*_COLUMNS)
        .where(LIVE, given_by(issuer), sa.or_(grant, sa.and_(ends, open_session)))
        .order_by(tokens.c.refresh_expires_at)
        .limit(100)
    )
    return [Token(**row._asdict()) for row in await tx.execute(statement)]


async def lease(tx: Tx, token: Token, now: datetime) -> datetime | None:
    """Become the only one who renews this row, unless somebody does, did, or died of it; return the lease's end."""
    until = now + LEASE
    statement = (
        sa.update(tokens)
        .where(
            tokens.c.id == token.id,
            LIVE,
            tokens.c.access_expires_at == token.access_expires_at,
            tokens.c.lease_until.is_(None),
        )
        .values(lease_until=until)
        .returning(tokens.c.id)
    )
    return until if (await tx.execute(statement)).scalar() is not None else None


async def renewed(tx: Tx, sealed: SealedPair, leased: datetime) -> bool:
    """Write the new pair; False when the row died meanwhile or the lease went to another, and nothing is written."""
    statement = (
        sa.update(tokens)
        .where(tokens.c.id == sealed.token_id, LIVE, tokens.c.lease_until == leased)
        .values(lease_until=None, **_columns(sealed))
        .returning(tokens.c.id)
    )
    return (await tx.execute(statement)).scalar() is not None


async def release(tx: Tx, token_id: UUID, leased: datetime) -> None:
    """Give the lease back: the refresh token was surely not used."""
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
    """Delete rows that died a year ago, unless they say whose it is that is still to be revoked."""
    waits = sa.exists(revocations.c.id).where(revocations.c.token_id == tokens.c.id)
    await tx.execute(sa.delete(tokens).where(tokens.c.dead_at < now - KEPT, ~waits))
