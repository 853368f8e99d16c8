"""Fresh access tokens for calls: opened from rows, renewed by one caller whoever else waits, dropped when they ended.

The row's lease makes one refresh among replicas, a lock one among this process's callers; no transaction is open
while the provider is asked. An opened token is remembered for less than a second, because a sign-out must hold
everywhere within one (security.md).
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID
from weakref import WeakValueDictionary

import sqlalchemy as sa
import structlog
from cachetools import TTLCache
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_FAILED, Actor, Outcome, Record
from resapermis_auth_gateway import accounts, grants, tokens
from resapermis_auth_gateway.egress.oidc.provider import Provider, RefreshEnded
from resapermis_auth_gateway.session_end import end_session, sessions_of_other_providers
from resapermis_auth_gateway.tables import tokens as rows
from resapermis_auth_gateway.tokens import Kind, Token, TokenPair
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.batcher import Batcher
from resapermis_kit.rpc.deadline import deadline, remaining_seconds
from resapermis_vault.errors import Unreadable
from resapermis_vault.kek import KeyEncryption

EARLY = timedelta(seconds=30)
"""A token is renewed so long before its end."""
STILL_GOOD = timedelta(seconds=5)
"""While another renews it, a token is used until so long before its end."""
RENEW_BEFORE = timedelta(minutes=10)
"""A refresh token nobody used is traded so long before its end, so that a session outlives a quiet half hour."""
REFRESH_SECONDS = 12.0
"""For a whole refresh, whoever waits for it: shorter than the row's lease, so that its end can still be written."""
REFUSED_LONG = timedelta(days=1)
"""A grant that RdvPermis refuses for so long is over; less may be RdvPermis' own trouble, and it is not used meanwhile."""
OTHER_SCHOOL = "other_school"
"""Why a session ends whose owner RdvPermis counts to another school."""
OTHER_PROVIDER = grants.OTHER_PROVIDER
"""Why a session ends whose owner signed in at a provider that settings no longer name."""
SYSTEM = Actor.KIND_SYSTEM
REMEMBERED_SECONDS = 0.9
REMEMBERED_MOST = 20_000
log = structlog.get_logger()
REFRESHES = Counter("resapermis_token_refreshes_total", "Refreshes of RdvPermis tokens", ["outcome"])
for _outcome in (
    "renewed",
    "failed",
    "refresh_expired",
    "invalid_grant",
    "answer_lost",
    "id_token_refused",
    "unreadable",
):
    REFRESHES.labels(_outcome)  # there from the start, at 0: Prometheus sees no increase in what begins at 1


@dataclass(frozen=True)
class TokenOwner:
    """For whom a call is made: a person's session, or (none) a school, unasked."""

    session_id: UUID | None
    school_id: str

    @property
    def urgent(self) -> bool:
        """Whether a person waits for the answer (a session is named), so that background work goes after it."""
        return self.session_id is not None


@dataclass(frozen=True)
class Access:
    """An access token in clear, for one call; never stored, never in a repr."""

    token_id: UUID
    employee: str
    """Account id: RdvPermis counts an employee's calls, whichever of their sessions makes them."""
    school_id: str
    value: str = field(repr=False)
    expires_at: datetime
    kind: Kind = "session"


class TokenStore:
    """Access tokens for calls, by session or school: read from the database, renewed by the holder of a row's lease."""

    def __init__(
        self,
        engine: AsyncEngine,
        vault: KeyEncryption,
        provider: Provider,
        outbox: Outbox,
        denied: Callable[[Denial], None],
        now: Clock,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember nothing yet. `denied` is told of refreshes that failed and may be tried again."""
        self._engine, self._vault, self._provider, self._denied = engine, vault, provider, denied
        self._outbox, self._now, self._clock = outbox, now, clock
        # Read after they ask, one batch for those who ask in the same moment: what ended before is not found.
        self._of_sessions: Batcher[UUID, Token | None] = Batcher(partial(tokens.of_sessions, engine, provider.issuer))
        self._opened: TTLCache[UUID, Access] = TTLCache(REMEMBERED_MOST, REMEMBERED_SECONDS, timer=clock)
        self._schools: TTLCache[str, list[Token]] = TTLCache(REMEMBERED_MOST, REMEMBERED_SECONDS, timer=clock)
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._refreshing: set[asyncio.Task[Access]] = set()

    def _lock(self, key: Hashable) -> asyncio.Lock:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    async def by_turn(self, school_id: str, calls_left: Callable[[str], int], calls: int) -> list[Token]:
        """Live tokens of a school, in the order in which work that nobody asked for uses them; none is opened.

        Whose owner has `calls` left goes first: grants, then whoever has most. Who has too few comes last, to be waited for.
        """

        def turn(token: Token) -> tuple[bool, bool, int]:
            left = calls_left(str(token.account_id))
            return left < calls, token.kind != "grant", -left

        return sorted(await self.of_school(school_id), key=turn)

    async def of_session(self, session_id: UUID, school_id: str) -> Access:
        """A session's token, good for half a minute or more; RECONNECT_NEEDED when it has none for this school."""
        found = self._remembered(session_id, school_id)
        if found is not None:
            return found
        async with self._lock(session_id):
            found = self._remembered(session_id, school_id)
            if found is not None:
                return found
            token = await self._of_sessions.submit(session_id)
            if token is None or token.school_id != school_id:
                raise reconnect()
            access = await self.ready(token)
            self._opened[session_id] = access
            return access

    def _remembered(self, session_id: UUID, school_id: str) -> Access | None:
        access = self._opened.get(session_id)
        if access is None or access.school_id != school_id:
            return None
        return access if access.expires_at - self._now() > EARLY else None

    async def of_school(self, school_id: str) -> list[Token]:
        """Live tokens of a school, remembered for less than a second."""
        held = self._schools.get(school_id)
        if held is not None:
            return held
        async with self._lock(school_id):
            held = self._schools.get(school_id)
            if held is None:
                held = self._schools[school_id] = await tokens.of_school(
                    self._engine, self._provider.issuer, school_id, self._now()
                )
            return held

    async def employees(self, who: TokenOwner) -> list[str]:
        """Account ids whose tokens could be used for `who`; nothing is renewed."""
        if who.session_id is None:
            return [str(token.account_id) for token in await self.of_school(who.school_id)]
        found = self._remembered(who.session_id, who.school_id)
        if found is not None:
            return [found.employee]
        token = await self._of_sessions.submit(who.session_id)
        return [] if token is None or token.school_id != who.school_id else [str(token.account_id)]

    async def renew(self, refused: Access) -> Access:
        """RdvPermis answered 401 to this token: return another, or RECONNECT_NEEDED."""
        for session_id in list(self._opened):  # by key: an entry may expire between any two looks at the clock
            kept = self._opened.get(session_id)
            if kept is not None and kept.token_id == refused.token_id:
                self._opened.pop(session_id, None)
        self._schools.pop(refused.school_id, None)
        async with transaction(self._engine) as tx:
            token = await tokens.by_id(tx, self._provider.issuer, refused.token_id)
        if token is None:
            raise reconnect()
        return await self.ready(token, refused.value)

    async def ready(self, token: Token, refused: str = "") -> Access:
        """Open what is fresh enough; else renew it, or wait for whoever does. RECONNECT_NEEDED where it is over."""
        try:
            access = self._open(token)
        except Failure:
            if token.kind == "grant":  # no sign-in would ever replace it
                await self._end(token, "unreadable")
            else:
                REFRESHES.labels("unreadable").inc()  # each try: a keyset that is not ours signs everybody out
            raise
        if self._fresh(access, refused):
            return access
        async with self._lock(token.id):
            until = self._clock() + min(remaining_seconds() - 0.1, tokens.LEASE.total_seconds())
            pause = 0.05
            while True:
                current = await self._reload(token.id)
                access = self._open(current)
                if self._fresh(access, refused):
                    return access
                if current.lost(self._now()):
                    await self._end(current, "answer_lost")
                    raise reconnect()
                async with transaction(self._engine) as tx:
                    leased = await tokens.lease(tx, current, self._now())
                if leased is not None:
                    return await self._renew_whatever_happens(current, leased, refused)
                if access.value != refused and access.expires_at - self._now() > STILL_GOOD:
                    return access
                if self._clock() + pause > until:
                    raise Failure(Code.CODE_RDVPERMIS_DOWN, "the token is being renewed elsewhere; try again shortly")
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.4)

    def _fresh(self, access: Access, refused: str) -> bool:
        return access.value != refused and access.expires_at - self._now() > EARLY

    async def _reload(self, token_id: UUID) -> Token:
        async with transaction(self._engine) as tx:
            token = await tokens.by_id(tx, self._provider.issuer, token_id)
        if token is None:
            raise reconnect()
        return token

    def _open(self, token: Token) -> Access:
        try:
            value = tokens.open_access(self._vault, token)
        except Unreadable:
            log.error("token.unreadable", kind=token.kind)
            raise reconnect() from None
        return Access(token.id, str(token.account_id), token.school_id, value, token.access_expires_at, token.kind)

    async def _renew_whatever_happens(self, token: Token, leased: datetime, refused: str) -> Access:
        """A caller that gives up must not lose the pair which the provider is about to hand out."""
        task = asyncio.create_task(self._renew_patiently(token, leased, refused))
        self._refreshing.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Access]) -> None:
        self._refreshing.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may be left

    async def _renew_patiently(self, token: Token, leased: datetime, refused: str) -> Access:
        """In a task of its own: an answer that came too late for a hurried caller would be a lost one."""
        deadline.set(time.monotonic() + REFRESH_SECONDS)
        return await self._renew(token, leased, refused)

    async def _renew(self, token: Token, leased: datetime, refused: str) -> Access:
        if not token.renewable(self._now()):
            await self._end(token, "refresh_expired")
            raise reconnect()
        async with transaction(self._engine) as tx:
            _, subject = await accounts.person_of(tx, token.account_id)
        try:
            refresh_token = tokens.open_refresh(self._vault, token)
        except Unreadable:  # nothing can ever renew it
            log.error("token.unreadable", kind=token.kind)
            await self._end(token, "unreadable")
            raise reconnect() from None
        try:
            pair = await self._provider.refresh(refresh_token, subject)
        except RefreshEnded as ended:
            await self._end(token, ended.reason, ended.left_over)
            raise reconnect() from None
        except Failure as failure:
            REFRESHES.labels("failed").inc()
            facts = (("kind", token.kind), ("account", str(token.account_id)))
            self._denied(
                Denial(
                    failure.name,
                    "token",
                    str(token.id),
                    facts=facts,
                    action="token.refresh",
                    outcome=OUTCOME_FAILED,
                )
            )
            async with transaction(self._engine) as tx:
                await tokens.release(tx, token.id, leased)
            access = self._open(token)
            if access.value != refused and access.expires_at - self._now() > STILL_GOOD:
                return access  # the provider fails, the token still holds
            raise
        if not await self._written(token, leased, pair):
            raise reconnect()
        REFRESHES.labels("renewed").inc()
        self._schools.pop(token.school_id, None)
        return Access(token.id, str(token.account_id), token.school_id, pair.access, pair.access_expires_at, token.kind)

    async def _written(self, token: Token, leased: datetime, pair: TokenPair) -> bool:
        """Write the new pair down, trying until the lease ends: the provider never hands it out again.

        False where the session ended meanwhile: what was just handed out must not outlive it.
        """
        sealed, now = tokens.seal(self._vault, token.id, pair), self._now()
        while True:
            try:
                async with transaction(self._engine) as tx:
                    written = await tokens.renewed(tx, sealed, leased)
                    if written:
                        await self._outbox.add(tx, now, _refresh_record(token, OUTCOME_DONE))
                    else:
                        await tokens.revoke_later(tx, sealed, now)
            except Failure as failure:
                log.warning("token.not_written", code=failure.name)
                if self._now() >= leased:
                    raise
                await asyncio.sleep(0.2)
            else:
                return written

    async def _end(self, token: Token, reason: str, left_over: str = "") -> None:
        """End a token once, with its record, and the session that acted with it; `left_over` came instead and is to be revoked."""
        REFRESHES.labels(reason).inc()
        self._schools.pop(token.school_id, None)
        if token.session_id is not None:
            self._opened.pop(token.session_id, None)
        record = _refresh_record(token, OUTCOME_FAILED, reason=reason)
        record.school_id = token.school_id  # its people sign in again
        now = self._now()
        async with transaction(self._engine) as tx:
            if token.session_id is not None:  # before the token, as a sign-out does it
                await end_session(tx, self._outbox, token.session_id, "grant", now, actor=record.actor, reason=reason)
            if await tokens.end_token(tx, token.id, reason, now):
                await self._outbox.add(tx, now, record)
                if token.kind == "grant":
                    await grants.say_ended(tx, self._outbox, token, reason, now, actor=record.actor)
                    if reason == "answer_lost":  # what the provider answered may live for a month
                        await tokens.revoke_later(tx, token.sealed, now)
            if left_over:
                pair = TokenPair("", now, left_over, None)
                await tokens.revoke_later(tx, tokens.seal(self._vault, token.id, pair), now)
        log.warning("rdvpermis.reconnect_needed", reason=reason, kind=token.kind)

    async def confirmed(self, access: Access) -> None:
        """RdvPermis counts the owner of this token to its school: what is kept of a grant's use says so, to the hour."""
        self._schools.pop(access.school_id, None)  # its rows say it too
        if access.kind == "grant":
            async with transaction(self._engine) as tx:
                await grants.used(tx, access.token_id, self._now())

    async def not_taken(self, access: Access) -> None:
        """RdvPermis refuses whoever has this token; a grant that it refuses for a day ends."""
        self._schools.pop(access.school_id, None)  # its rows say it too
        if access.kind != "grant":
            return
        now = self._now()
        async with transaction(self._engine) as tx:
            since = await grants.refused(tx, access.token_id, now)
            if since is not None and now - since >= REFUSED_LONG:
                await self._end_grants(tx, rows.c.id == access.token_id, reason=grants.RDVPERMIS)

    async def elsewhere(self, access: Access) -> None:
        """RdvPermis counts the owner of this token to another school: the grant, or the session that acts with it, ends."""
        self._schools.pop(access.school_id, None)
        now, actor = self._now(), Actor(kind=SYSTEM, id="egress", on_behalf_of=access.school_id)
        async with transaction(self._engine) as tx:
            token = await tokens.by_id(tx, self._provider.issuer, access.token_id)
            if token is None:
                return
            if token.session_id is None:
                await self._end_grants(tx, rows.c.id == token.id, reason=grants.OTHER_SCHOOL)
                return
            await end_session(tx, self._outbox, token.session_id, OTHER_SCHOOL, now, actor=actor)
            await tokens.end_tokens(tx, session_id=token.session_id, reason=OTHER_SCHOOL, now=now)
            self._opened.pop(token.session_id, None)

    async def end_other_providers(self) -> None:
        """End the sessions and grants that another provider than ours gave: we can renew none of them, and ours is never sent one.

        Only once ours has shown itself by its document: a slip in the settings ends nothing. RDVPERMIS_DOWN until then.
        """
        issuer, now, actor = self._provider.issuer, self._now(), Actor(kind=SYSTEM, id="egress")
        others = ~tokens.given_by(issuer)
        async with transaction(self._engine) as tx:
            if not (await sessions_of_other_providers(tx, issuer) or await grants.any_of(tx, others)):
                return
        await self._provider.confirm()
        while True:
            async with transaction(self._engine) as tx:
                found = await sessions_of_other_providers(tx, issuer)
                for session_id in found:
                    await end_session(tx, self._outbox, session_id, OTHER_PROVIDER, now, actor=actor)
                    await tokens.end_tokens(tx, session_id=session_id, reason=OTHER_PROVIDER, now=now)
                ended = await grants.end(tx, self._outbox, others, reason=OTHER_PROVIDER, now=now, actor=actor)
            if not found and not ended:
                return
            log.warning("other_provider.ended", sessions=len(found), grants=ended)

    async def end_run_out(self) -> None:
        """End grants whose time is over, say which run out soon, count the rest. Run every minute by one replica; what is over is not used before that."""
        now = self._now()
        async with transaction(self._engine) as tx:
            await self._end_grants(tx, rows.c.ends_at <= now, reason=grants.RUN_OUT)
            await grants.warn(tx, self._outbox, now)
            await grants.measure(tx, now)

    async def _end_grants(self, tx: Tx, which: sa.ColumnElement[bool], *, reason: str) -> None:
        actor = Actor(kind=SYSTEM, id="egress")
        await grants.end(tx, self._outbox, which, reason=reason, now=self._now(), actor=actor)

    async def renew_ending(self) -> None:
        """Trade refresh tokens that end soon, or that nobody used for a day, one after the other; one that fails does not stop the rest."""
        now = self._now()
        async with transaction(self._engine) as tx:
            soon = await tokens.expiring(tx, self._provider.issuer, now + RENEW_BEFORE, now)
        for token in soon:
            try:
                await self._renew_now(token)
            except Failure as failure:
                log.info("token.not_renewed", code=failure.name)

    async def _renew_now(self, token: Token) -> None:
        try:
            held = self._open(token).value
        except Failure:
            held = ""  # `ready` finds the same, and ends what only it can
        await self.ready(token, held)

    async def forget_old(self) -> None:
        """Rows that died a year ago go."""
        async with transaction(self._engine) as tx:
            await tokens.forget_old(tx, self._now())


def _refresh_record(token: Token, outcome: Outcome.ValueType, **facts: str) -> Record:
    return Record(
        actor=Actor(kind=Actor.KIND_SYSTEM, id="egress", on_behalf_of=token.school_id),
        action="token.refresh",
        object_kind="token",
        object_id=str(token.id),
        outcome=outcome,
        facts={"kind": token.kind, "account": str(token.account_id), **facts},
    )


def reconnect() -> Failure:
    """No token of the school, or of the session, that RdvPermis takes."""
    return Failure(Code.CODE_RECONNECT_NEEDED, "RdvPermis wants an employee of the school to sign in again")
