"""A session's life: opened at sign-in, used, ended by the person, by time, or by the provider."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1 import events_pb2 as audit
from resapermis_auth_gateway import tokens
from resapermis_auth_gateway.session_end import end_session
from resapermis_auth_gateway.settings import SERVICE
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.batcher import Batcher

TOUCH_EVERY = timedelta(minutes=1)
SIGNED_OUT, ENDED_ELSEWHERE = "signed_out", "ended_elsewhere"
"""Why a session ends by its owner: there, or from another one of theirs."""
REPLACED = "replaced"
"""Why a session ends in whose browser somebody signed in: the same person, or another."""


@dataclass(frozen=True)
class Limits:
    """How long a session lasts: `idle` from the last act, `absolute` from the sign-in."""

    idle: timedelta
    absolute: timedelta

    @classmethod
    def of(cls, settings: WebSettings) -> "Limits":
        """From `session_idle_seconds` and `session_absolute_seconds`."""
        return cls(
            timedelta(seconds=settings.session_idle_seconds), timedelta(seconds=settings.session_absolute_seconds)
        )

    def ends_at(self, session: queries.Session) -> datetime:
        """When the session ends if nobody acts again: the earlier of the two limits."""
        return min(session.seen_at + self.idle, session.created_at + self.absolute)

    def cause(self, session: queries.Session) -> str:
        """Which limit ends the session first, as the journal names it: "expired" (absolute) or "idle"."""
        return "expired" if session.created_at + self.absolute <= session.seen_at + self.idle else "idle"


def person(session: queries.Session, place: str) -> audit.Actor:
    """Who acts in a session, from `place` (the network that they come from)."""
    return audit.Actor(
        kind=audit.Actor.KIND_PERSON,
        id=str(session.account_id),
        roles=session.roles,
        on_behalf_of=session.of_school,
        place=place,
    )


def system(session: queries.Session) -> audit.Actor:
    """This service, which ends a session by itself."""
    return audit.Actor(kind=audit.Actor.KIND_SYSTEM, id=SERVICE, on_behalf_of=session.of_school)


def denial_of(reason: str, session: queries.Session, place: str) -> Denial:
    """What a session was refused; the caller says what that was."""
    return Denial(
        reason,
        account_id=str(session.account_id),
        session_id=str(session.id),
        school_id=session.of_school,
        roles=session.roles,
        place=place,
    )


def record(action: str, session: queries.Session, *, place: str = "", **facts: str) -> audit.Record:
    """What the journal keeps of a session."""
    return audit.Record(
        actor=person(session, place),
        action=action,
        object_kind="session",
        object_id=str(session.id),
        school_id=session.of_school,
        outcome=audit.OUTCOME_DONE,
        facts=facts,
    )


@dataclass(frozen=True)
class Sessions:
    """The sessions of this database; tokens end with them."""

    settings: WebSettings
    engine: AsyncEngine
    of_cookie: Batcher[bytes, queries.Session | None]
    """Finds the session of a cookie's hash: read after it is asked, so that what ended before is not found."""
    outbox: Outbox
    denied: Callable[[Denial], None]
    """Is told of what is refused, for the journal."""
    close_feeds: Callable[[str], None]
    """Closes the live feeds that a session has on this replica; others close theirs when the event arrives."""
    now: Clock

    @property
    def limits(self) -> Limits:
        """The limits that this deployment's settings give."""
        return Limits.of(self.settings)

    async def find(self, cookie_hash: bytes, *, act: bool) -> queries.Session | None:
        """The live session of a cookie. An act moves its idle limit (written at most once a minute)."""
        now, limits = self.now(), self.limits
        session = await self.of_cookie.submit(cookie_hash)
        if session is None or now >= limits.ends_at(session):
            return None
        if act and now - session.seen_at >= TOUCH_EVERY:
            async with transaction(self.engine) as tx:
                await queries.touch(tx, session.id, now)
            session = replace(session, seen_at=now)
        return session

    async def is_live(self, session_id: UUID) -> bool:
        """Whether a session that was found earlier still lives: for feeds, should the bus be deaf."""
        now, limits = self.now(), self.limits
        return await queries.is_live(self.engine, session_id, now - limits.idle, now - limits.absolute)

    async def end_in(self, tx: Tx, session: queries.Session, cause: str, *, actor: audit.Actor | None = None) -> None:
        """End a session in the caller's transaction; egress has its tokens revoked afterwards. `actor`: whose act it is; None: ours."""
        now, actor = self.now(), actor or system(session)
        if await end_session(tx, self.outbox, session.id, cause, now, actor=actor):
            await tokens.end_tokens(tx, session_id=session.id, reason=cause, now=now)

    async def end(self, session: queries.Session, cause: str, *, actor: audit.Actor | None = None) -> None:
        """End a session here and everywhere: its row, its tokens, its feeds. `actor`: whose act it is; None: ours."""
        async with transaction(self.engine) as tx:
            await self.end_in(tx, session, cause, actor=actor)
        self.close_feeds(str(session.id))  # this replica does not wait for the bus

    async def replace_in(self, tx: Tx, previous: queries.Session, session: queries.Session, place: str) -> None:
        """End the session that this browser had before: by the act of its owner where they signed in anew, else of nobody's of its own."""
        limits = self.limits
        if self.now() >= limits.ends_at(previous):  # over, and nobody swept it yet
            await self.end_in(tx, previous, limits.cause(previous))
            return
        own = previous.account_id == session.account_id
        await self.end_in(tx, previous, REPLACED, actor=person(session, place) if own else None)

    async def of_owner(self, session: queries.Session) -> list[queries.OwnSession]:
        """The sessions of whoever has this one: it comes first, the others by last act."""
        now, limits = self.now(), self.limits
        async with transaction(self.engine) as tx:
            found = await queries.sessions_of(tx, session.account_id, now - limits.idle, now - limits.absolute)
        return sorted(found, key=lambda one: one.id != session.id)

    async def end_own(self, session: queries.Session, session_id: UUID, *, place: str) -> None:
        """End the session `session_id` of whoever has `session`; NOT_FOUND, and recorded, where it is none of theirs."""
        async with transaction(self.engine) as tx:
            found = await queries.live_session_of(tx, session.account_id, session_id)
        if found is None:
            refused = denial_of("not_found", session, place)
            self.denied(replace(refused, action="session.end", object_kind="session", object_id=str(session_id)))
            raise Failure(Code.CODE_NOT_FOUND, "no live session of this person")
        cause = SIGNED_OUT if session_id == session.id else ENDED_ELSEWHERE
        await self.end(found, cause, actor=person(session, place))

    async def end_overdue(self) -> None:
        """End the sessions whose time is over. Run every few seconds by one replica."""
        limits = self.limits
        now = self.now()
        async with transaction(self.engine) as tx:
            late = await queries.overdue(tx, now - limits.idle, now - limits.absolute)
        for session in late:
            await self.end(session, limits.cause(session))

    async def forget_old(self) -> None:
        """Delete sessions that ended a year ago."""
        async with transaction(self.engine) as tx:
            await queries.forget_old(tx, self.now())
