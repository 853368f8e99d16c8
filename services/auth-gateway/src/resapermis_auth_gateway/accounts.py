"""Accounts: a person at one provider, where they work, and what they may at each school."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_auth_gateway.tables import account_roles, accounts
from resapermis_kit.database.transaction import Tx

OWN = "resapermis"
"""In place of an issuer: we ourselves know who it is, by invitation and passkey. Their `subject` is the account's id."""


def no_school(account_id: UUID) -> str:
    """A word that is no school's, in place of one: of who works at none, and of who signs in until RdvPermis answered."""
    return f"account {account_id}"


@dataclass(frozen=True)
class Account:
    """One person of the provider; `profile` is sealed under `person_key`, which is itself wrapped."""

    id: UUID
    school_id: str
    """Where RdvPermis last said that they work; "" before it was asked."""
    roles: tuple[str, ...]
    """At that school."""
    person_key: bytes
    profile: bytes


def roles_of(school_id: sa.ColumnElement[str]) -> sa.ColumnElement[Any]:
    """The roles at `school_id` of an account joined with its `at_school(school_id)`; none where it has none there.

    A replica of release 0.2.0 writes the account alone: what it wrote counts at the account's own school.
    """
    written_by_0_2_0 = sa.case((accounts.c.school_id == school_id, accounts.c.roles))
    return sa.func.coalesce(account_roles.c.roles, written_by_0_2_0, sa.literal_column("'{}'::text[]")).label("roles")


def at_school(school_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """The condition on which an account is (outer) joined with what it may at `school_id`."""
    return sa.and_(account_roles.c.account_id == accounts.c.id, account_roles.c.school_id == school_id)


_HOME = accounts.c.school_id
_WHOLE = sa.select(
    accounts.c.id, accounts.c.school_id, roles_of(_HOME), accounts.c.person_key, accounts.c.profile
).select_from(accounts.outerjoin(account_roles, at_school(_HOME)))


def _account(row: Any) -> Account:
    return Account(row.id, row.school_id, tuple(row.roles), row.person_key, row.profile)


async def account_of(tx: Tx, issuer: str, subject: str) -> Account | None:
    """The account of (issuer, `sub` of the ID token); None before that person's first sign-in."""
    statement = _WHOLE.where(accounts.c.issuer == issuer, accounts.c.subject == subject)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _account(row)


async def roles_at(tx: Tx, account_id: UUID, school_id: str) -> tuple[str, ...]:
    """What an account may at a school, whether or not it is there now; () where it never was."""
    school = sa.literal(school_id)
    statement = (
        sa.select(roles_of(school))
        .select_from(accounts.outerjoin(account_roles, at_school(school)))
        .where(accounts.c.id == account_id)
    )
    return tuple((await tx.execute(statement)).scalar() or ())


async def person_of(tx: Tx, account_id: UUID) -> tuple[str, str]:
    """Issuer and `sub` of an account; both "" for one that is not there."""
    statement = sa.select(accounts.c.issuer, accounts.c.subject).where(accounts.c.id == account_id)
    row = (await tx.execute(statement)).one_or_none()
    return ("", "") if row is None else (row.issuer, row.subject)


async def lock_school(tx: Tx, school_id: str) -> None:
    """Let one sign-in of a school at a time decide who is its first account."""
    await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"school {school_id}", 0))))


async def school_has_admin(tx: Tx, school_id: str, but: UUID) -> bool:
    """Whether somebody who works at the school, `but` apart, has the role school_admin there."""
    present = _WHOLE.where(accounts.c.school_id == school_id, accounts.c.id != but).subquery()
    question = sa.exists().where(sa.literal("school_admin") == sa.any_(present.c.roles))
    return bool((await tx.execute(sa.select(question))).scalar())


async def save_account(
    tx: Tx,
    issuer: str,
    subject: str,
    account: Account,
    now: datetime,
) -> None:
    """Create or update the account of (issuer, subject), with what it may at its school."""
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
    if account.school_id:
        roles = insert(account_roles).values(
            account_id=account.id, school_id=account.school_id, roles=list(account.roles)
        )
        await tx.execute(
            roles.on_conflict_do_update(
                index_elements=[account_roles.c.account_id, account_roles.c.school_id],
                set_={"roles": roles.excluded.roles},
            )
        )


async def recipients(tx: Tx, school_id: str) -> list[Account]:
    """Accounts of a school, in order of making."""
    statement = _WHOLE.where(accounts.c.school_id == school_id).order_by(accounts.c.id)
    return [_account(row) for row in await tx.execute(statement)]
