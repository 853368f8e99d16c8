"""The way in of who is not an RdvPermis employee: an invitation or the first administrator's code, then a passkey (ADR 45).

The session that it opens is like any other: cookie, limits, token, events. It acts for no school.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog
from fastapi import Request
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1 import events_pb2 as audit
from resapermis.iam.v1.events_pb2 import SessionStarted
from resapermis_auth_gateway import people
from resapermis_auth_gateway.people import PERSON_ACTIONS, Act, Passkey, Person, State
from resapermis_auth_gateway.profile import Profile, Profiles
from resapermis_auth_gateway.web.security.address import place_of
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.cookies import digest, new_secret, session_cookie, sign_in_cookie
from resapermis_auth_gateway.web.sign_in.device import device_of
from resapermis_auth_gateway.web.sign_in.passkey.challenges import (
    About,
    Answer,
    NewCredential,
    NotBelieved,
    Options,
    Passkeys,
    credential_id_of,
    refused,
)
from resapermis_auth_gateway.web.sign_in.sessions import Sessions, record
from resapermis_kit.clock import Clock, new_id
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_persons.roles import Role

SIGN_IN, FIRST = "session.start", "person.first"
"""Actions of the journal, beside `PERSON_ACTIONS`."""
WENT_BACK = Counter(
    "resapermis_passkey_counts_went_back_total",
    "Sign-ins refused because the passkey's authenticator counted less than before: somebody may have copied it",
)
log = structlog.get_logger()


@dataclass(frozen=True)
class Invited:
    """What an invitation's page shows, and what its authenticator is asked."""

    person: Person
    profile: Profile
    ends_at: datetime
    options: Options


@dataclass(frozen=True)
class Entrance:
    """Lets people in by passkeys, and makes these."""

    settings: WebSettings
    engine: AsyncEngine
    outbox: Outbox
    profiles: Profiles
    sessions: Sessions
    passkeys: Passkeys
    now: Clock

    def browser_of(self, request: Request) -> str:
        """The word that binds what is under way to a browser: its own one, or a new one for the answer to set."""
        return sign_in_cookie(self.settings.secure).read(request.scope) or new_secret()

    async def begin_sign_in(self, browser: str) -> Options:
        """What the authenticator of whoever wants in is asked; says nothing of anybody."""
        return await self.passkeys.ask_known(browser)

    async def sign_in(self, request: Request, answer: Answer) -> str:
        """Open a session for the person whose passkey answers; return its cookie. SIGN_IN_FAILED, and recorded, otherwise."""
        browser = sign_in_cookie(self.settings.secure).read(request.scope)
        async with self._recorded(request, SIGN_IN, "session"):
            challenge = await self.passkeys.challenge_of(browser, answer)
            async with transaction(self.engine) as tx:
                person = await self._known(tx, challenge, answer)
                return await self._open(tx, request, person)

    async def _known(self, tx: Tx, challenge: bytes, answer: Answer) -> Person:
        """The active person whose passkey signed `challenge`."""
        now, passkey = self.now(), await people.passkey_of(tx, credential_id_of(answer))
        if passkey is None:
            raise NotBelieved("unknown_passkey")
        count = self.passkeys.signed(challenge, passkey.public_key, passkey.account_id, answer)
        if (count or passkey.sign_count) and count <= passkey.sign_count:
            WENT_BACK.inc()
            log.error("passkey.count_went_back", account=str(passkey.account_id))
            raise NotBelieved("count_went_back")
        person = await people.find(tx, passkey.account_id)
        if person is None or person.state is not State.ACTIVE:
            raise NotBelieved("not_active" if person is None else person.state.value)
        await people.use_passkey(tx, passkey.credential_id, count, now)
        return person

    async def begin_invitation(self, request: Request, browser: str, word: str) -> Invited:
        """Who an invitation is for, and what their authenticator is asked; NOT_FOUND, and recorded, where it counts no more."""
        secret_hash = people.hash_of(word)
        async with self._recorded(request, PERSON_ACTIONS[Act.ACCEPT], "invitation"), transaction(self.engine) as tx:
            found = await people.invited_by_word(tx, secret_hash, self.now())
            if found is None:
                raise _over("invitation")
            person = found[1]
        ends_at = person.invitation_ends_at or self.now()
        profile = self.profiles.open(person.account_id, person.person_key, person.profile)
        about = About("invitation", secret_hash, person.account_id)
        return Invited(person, profile, ends_at, await self.passkeys.ask_new(browser, about, profile.display_name))

    async def accept(self, request: Request, word: str, answer: Answer) -> str:
        """Use an invitation up: keep the passkey, and open the first session; return its cookie. Refused as the parts are."""
        browser, secret_hash = sign_in_cookie(self.settings.secure).read(request.scope), people.hash_of(word)
        async with self._recorded(request, PERSON_ACTIONS[Act.ACCEPT], "invitation"):
            credential = await self.passkeys.made(browser, "invitation", secret_hash, answer)
            async with transaction(self.engine) as tx:
                return await self._accept(tx, request, secret_hash, credential)

    async def _accept(self, tx: Tx, request: Request, secret_hash: bytes, credential: NewCredential) -> str:
        now = self.now()
        found = await people.invited_by_word(tx, secret_hash, now)
        if found is None or found[1].account_id != credential.account_id:
            raise _over("invitation")
        invitation_id, person = found
        active = await people.change(tx, person, Act.ACCEPT, now)
        if active is None or not await people.use_invitation(tx, invitation_id, now):
            raise _over("invitation")
        await self._keep(tx, credential)
        acted = _record(PERSON_ACTIONS[Act.ACCEPT], active, place_of(request.scope), invitation=str(invitation_id))
        await self.outbox.add(tx, now, acted)
        return await self._open(tx, request, active)

    async def begin_first(self, request: Request, browser: str, code: str, display_name: str) -> Options:
        """What the authenticator of the first administrator is asked; NOT_FOUND, and recorded, where the code does not count."""
        code_hash = people.hash_of(people.code_of(code))
        async with self._recorded(request, FIRST, "code"), transaction(self.engine) as tx:
            if not await people.code_counts(tx, code_hash, self.now()):
                raise _over("code")
        about = About("first_administrator", code_hash, new_id())
        return await self.passkeys.ask_new(browser, about, display_name)

    async def first(self, request: Request, code: str, profile: Profile, answer: Answer) -> str:
        """Make who has the code the platform's administrator, while it has none; return the cookie of their first session."""
        browser, code_hash = (
            sign_in_cookie(self.settings.secure).read(request.scope),
            people.hash_of(people.code_of(code)),
        )
        async with self._recorded(request, FIRST, "code"):
            credential = await self.passkeys.made(browser, "first_administrator", code_hash, answer)
            async with transaction(self.engine) as tx:
                await people.lock(tx)
                if not await people.use_code(tx, code_hash, self.now()):
                    raise _over("code")
                return await self._first(tx, request, credential, profile)

    async def _first(self, tx: Tx, request: Request, credential: NewCredential, profile: Profile) -> str:
        now, account_id = self.now(), credential.account_id
        key = self.profiles.new_key(account_id)
        person = Person(
            account_id=account_id,
            role=Role.PLATFORM_ADMIN,
            scope=(),
            state=State.ACTIVE,
            created_at=now,
            person_key=key,
            profile=self.profiles.seal(account_id, key, profile),
        )
        await people.add(tx, person, invited_by=None, now=now)
        await self._keep(tx, credential)
        await self.outbox.add(tx, now, _record(FIRST, person, place_of(request.scope)))
        return await self._open(tx, request, person)

    async def _keep(self, tx: Tx, credential: NewCredential) -> None:
        passkey = Passkey(credential.credential_id, credential.account_id, credential.public_key, credential.sign_count)
        if not await people.add_passkey(tx, passkey, self.now()):
            raise NotBelieved("known_passkey")

    async def _open(self, tx: Tx, request: Request, person: Person) -> str:
        """Let in who has just proved who they are: by the session that this browser has of theirs, under a new cookie, or a new one."""
        value, now, place = new_secret(), self.now(), place_of(request.scope)
        old = session_cookie(self.settings.secure).read(request.scope)
        previous = await queries.live_session(tx, digest(old)) if old else None
        own = previous is not None and previous.account_id == person.account_id
        if previous is not None and own and now < self.sessions.limits.ends_at(previous):
            # It goes on, and its open pages with it; whoever has the cookie of before is out.
            await queries.prove_again(tx, previous.id, digest(value), now)
            await self.outbox.add(tx, now, record("session.prove", previous, place=place, by="passkey"))
            return value
        session = self._session(person)
        await queries.start_session(tx, digest(value), session, device_of(request.headers.get("user-agent", "")))
        if previous is not None:
            await self.sessions.replace_in(tx, previous, session, place)
        started = SessionStarted(session_id=str(session.id), account_id=str(session.account_id))
        await self.outbox.add(tx, now, started, record("session.start", session, place=place, by="passkey"))
        return value

    def _session(self, person: Person) -> queries.Session:
        account, now = person.account, self.now()
        return queries.Session(
            id=new_id(),
            account_id=account.id,
            school_id=account.school_id,
            school_name="",
            department="",
            provider_sid="",
            created_at=now,
            seen_at=now,
            roles=account.roles,
            person_key=account.person_key,
            profile=account.profile,
            authenticated_at=now,
        )

    @asynccontextmanager
    async def _recorded(self, request: Request, action: str, kind: str) -> AsyncIterator[None]:
        """Whoever is refused within stands in the journal, with the reason; who asked is told no more than that."""
        try:
            yield
        except (NotBelieved, Failure) as refusal:
            reason = str(refusal) if isinstance(refusal, NotBelieved) else refusal.name
            log.warning("entrance.refused", action=action, reason=reason)
            self.sessions.denied(Denial(reason, kind, place=place_of(request.scope), action=action))
            if isinstance(refusal, NotBelieved):
                raise refused(reason) from refusal
            raise


def _over(what: str) -> Failure:
    """The same whether it never was, was used, ran out or was withdrawn."""
    return Failure(Code.CODE_NOT_FOUND, f"the {what} does not count")


def _record(action: str, person: Person, place: str, **facts: str) -> audit.Record:
    """A person's own act on the way in."""
    actor = audit.Actor(kind=audit.Actor.KIND_PERSON, id=str(person.account_id), roles=[person.role.value], place=place)
    return audit.Record(
        actor=actor,
        action=action,
        object_kind="account",
        object_id=str(person.account_id),
        outcome=audit.OUTCOME_DONE,
        facts={"role": person.role.value, **facts},
    )
