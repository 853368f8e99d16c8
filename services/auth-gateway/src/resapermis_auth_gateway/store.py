"""Tables of the package and the web face's questions: accounts, sessions, sign-in attempts. Secrets are hashed or sealed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.metadata import NAMING
from resapermis_kit.database.statement import Row, Statement
from resapermis_kit.database.transaction import Tx

metadata = sa.MetaData(naming_convention=NAMING)
MOMENT = sa.DateTime(timezone=True)

accounts = sa.Table(
    "account",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("roles", ARRAY(sa.Text), nullable=False),
    sa.Column("person_key", sa.LargeBinary, nullable=False),
    sa.Column("profile", sa.LargeBinary, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("signed_in_at", MOMENT, nullable=False),
    sa.UniqueConstraint("issuer", "subject"),
    sa.Index("account_school_id_idx", "school_id"),
)
"""A person at one provider. `profile` (display name, e-mail address, language) is sealed under the wrapped `person_key`."""

sessions = sa.Table(
    "session",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("cookie_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("account.id"), nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("school_name", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("provider_sid", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("seen_at", MOMENT, nullable=False),
    sa.Column("ended_at", MOMENT),
    sa.Column("end_cause", sa.Text),
    sa.Index("session_live_idx", "seen_at", postgresql_where=sa.text("ended_at IS NULL")),
    sa.Index("session_account_id_idx", "account_id"),
)
"""`cookie_hash` is SHA-256 of the cookie: a stolen database opens no session."""

attempts = sa.Table(
    "sign_in_attempt",
    metadata,
    sa.Column("state_hash", sa.LargeBinary, primary_key=True),
    sa.Column("browser_hash", sa.LargeBinary, nullable=False),
    sa.Column("return_to", sa.Text, nullable=False),
    sa.Column("started_at", MOMENT, nullable=False),
    sa.Index("sign_in_attempt_started_at_idx", "started_at"),
)
"""A sign-in under way. Nonce and PKCE verifier are not stored: they derive from the browser's pre-login cookie."""

ATTEMPT_LIVES = timedelta(minutes=10)
KEPT = timedelta(days=365)
LIVE = sessions.c.ended_at.is_(None)


@dataclass(frozen=True)
class Account:
    """A person, with their sealed profile."""

    id: UUID
    school_id: str
    roles: tuple[str, ...]
    person_key: bytes
    profile: bytes


@dataclass(frozen=True)
class Session:
    """A live session and whose it is."""

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


async def begin_attempt(tx: Tx, state_hash: bytes, browser_hash: bytes, return_to: str, now: datetime) -> None:
    """Remember a sign-in that leaves for the provider; forget those nobody came back from."""
    await tx.execute(sa.delete(attempts).where(attempts.c.started_at < now - ATTEMPT_LIVES))
    await tx.execute(
        insert(attempts).values(state_hash=state_hash, browser_hash=browser_hash, return_to=return_to, started_at=now)
    )


async def take_attempt(tx: Tx, state_hash: bytes, browser_hash: bytes, now: datetime) -> str | None:
    """Use up the attempt of this state and this browser, once; return where the person wanted to go."""
    statement = (
        sa.delete(attempts)
        .where(
            attempts.c.state_hash == state_hash,
            attempts.c.browser_hash == browser_hash,
            attempts.c.started_at >= now - ATTEMPT_LIVES,
        )
        .returning(attempts.c.return_to)
    )
    return (await tx.execute(statement)).scalar()


async def account_of(tx: Tx, issuer: str, subject: str) -> Account | None:
    """The account of a person of the provider."""
    statement = sa.select(accounts).where(accounts.c.issuer == issuer, accounts.c.subject == subject)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else Account(row.id, row.school_id, tuple(row.roles), row.person_key, row.profile)


async def lock_school(tx: Tx, school_id: str) -> None:
    """Let one sign-in of a school at a time decide who is its first account."""
    await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"school {school_id}", 0))))


async def school_has_admin(tx: Tx, school_id: str, but: UUID) -> bool:
    """Whether somebody else administers the school."""
    question = sa.exists().where(
        accounts.c.school_id == school_id, accounts.c.id != but, accounts.c.roles.contains(["school_admin"])
    )
    return bool((await tx.execute(sa.select(question))).scalar())


async def save_account(
    tx: Tx,
    issuer: str,
    subject: str,
    account: Account,
    now: datetime,
) -> None:
    """Create or update the account of (issuer, subject)."""
    values: dict[str, object] = {"school_id": account.school_id, "roles": list(account.roles)}
    values |= {"person_key": account.person_key, "profile": account.profile}
    statement = insert(accounts).values(
        id=account.id, issuer=issuer, subject=subject, created_at=now, signed_in_at=now, **values
    )
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[accounts.c.issuer, accounts.c.subject], set_={**values, "signed_in_at": now}
        )
    )


async def recipients(tx: Tx, school_id: str) -> list[Account]:
    """Accounts of a school, in order of making."""
    statement = sa.select(accounts).where(accounts.c.school_id == school_id).order_by(accounts.c.id)
    return [
        Account(row.id, row.school_id, tuple(row.roles), row.person_key, row.profile)
        for row in await tx.execute(statement)
    ]


async def start_session(tx: Tx, cookie_hash: bytes, session: Session) -> None:
    """Write a session down."""
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
        accounts.c.roles,
        accounts.c.person_key,
        accounts.c.profile,
    ).join(accounts, accounts.c.id == sessions.c.account_id)


def _session(row: sa.Row[tuple[object, ...]] | Row) -> Session:
    fields = {name: getattr(row, name) for name in Session.__dataclass_fields__}
    return Session(**{**fields, "roles": tuple(fields["roles"])})


_OF_COOKIE = Statement(_whole().where(sessions.c.cookie_hash == sa.bindparam("cookie_hash"), LIVE))


async def session_of(engine: AsyncEngine, cookie_hash: bytes) -> Session | None:
    """What `live_session` says, on the path of every request: one round trip."""
    rows = await _OF_COOKIE.run(engine, {"cookie_hash": cookie_hash})
    return _session(rows[0]) if rows else None


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


async def place_session(tx: Tx, session_id: UUID, school_id: str, school_name: str, department: str) -> None:
    """Say for which school a session that is being opened acts."""
    await tx.execute(
        sa.update(sessions)
        .where(sessions.c.id == session_id)
        .values(school_id=school_id, school_name=school_name, department=department)
    )


async def touch(tx: Tx, session_id: UUID, now: datetime) -> None:
    """Remember that the person did something."""
    await tx.execute(sa.update(sessions).where(sessions.c.id == session_id, LIVE).values(seen_at=now))


async def end_session(tx: Tx, session_id: UUID, cause: str, now: datetime) -> bool:
    """End a session once; False when somebody already did."""
    statement = (
        sa.update(sessions)
        .where(sessions.c.id == session_id, LIVE)
        .values(ended_at=now, end_cause=cause)
        .returning(sessions.c.id)
    )
    return (await tx.execute(statement)).scalar() is not None


async def overdue(tx: Tx, idle_since: datetime, created_since: datetime) -> list[Session]:
    """Live sessions whose time is over, at most a hundred."""
    late = sa.or_(sessions.c.seen_at <= idle_since, sessions.c.created_at <= created_since)
    return [_session(row) for row in await tx.execute(_whole().where(LIVE, late).limit(100))]


async def forget_old(tx: Tx, now: datetime) -> None:
    """Delete sessions that ended a year ago: the journal keeps what must be kept longer."""
    await tx.execute(sa.delete(sessions).where(sessions.c.ended_at < now - KEPT))
