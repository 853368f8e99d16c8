"""Accounts: a person at one provider, of one school."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_auth_gateway.tables import accounts
from resapermis_kit.database.transaction import Tx


@dataclass(frozen=True)
class Account:
    """One person of the provider at one school; `profile` is sealed under `person_key`, which is itself wrapped."""

    id: UUID
    school_id: str
    roles: tuple[str, ...]
    person_key: bytes
    profile: bytes


async def account_of(tx: Tx, issuer: str, subject: str) -> Account | None:
    """The account of (issuer, `sub` of the ID token); None before that person's first sign-in."""
    statement = sa.select(accounts).where(accounts.c.issuer == issuer, accounts.c.subject == subject)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else Account(row.id, row.school_id, tuple(row.roles), row.person_key, row.profile)


async def subject_of(tx: Tx, account_id: UUID) -> str:
    """The `sub` of an account; "" for one that is not there."""
    statement = sa.select(accounts.c.subject).where(accounts.c.id == account_id)
    return (await tx.execute(statement)).scalar() or ""


async def lock_school(tx: Tx, school_id: str) -> None:
    """Let one sign-in of a school at a time decide who is its first account."""
    await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"school {school_id}", 0))))


async def school_has_admin(tx: Tx, school_id: str, but: UUID) -> bool:
    """Whether an account of the school other than `but` has the role school_admin."""
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
