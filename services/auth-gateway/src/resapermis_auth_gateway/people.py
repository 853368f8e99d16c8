"""People who are not RdvPermis employees: invited, active, suspended, gone; with their invitations and passkeys (ADR 45).

Everything here is in the caller's transaction. Who they are to us decides what they may (`account_role`, policies); whether
they may sign in, their state alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from resapermis_auth_gateway import accounts
from resapermis_auth_gateway.tables import (
    account_roles,
    administrator_codes,
    invitation_links,
    invitations,
    passkeys,
    people,
)
from resapermis_auth_gateway.tables import accounts as account_rows
from resapermis_kit.database.transaction import Tx
from resapermis_persons.roles import Role

INVITATION_LIVES = timedelta(hours=72)


class State(StrEnum):
    """Whether a person may sign in: only who is active."""

    INVITED = "invited"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


class Act(StrEnum):
    """What changes a person's state."""

    ACCEPT = "accept"
    SUSPEND = "suspend"
    RESUME = "resume"
    END = "end"


CHANGES: Mapping[Act, tuple[frozenset[State], State]] = {
    Act.ACCEPT: (frozenset({State.INVITED}), State.ACTIVE),
    Act.SUSPEND: (frozenset({State.ACTIVE}), State.SUSPENDED),
    Act.RESUME: (frozenset({State.SUSPENDED}), State.ACTIVE),
    Act.END: (frozenset({State.INVITED, State.ACTIVE, State.SUSPENDED}), State.LEFT),
}
"""From which states each act leads where. Who left does not come back: they are invited anew, as another account."""
PERSON_ACTIONS: Mapping[Act, str] = {
    Act.ACCEPT: "person.accept",
    Act.SUSPEND: "person.suspend",
    Act.RESUME: "person.resume",
    Act.END: "person.end",
}
"""As the journal names them."""


@dataclass(frozen=True)
class Person:
    """Somebody who is not an employee, with their sealed profile."""

    account_id: UUID
    role: Role
    scope: tuple[str, ...]
    """Departments that they are for; empty: all."""
    state: State
    created_at: datetime
    person_key: bytes
    profile: bytes
    invitation_ends_at: datetime | None = None
    """Of the invitation that is open, over by time or not; None where there is none."""
    signed_in_at: datetime | None = None
    """When one of their passkeys was last used; None before the first, and after they left."""

    @property
    def account(self) -> accounts.Account:
        """As sessions and mails know them."""
        roles = () if self.state is State.LEFT else (self.role.value,)
        return accounts.Account(
            self.account_id, accounts.no_school(self.account_id), roles, self.person_key, self.profile
        )


@dataclass(frozen=True)
class Passkey:
    """A credential as it is kept."""

    credential_id: bytes
    account_id: UUID
    public_key: bytes
    sign_count: int


def hash_of(secret: str) -> bytes:
    """SHA-256 of a word that opens something once: the form in which it is stored. It has 125 random bits and more."""
    return sha256(secret.encode()).digest()


def code_of(typed: str) -> str:
    """A code as it was made, from what somebody typed: without hyphens and spaces, in capital letters."""
    return "".join(char for char in typed.upper() if char.isalnum())


async def lock(tx: Tx) -> None:
    """Let one act on people at a time decide: who administers, and whether anybody does."""
    await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended("people", 0))))


_OPEN = sa.and_(invitations.c.used_at.is_(None), invitations.c.withdrawn_at.is_(None))
_WHOLE = (
    sa.select(
        people.c.account_id,
        people.c.role,
        people.c.scope,
        people.c.state,
        people.c.created_at,
        account_rows.c.person_key,
        account_rows.c.profile,
        invitations.c.ends_at.label("invitation_ends_at"),
        sa.select(sa.func.max(passkeys.c.used_at))
        .where(passkeys.c.account_id == people.c.account_id)
        .scalar_subquery()
        .label("signed_in_at"),
    )
    .join_from(people, account_rows, account_rows.c.id == people.c.account_id)
    .outerjoin(invitations, sa.and_(invitations.c.account_id == people.c.account_id, _OPEN))
)


def _person(row: Any) -> Person:
    fields = {name: getattr(row, name) for name in Person.__dataclass_fields__}
    return Person(
        **fields | {"role": Role(fields["role"]), "scope": tuple(fields["scope"]), "state": State(fields["state"])}
    )


async def add(tx: Tx, person: Person, *, invited_by: UUID | None, now: datetime) -> None:
    """Insert a person with their account and what they may; `invited_by` None: by a code."""
    await accounts.save_account(tx, accounts.OWN, str(person.account_id), person.account, now)
    await tx.execute(
        sa.insert(people).values(
            account_id=person.account_id,
            role=person.role.value,
            scope=list(person.scope),
            state=person.state.value,
            invited_by=invited_by,
            created_at=now,
            changed_at=now,
        )
    )


async def find(tx: Tx, account_id: UUID) -> Person | None:
    """The person of an account; their row is locked until the transaction ends, so that a sign-in and a suspension meet."""
    await tx.execute(sa.select(people.c.account_id).where(people.c.account_id == account_id).with_for_update())
    row = (await tx.execute(_WHOLE.where(people.c.account_id == account_id))).one_or_none()
    return None if row is None else _person(row)


async def scope_of(tx: Tx, account_id: UUID) -> tuple[str, ...]:
    """Departments that a person is for; () for all, and for who is none of them."""
    found = await tx.execute(sa.select(people.c.scope).where(people.c.account_id == account_id))
    return tuple(found.scalar() or ())


async def page(tx: Tx, limit: int, before: UUID | None) -> list[Person]:
    """People, newest first, from behind the account `before`; at most `limit`."""
    statement = _WHOLE.order_by(people.c.created_at.desc(), people.c.account_id.desc()).limit(limit)
    if before is not None:
        last = people.alias("last")
        mark = sa.select(last.c.created_at, last.c.account_id).where(last.c.account_id == before).subquery()
        place = sa.tuple_(people.c.created_at, people.c.account_id)
        statement = statement.join(mark, place < sa.tuple_(mark.c.created_at, mark.c.account_id))
    return [_person(row) for row in await tx.execute(statement)]


async def change(tx: Tx, person: Person, act: Act, now: datetime) -> Person | None:
    """Bring a person whom `find` answered to where `act` leads; None where it does not lead there from their state.

    Who is gone has neither role, invitation nor passkey any more.
    """
    before, after = CHANGES[act]
    if person.state not in before:
        return None
    await tx.execute(
        sa.update(people).where(people.c.account_id == person.account_id).values(state=after.value, changed_at=now)
    )
    if after is State.LEFT:
        await withdraw_invitations(tx, person.account_id, now)
        await tx.execute(sa.delete(passkeys).where(passkeys.c.account_id == person.account_id))
        await tx.execute(sa.delete(account_roles).where(account_roles.c.account_id == person.account_id))
        await tx.execute(sa.update(account_rows).where(account_rows.c.id == person.account_id).values(roles=[]))
    return replace(person, state=after)


async def is_active(tx: Tx, account_id: UUID) -> bool:
    """Whether a person may act, as of now and whatever waited before this."""
    question = sa.exists().where(people.c.account_id == account_id, people.c.state == State.ACTIVE.value)
    return bool((await tx.execute(sa.select(question))).scalar())


async def invite(tx: Tx, account_id: UUID, invitation_id: UUID, now: datetime) -> datetime:
    """Open an invitation in place of one that is open; return when it ends."""
    await withdraw_invitations(tx, account_id, now)
    ends_at = now + INVITATION_LIVES
    await tx.execute(
        sa.insert(invitations).values(id=invitation_id, account_id=account_id, made_at=now, ends_at=ends_at)
    )
    return ends_at


async def withdraw_invitations(tx: Tx, account_id: UUID, now: datetime) -> None:
    """What is open of an account counts no more."""
    await tx.execute(
        sa.update(invitations).where(invitations.c.account_id == account_id, _OPEN).values(withdrawn_at=now)
    )


def _counts(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(_OPEN, invitations.c.ends_at > now)


async def add_link(tx: Tx, invitation_id: UUID, token_hash: bytes, now: datetime) -> bool:
    """Let one more word open an invitation; False where it counts no more."""
    question = sa.select(invitations.c.id).where(invitations.c.id == invitation_id, _counts(now)).with_for_update()
    if (await tx.execute(question)).scalar() is None:
        return False
    await tx.execute(
        sa.insert(invitation_links).values(token_hash=token_hash, invitation_id=invitation_id, made_at=now)
    )
    return True


async def invited_by_word(tx: Tx, token_hash: bytes, now: datetime) -> tuple[UUID, Person] | None:
    """The invitation that a word opens, and who is invited, their row locked; None where it opens none any more."""
    question = (
        sa.select(invitations.c.id, invitations.c.account_id)
        .join_from(invitation_links, invitations, invitations.c.id == invitation_links.c.invitation_id)
        .where(invitation_links.c.token_hash == token_hash, _counts(now))
    )
    row = (await tx.execute(question)).one_or_none()
    person = None if row is None else await find(tx, row.account_id)
    if row is None or person is None or person.state is not State.INVITED:
        return None
    return row.id, person


async def use_invitation(tx: Tx, invitation_id: UUID, now: datetime) -> bool:
    """Use an invitation up; False where somebody already did, or it counts no more."""
    statement = sa.update(invitations).where(invitations.c.id == invitation_id, _counts(now)).values(used_at=now)
    return (await tx.execute(statement.returning(invitations.c.id))).scalar() is not None


async def add_passkey(tx: Tx, passkey: Passkey, now: datetime) -> bool:
    """Keep a new credential; False where its id is known already."""
    known = sa.select(passkeys.c.account_id).where(passkeys.c.credential_id == passkey.credential_id)
    if (await tx.execute(known)).scalar() is not None:
        return False
    await tx.execute(
        sa.insert(passkeys).values(
            credential_id=passkey.credential_id,
            account_id=passkey.account_id,
            public_key=passkey.public_key,
            sign_count=passkey.sign_count,
            created_at=now,
            used_at=now,
        )
    )
    return True


async def passkey_of(tx: Tx, credential_id: bytes) -> Passkey | None:
    """The credential of an id, its row locked: two answers of one authenticator are counted one after the other."""
    columns = (passkeys.c[name] for name in Passkey.__dataclass_fields__)
    statement = sa.select(*columns).where(passkeys.c.credential_id == credential_id).with_for_update()
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else Passkey(row.credential_id, row.account_id, row.public_key, row.sign_count)


async def use_passkey(tx: Tx, credential_id: bytes, sign_count: int, now: datetime) -> None:
    """Note that a credential was used, and how often its authenticator says that it signed."""
    await tx.execute(
        sa.update(passkeys).where(passkeys.c.credential_id == credential_id).values(sign_count=sign_count, used_at=now)
    )


async def has_administrator(tx: Tx) -> bool:
    """Whether the platform has an administrator, suspended or not. Asked under `lock`."""
    states = [State.ACTIVE.value, State.SUSPENDED.value]
    question = sa.exists().where(people.c.role == Role.PLATFORM_ADMIN.value, people.c.state.in_(states))
    return bool((await tx.execute(sa.select(question))).scalar())


def _code_counts(code_hash: bytes, now: datetime) -> Sequence[sa.ColumnElement[bool]]:
    codes = administrator_codes.c
    return (codes.code_hash == code_hash, codes.ends_at > now, codes.used_at.is_(None))


async def code_counts(tx: Tx, code_hash: bytes, now: datetime) -> bool:
    """Whether a first administrator's code counts: once, until its end, while the platform has none."""
    question = sa.exists().where(*_code_counts(code_hash, now))
    return bool((await tx.execute(sa.select(question))).scalar()) and not await has_administrator(tx)


async def use_code(tx: Tx, code_hash: bytes, now: datetime) -> bool:
    """Use such a code up, under `lock`; False where it does not count."""
    if await has_administrator(tx):
        return False
    statement = sa.update(administrator_codes).where(*_code_counts(code_hash, now)).values(used_at=now)
    return (await tx.execute(statement.returning(administrator_codes.c.code_hash))).scalar() is not None
