"""A session's life: opened at sign-in, used, ended by the person, by time, or by the provider."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from resapermis.audit.v1 import events_pb2 as audit
from resapermis.iam.v1.events_pb2 import SessionEnded
from resapermis_auth_gateway import store, tokens
from resapermis_auth_gateway.settings import Settings
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Failure

if TYPE_CHECKING:
    from resapermis_auth_gateway.web.gateway import Gateway

TOUCH_EVERY = timedelta(minutes=1)
REVOCATION_PAUSES = (0.0, 1.0, 5.0, 25.0)
"""Seconds before each try to tell the provider that a token is over; beyond, the token's own end does."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Limits:
    """How long sessions last."""

    idle: timedelta
    absolute: timedelta

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """As the deployment says."""
        return cls(
            timedelta(seconds=settings.session_idle_seconds), timedelta(seconds=settings.session_absolute_seconds)
        )

    def ends_at(self, session: store.Session) -> datetime:
        """When it ends unless used."""
        return min(session.seen_at + self.idle, session.created_at + self.absolute)

    def cause(self, session: store.Session) -> str:
        """Which limit it meets first."""
        return "expired" if session.created_at + self.absolute <= session.seen_at + self.idle else "idle"


async def find(gateway: "Gateway", cookie_hash: bytes, *, act: bool) -> store.Session | None:
    """The live session of a cookie. An act moves its idle limit (written at most once a minute)."""
    now, limits = gateway.now(), Limits.of(gateway.settings)
    session = await store.session_of(gateway.engine, cookie_hash)
    if session is None or now >= limits.ends_at(session):
        return None
    if act and now - session.seen_at >= TOUCH_EVERY:
        async with transaction(gateway.engine) as tx:
            await store.touch(tx, session.id, now)
        session = replace(session, seen_at=now)
    return session


async def still_stands(gateway: "Gateway", session_id: UUID) -> bool:
    """Whether a session that was found earlier still lives: for feeds, should the bus be deaf."""
    now, limits = gateway.now(), Limits.of(gateway.settings)
    return await store.is_live(gateway.engine, session_id, now - limits.idle, now - limits.absolute)


def record(
    action: str,
    session: store.Session,
    *,
    outcome: audit.Outcome.ValueType = audit.OUTCOME_DONE,
    by_system: bool = False,
    place: str = "",
    **facts: str,
) -> audit.Record:
    """What the journal keeps of a session."""
    actor = (
        audit.Actor(kind=audit.Actor.KIND_SYSTEM, id="auth-gateway", on_behalf_of=session.school_id)
        if by_system
        else audit.Actor(
            kind=audit.Actor.KIND_PERSON,
            id=str(session.account_id),
            roles=session.roles,
            on_behalf_of=session.school_id,
            place=place,
        )
    )
    return audit.Record(
        actor=actor,
        action=action,
        object_kind="session",
        object_id=str(session.id),
        school_id=session.school_id,
        outcome=outcome,
        facts=facts,
    )


async def end_in(
    tx: Tx, gateway: "Gateway", session: store.Session, cause: str, *, by_system: bool, place: str = ""
) -> list[str]:
    """End a session in the caller's transaction; return the tokens to revoke after its commit."""
    now = gateway.now()
    if not await store.end_session(tx, session.id, cause, now):
        return []
    secrets = await tokens.drop(tx, gateway.vault, reason=cause, now=now, session_id=session.id)
    ended = SessionEnded(
        session_id=str(session.id), account_id=str(session.account_id), school_id=session.school_id, cause=cause
    )
    said = record("session.end", session, by_system=by_system, place=place, cause=cause)
    await gateway.outbox.add(tx, now, ended, said)
    return secrets


async def end(gateway: "Gateway", session: store.Session, cause: str, *, by_system: bool, place: str = "") -> None:
    """End a session here and everywhere: its row, its tokens, its feeds."""
    async with transaction(gateway.engine) as tx:
        secrets = await end_in(tx, gateway, session, cause, by_system=by_system, place=place)
    gateway.live.end(str(session.id))  # this replica does not wait for the bus
    revoke_soon(gateway, secrets)


async def end_overdue(gateway: "Gateway") -> None:
    """End the sessions whose time is over. Run every few seconds by one replica."""
    limits = Limits.of(gateway.settings)
    now = gateway.now()
    async with transaction(gateway.engine) as tx:
        late = await store.overdue(tx, now - limits.idle, now - limits.absolute)
    for session in late:
        await end(gateway, session, limits.cause(session), by_system=True)


def revoke_soon(gateway: "Gateway", secrets: Sequence[str]) -> None:
    """Tell the provider in the background: a person's sign-out does not wait for it."""
    for secret in secrets:
        task = asyncio.create_task(_revoke(gateway, secret))
        gateway.background.add(task)
        task.add_done_callback(gateway.background.discard)


async def _revoke(gateway: "Gateway", secret: str) -> None:
    for pause in REVOCATION_PAUSES:
        await asyncio.sleep(pause)
        try:
            await gateway.provider.revoke(secret)
        except Failure as failure:
            log.warning("session.revocation_delayed", error_code=failure.name)
        else:
            return
    log.error("session.not_revoked")
