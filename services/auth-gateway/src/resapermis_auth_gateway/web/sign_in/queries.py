"""Sessions: what is asked of their table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway.accounts import at_school, no_school, roles_of
from resapermis_auth_gateway.tables import account_roles, accounts, logout_tokens, sessions
from resapermis_auth_gateway.web.sign_in.device import Device
from resapermis_kit.database.statement import Row, Statement
from resapermis_kit.database.transaction import Tx

KEPT = timedelta(days=365)
LIVE = sessions.c.ended_at.is_(None)
MOST_OWN = 100
"""Sessions shown to their owner, at most."""


@dataclass(frozen=True)
class Session:
    """A session that has not ended, with its account's roles at its school and sealed profile."""

    id: UUID
    account_id: UUID
    school_id: str
    school_name: str
    department: str
    provider_sid: str
    created_at: datetime
    seen_at: datetime
    roles: tuple[str, ...]
    person_key: bytes
    profile: bytes
    authenticated_at: datetime | None
    """When its owner proved who they are, at the provider or by a passkey; None: the provider does not say."""

    @property
    def employed(self) -> bool:
        """Whether its owner works at a school, as RdvPermis says; who does not was invited (`people.py`)."""
        return self.school_id != no_school(self.account_id)

    @property
    def of_school(self) -> str:
        """The school that principals and records name; "" for who works at none."""
        return self.school_id if self.employed else ""


@dataclass(frozen=True)
class OwnSession:
    """A live session as its owner sees it in a list."""

    id: UUID
    created_at: datetime
    seen_at: datetime
    device: Device


async def start_session(tx: Tx, cookie_hash: bytes, session: Session, device: Device) -> None:
    """Insert a session under the hash of its cookie; the cookie itself is nowhere stored."""
    await tx.execute(
        insert(sessions).values(
            id=session.id,
            cookie_hash=cookie_hash,
            account_id=session.account_id,
            school_id=session.school_id,
            school_name=session.school_name,
            department=session.department,
            provider_sid=session.provider_sid,
            created_at=session.created_at,
            seen_at=session.seen_at,
            authenticated_at=session.authenticated_at,
            browser=device.browser,
            system=device.system,
        )
    )


def _whole() -> sa.Select[tuple[object, ...]]:
    return sa.select(
        sessions.c.id,
        sessions.c.account_id,
        sessions.c.school_id,
        sessions.c.school_name,
        sessions.c.department,
        sessions.c.provider_sid,
        sessions.c.created_at,
        sessions.c.seen_at,
        roles_of(sessions.c.school_id),
        accounts.c.person_key,
        accounts.c.profile,
        sessions.c.authenticated_at,
    ).select_from(
        sessions.join(accounts, accounts.c.id == sessions.c.account_id).outerjoin(
            account_roles, at_school(sessions.c.school_id)
        )
    )


def _session(row: sa.Row[tuple[object, ...]] | Row) -> Session:
    fields = {name: getattr(row, name) for name in Session.__dataclass_fields__}
    return Session(**{**fields, "roles": tuple(fields["roles"])})


_OF_COOKIES = Statement(
    _whole()
    .add_columns(sessions.c.cookie_hash)
    .where(
        sessions.c.cookie_hash == sa.any_(sa.bindparam("cookie_hashes", type_=postgresql.ARRAY(sa.LargeBinary))), LIVE
    )
)


async def sessions_of_cookies(engine: AsyncEngine, cookie_hashes: Sequence[bytes]) -> list[Session | None]:
    """What `live_session` answers, to each cookie in its order, on the path of every request: one round trip for all."""
    rows = await _OF_COOKIES.run(engine, {"cookie_hashes": list(set(cookie_hashes))})
    found = {row.cookie_hash: _session(row) for row in rows}
    return [found.get(cookie_hash) for cookie_hash in cookie_hashes]


async def live_session(tx: Tx, cookie_hash: bytes) -> Session | None:
    """The session that this cookie opens; whether its time is over, the caller judges."""
    row = (await tx.execute(_whole().where(sessions.c.cookie_hash == cookie_hash, LIVE))).one_or_none()
    return None if row is None else _session(row)


_IS_LIVE = Statement(
    sa.select(sessions.c.id).where(
        sessions.c.id == sa.bindparam("session_id"),
        LIVE,
        sessions.c.seen_at > sa.bindparam("idle_since"),
        sessions.c.created_at > sa.bindparam("created_since"),
    )
)


async def is_live(engine: AsyncEngine, session_id: UUID, idle_since: datetime, created_since: datetime) -> bool:
    """Whether a session still stands: not ended, not idle, not too old. Every open page asks at each tick: one round trip."""
    values = {"session_id": session_id, "idle_since": idle_since, "created_since": created_since}
    return bool(await _IS_LIVE.run(engine, values))


async def sessions_of(tx: Tx, account_id: UUID, idle_since: datetime, created_since: datetime) -> list[OwnSession]:
    """The sessions of an account whose time is not over and that act for a school, by last act, at most a hundred."""
    columns = (sessions.c[name] for name in ("id", "created_at", "seen_at", "browser", "system"))
    statement = (
        sa.select(*columns)
        .where(
            sessions.c.account_id == account_id,
            LIVE,
            sessions.c.school_id != "",
            sessions.c.seen_at > idle_since,
            sessions.c.created_at > created_since,
        )
        .order_by(sessions.c.seen_at.desc(), sessions.c.id.desc())
        .limit(MOST_OWN)
    )
    rows = await tx.execute(statement)
    return [OwnSession(row.id, row.created_at, row.seen_at, Device(row.browser, row.system)) for row in rows]


async def live_session_of(tx: Tx, account_id: UUID, session_id: UUID) -> Session | None:
    """A session that has not ended, if it is this account's."""
    ours = (sessions.c.id == session_id, sessions.c.account_id == account_id, LIVE)
    row = (await tx.execute(_whole().where(*ours))).one_or_none()
    return None if row is None else _session(row)


async def use_logout_token(tx: Tx, token_hash: bytes, counts_until: datetime) -> bool:
    """Remember a logout token as long as it would be believed; False when it came before."""
    statement = insert(logout_tokens).values(token_hash=token_hash, counts_until=counts_until)
    rows = await tx.execute(statement.on_conflict_do_nothing().returning(logout_tokens.c.token_hash))
    return rows.scalar() is not None


async def sessions_at_provider(tx: Tx, issuer: str, subject: str, provider_sid: str) -> list[Session]:
    """The sessions that have not ended of a person, or opened in a session of the provider's; "" leaves one open.

    ValueError where nothing is named: that would be everybody's.
    """
    if not subject and not provider_sid:
        raise ValueError("neither a person nor a session")
    statement = _whole().where(LIVE, accounts.c.issuer == issuer)
    if subject:
        statement = statement.where(accounts.c.subject == subject)
    if provider_sid:
        statement = statement.where(sessions.c.provider_sid == provider_sid)
    return [_session(row) for row in await tx.execute(statement)]


async def sessions_elsewhere(tx: Tx, account_id: UUID, school_id: str) -> list[Session]:
    """The sessions of an account that have not ended and act for another school than this one."""
    elsewhere = sessions.c.school_id.not_in(["", school_id])
    rows = await tx.execute(_whole().where(sessions.c.account_id == account_id, LIVE, elsewhere))
    return [_session(row) for row in rows]


async def all_sessions_of(tx: Tx, account_id: UUID) -> list[Session]:
    """Every session of an account that has not ended."""
    return [_session(row) for row in await tx.execute(_whole().where(sessions.c.account_id == account_id, LIVE))]


async def set_session_school(tx: Tx, session_id: UUID, school_id: str, school_name: str, department: str) -> None:
    """Set for which school a session that is being opened acts."""
    await tx.execute(
        sa.update(sessions)
        .where(sessions.c.id == session_id)
        .values(school_id=school_id, school_name=school_name, department=department)
    )


async def prove_again(tx: Tx, session_id: UUID, cookie_hash: bytes, now: datetime) -> None:
    """Go on with a session whose owner has just proved who they are, under another cookie; the one before opens nothing."""
    values = {"cookie_hash": cookie_hash, "authenticated_at": now, "seen_at": now}
    await tx.execute(sa.update(sessions).where(sessions.c.id == session_id, LIVE).values(values))


async def touch(tx: Tx, session_id: UUID, now: datetime) -> None:
    """Set `seen_at`, from which the idle limit counts."""
    await tx.execute(sa.update(sessions).where(sessions.c.id == session_id, LIVE).values(seen_at=now))


async def overdue(tx: Tx, idle_since: datetime, created_since: datetime) -> list[Session]:
    """Live sessions whose time is over, at most a hundred."""
    late = sa.or_(sessions.c.seen_at <= idle_since, sessions.c.created_at <= created_since)
    return [_session(row) for row in await tx.execute(_whole().where(LIVE, late).limit(100))]


async def forget_old(tx: Tx, now: datetime) -> None:
    """Delete sessions that ended a year ago (the journal keeps what must be kept longer), and logout tokens past belief."""
    await tx.execute(sa.delete(logout_tokens).where(logout_tokens.c.counts_until < now))
    await tx.execute(sa.delete(sessions).where(sessions.c.ended_at < now - KEPT))
