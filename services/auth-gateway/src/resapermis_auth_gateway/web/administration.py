"""What an administrator of the platform does with people who are not RdvPermis employees: read, invite, suspend, let go (ADR 45).

Each act is one transaction: state, sessions, event and record. One at a time decides, and whoever was suspended meanwhile
decides nothing any more.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1 import events_pb2 as audit
from resapermis.iam.v1.events_pb2 import PersonInvited
from resapermis_auth_gateway import accounts, people
from resapermis_auth_gateway.people import PERSON_ACTIONS, Act, Person, State
from resapermis_auth_gateway.profile import Profile, Profiles
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.sessions import Sessions, person
from resapermis_kit.clock import Clock, new_id
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_persons.roles import Role

INVITE, READ = "person.invite", "person.read"
"""Actions of the journal, beside `PERSON_ACTIONS`."""
CAUSES = {Act.SUSPEND: "suspended", Act.END: "left"}
"""Why a person's sessions end, as the journal names it."""
ACTS = UUID("2f0f6c1a-6f0e-4f0a-9f43-0a3f7b1f6c52")
"""Namespace of accounts, made from who invites and their act: the same act, sent twice, invites once."""


@dataclass(frozen=True)
class Asker:
    """Who administers, from where."""

    session: queries.Session
    place: str

    @property
    def actor(self) -> audit.Actor:
        """As records name them."""
        return person(self.session, self.place)


@dataclass(frozen=True)
class Invitation:
    """Who is invited, to what."""

    profile: Profile
    role: Role
    scope: tuple[str, ...]


@dataclass(frozen=True)
class Administration:
    """People, as the platform's administrators keep them."""

    engine: AsyncEngine
    outbox: Outbox
    profiles: Profiles
    sessions: Sessions
    now: Clock

    async def page(self, asker: Asker, limit: int, before: UUID | None) -> list[Person]:
        """People, newest first; that they were read is recorded."""
        async with self._deciding(asker) as tx:
            found = await people.page(tx, limit, before)
            read = _record(READ, asker, None, count=str(len(found)))
            await self.outbox.add(tx, self.now(), read)
        return found

    def profile(self, one: Person) -> Profile:
        """A person's name, address and language, opened."""
        return self.profiles.open(one.account_id, one.person_key, one.profile)

    async def invite(self, asker: Asker, invitation: Invitation, act_id: str) -> Person:
        """Make an account and have its owner written to; once for each `act_id` of an asker. KEY_REUSED for the same with another body."""
        account_id = uuid5(ACTS, f"{asker.session.account_id} {act_id}")
        async with self._deciding(asker) as tx:
            if (known := await people.find(tx, account_id)) is not None:
                if (self.profile(known), known.role, known.scope) != (
                    invitation.profile,
                    invitation.role,
                    invitation.scope,
                ):
                    raise Failure(Code.CODE_KEY_REUSED, "invited somebody else under this key")
                return known
            now, key = self.now(), self.profiles.new_key(account_id)
            invited = Person(
                account_id=account_id,
                role=invitation.role,
                scope=invitation.scope,
                state=State.INVITED,
                created_at=now,
                person_key=key,
                profile=self.profiles.seal(account_id, key, invitation.profile),
            )
            await people.add(tx, invited, invited_by=asker.session.account_id, now=now)
            return await self._write_to(tx, asker, invited)

    async def invite_again(self, asker: Asker, account_id: UUID) -> Person:
        """Send a new invitation in place of the one before, which opens nothing any more."""
        async with self._deciding(asker) as tx:
            one = await _found(tx, account_id)
            if one.state is not State.INVITED:
                raise _illegal("nobody who is invited")
            return await self._write_to(tx, asker, one)

    async def _write_to(self, tx: Tx, asker: Asker, one: Person) -> Person:
        now, invitation_id = self.now(), new_id()
        ends_at = await people.invite(tx, one.account_id, invitation_id, now)
        event = PersonInvited(
            invitation_id=str(invitation_id),
            account_id=str(one.account_id),
            school_id=accounts.no_school(one.account_id),
            role=one.role.value,
        )
        event.ends_at.FromDatetime(ends_at)
        record = _record(INVITE, asker, one, invitation=str(invitation_id))
        await self.outbox.add(tx, now, event, record)
        found = await people.find(tx, one.account_id)
        return one if found is None else found

    async def change(self, asker: Asker, account_id: UUID, act: Act) -> Person:
        """Suspend, let in again, or let go; sessions end at once, on all replicas. Nobody does so to themselves."""
        if account_id == asker.session.account_id:
            raise Failure(Code.CODE_FORBIDDEN, "another administrator does this", denied="own_account")
        async with self._deciding(asker) as tx:
            changed = await people.change(tx, await _found(tx, account_id), act, self.now())
            if changed is None:
                raise _illegal(f"{act.value} does not go from here")
            ended = await self._end_sessions(tx, asker, account_id, act)
            await self.outbox.add(tx, self.now(), _record(PERSON_ACTIONS[act], asker, changed))
        for session_id in ended:
            self.sessions.close_feeds(str(session_id))  # this replica does not wait for the bus
        return changed

    async def _end_sessions(self, tx: Tx, asker: Asker, account_id: UUID, act: Act) -> Sequence[UUID]:
        if act not in CAUSES:
            return ()
        found = await queries.all_sessions_of(tx, account_id)
        for session in found:
            await self.sessions.end_in(tx, session, CAUSES[act], actor=asker.actor)
        return [session.id for session in found]

    @asynccontextmanager
    async def _deciding(self, asker: Asker) -> AsyncIterator[Tx]:
        """One act on people at a time, by somebody who may still act; UNAUTHENTICATED who was suspended while they waited."""
        async with transaction(self.engine) as tx:
            await people.lock(tx)
            if not await people.is_active(tx, asker.session.account_id):
                raise Failure(Code.CODE_UNAUTHENTICATED, "no longer active", denied="session_ended")
            yield tx


async def _found(tx: Tx, account_id: UUID) -> Person:
    one = await people.find(tx, account_id)
    if one is None:
        raise Failure(Code.CODE_NOT_FOUND, "no such person", denied="not_found")
    return one


def _illegal(detail: str) -> Failure:
    return Failure(Code.CODE_ILLEGAL_TRANSITION, detail)


def _record(action: str, asker: Asker, about: Person | None, **facts: str) -> audit.Record:
    whom = {"role": about.role.value} if about else {}
    return audit.Record(
        actor=asker.actor,
        action=action,
        object_kind="account" if about else "",
        object_id=str(about.account_id) if about else "",
        outcome=audit.OUTCOME_DONE,
        facts=whom | facts,
    )
