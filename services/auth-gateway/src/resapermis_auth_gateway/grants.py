"""Grants for background work: how one begins and ends, whichever process ends it: row, secrets, event and record together.

A grant is a row of `token`: an employee's tokens for one school, for work while nobody is signed in (ADR 36). All of it is in
the caller's transaction. The web face gives and withdraws; egress ends what ran out, is refused or is another school's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from prometheus_client import Counter, Gauge

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, Actor, Record
from resapermis.iam.v1.events_pb2 import GrantEnded, GrantEnding, GrantGiven
from resapermis_auth_gateway import tokens
from resapermis_auth_gateway.tables import accounts
from resapermis_auth_gateway.tables import tokens as rows
from resapermis_auth_gateway.tokens import LIVE, SealedPair
from resapermis_kit.database.transaction import Tx
from resapermis_kit.events.outbox import Outbox

WITHDRAWN, REPLACED, RUN_OUT, OTHER_SCHOOL, NO_RIGHT = "withdrawn", "replaced", "run_out", "other_school", "no_right"
OTHER_PROVIDER = "other_provider"
"""Another provider than settings name gave it."""
RDVPERMIS = "rdvpermis"
"""RdvPermis took it no longer, for longer than a disturbance lasts."""
REFUSED = frozenset({RDVPERMIS, "invalid_grant", "refresh_expired", "id_token_refused"})
LOST = frozenset({"answer_lost", "unreadable"})
WARNED_DAYS = (30, 7)
"""So many days before a grant runs out that is said, each once."""
AT_ONCE = 100
GRANT = rows.c.kind == "grant"
COUNTS = Gauge(
    "resapermis_grants",
    "Grants for background work when the leader last looked: live ones that RdvPermis takes, and live ones that it refuses",
    ["state"],
)
SCHOOLS = Gauge(
    "resapermis_grant_schools", "Schools that have a grant which RdvPermis takes, when the leader last looked"
)
ENDED = Counter(
    "resapermis_grants_ended_total", "Grants for background work that ended, by the reason in the journal", ["reason"]
)
for _state in ("live", "refused"):
    COUNTS.labels(_state)
for _reason in (WITHDRAWN, REPLACED, RUN_OUT, OTHER_SCHOOL, NO_RIGHT, OTHER_PROVIDER, *sorted(REFUSED | LOST)):
    ENDED.labels(_reason)  # there from the start, at 0: Prometheus sees no increase in what begins at 1


@dataclass(frozen=True)
class Grant:
    """A grant as its owner and school see it; ended where `ended_at` says so, for `reason`."""

    id: UUID
    given_at: datetime
    ends_at: datetime
    used_at: datetime | None
    refused_at: datetime | None
    """Since when RdvPermis does not take it; None where it does."""
    ended_at: datetime | None
    reason: str
    """As the event GrantEnded names it; "" while it lives."""


@dataclass(frozen=True)
class Live:
    """A live grant, without what it keeps: whoever ends it need not read that."""

    id: UUID
    account_id: UUID
    school_id: str


@dataclass(frozen=True)
class OfSchool:
    """What a school has: how many live grants; how many of them RdvPermis takes, and when the last of these runs out."""

    count: int
    taken: int
    ends_at: datetime | None


def public_reason(reason: str) -> str:
    """Why a grant ended, in the words of GrantEnded: how it was found out is for the journal."""
    return "refused" if reason in REFUSED else "lost" if reason in LOST else reason


async def give(
    tx: Tx,
    outbox: Outbox,
    sealed: SealedPair,
    *,
    account_id: UUID,
    school_id: str,
    ends_at: datetime,
    now: datetime,
    actor: Actor,
) -> bool:
    """Keep fresh tokens as the account's grant at the school, in place of one that it has; False, and nothing, where they are being revoked.

    The caller has locked the account (`lock_owner`).
    """
    if not await tokens.adopt(tx, sealed.token_id):
        return False
    for old in await _live(tx, rows.c.account_id == account_id, rows.c.school_id == school_id):
        await tokens.end_and_revoke(tx, old.id, REPLACED, now)
        await outbox.add(tx, now, _record("grant.end", old.id, school_id, actor, reason=REPLACED))
        ENDED.labels(REPLACED).inc()
    await _lock_count(tx, school_id)
    await tokens.store(tx, sealed, account_id=account_id, school_id=school_id, now=now, ends_at=ends_at)
    given = GrantGiven(grant_id=str(sealed.token_id), account_id=str(account_id), school_id=school_id)
    given.ends_at.FromDatetime(ends_at)
    record = _record("grant.give", sealed.token_id, school_id, actor, ends_at=ends_at.date().isoformat())
    await outbox.add(tx, now, given, record)
    return True


async def lock_owner(tx: Tx, account_id: UUID) -> None:
    """Let one act at a time decide what an account's grants are: a sign-in writes the same row first."""
    await tx.execute(sa.select(accounts.c.id).where(accounts.c.id == account_id).with_for_update(key_share=True))


async def end(
    tx: Tx,
    outbox: Outbox,
    *whose: sa.ColumnElement[bool],
    reason: str,
    now: datetime,
    actor: Actor,
    action: str = "grant.end",
) -> int:
    """End the live grants that fit `whose`, at most a hundred, and have them revoked; return how many."""
    found = await _live(tx, *whose)
    for school_id in sorted({one.school_id for one in found}):
        await _lock_count(tx, school_id)
    for one in found:
        await tokens.end_and_revoke(tx, one.id, reason, now)
        await say_ended(tx, outbox, one, reason, now, actor=actor, action=action)
    return len(found)


async def any_of(tx: Tx, *whose: sa.ColumnElement[bool]) -> bool:
    """Whether a live grant fits `whose`."""
    return bool((await tx.execute(sa.select(sa.exists(rows.c.id).where(GRANT, LIVE, *whose)))).scalar())


async def say_ended(
    tx: Tx,
    outbox: Outbox,
    grant: Live | tokens.Token,
    reason: str,
    now: datetime,
    *,
    actor: Actor,
    action: str = "grant.end",
) -> None:
    """Event and record of a grant whose row has just been ended.

    One end of a school's at a time says how many are left: of two at once each would still count the other.
    """
    await _lock_count(tx, grant.school_id)
    left = (await of_school(tx, grant.school_id, now)).count
    ended = GrantEnded(
        grant_id=str(grant.id),
        account_id=str(grant.account_id),
        school_id=grant.school_id,
        reason=public_reason(reason),
        left=left,
    )
    facts = {"reason": reason, "account": str(grant.account_id)}
    await outbox.add(tx, now, ended, _record(action, grant.id, grant.school_id, actor, **facts))
    ENDED.labels(reason).inc()


async def warn(tx: Tx, outbox: Outbox, now: datetime) -> None:
    """Say of grants that run out soon that they do: once 30 and once 7 days before, of a hundred at most."""
    for days in reversed(WARNED_DAYS):  # of one that was never warned of, the nearer warning alone
        unsaid = sa.or_(rows.c.warned_days.is_(None), rows.c.warned_days > days)
        for one in await _live(tx, rows.c.ends_at.between(now, now + timedelta(days=days)), unsaid):
            said = sa.update(rows).where(rows.c.id == one.id).values(warned_days=days).returning(rows.c.ends_at)
            ending = GrantEnding(grant_id=str(one.id), account_id=str(one.account_id), school_id=one.school_id)
            ending.ends_at.FromDatetime((await tx.execute(said)).scalar_one())
            await outbox.add(tx, now, ending)


async def newest(tx: Tx, account_id: UUID, school_id: str) -> Grant | None:
    """The account's grant at the school: the live one, else the one that was given last; None: never."""
    statement = (
        sa.select(
            rows.c.id,
            rows.c.created_at,
            rows.c.ends_at,
            rows.c.used_at,
            rows.c.refused_at,
            rows.c.dead_at,
            rows.c.reason,
        )
        .where(GRANT, rows.c.account_id == account_id, rows.c.school_id == school_id)
        .order_by(LIVE.desc(), rows.c.created_at.desc())
        .limit(1)
    )
    row = (await tx.execute(statement)).one_or_none()
    if row is None:
        return None
    reason = public_reason(row.reason or "")
    return Grant(row.id, row.created_at, row.ends_at, row.used_at, row.refused_at, row.dead_at, reason)


async def of_school(tx: Tx, school_id: str, now: datetime) -> OfSchool:
    """What background work of a school has at `now`."""
    live = (GRANT, LIVE, rows.c.school_id == school_id, rows.c.ends_at > now)
    taken = rows.c.refused_at.is_(None)
    counted = (sa.func.count(), sa.func.count().filter(taken), sa.func.max(rows.c.ends_at).filter(taken))
    row = (await tx.execute(sa.select(*counted).where(*live))).one()
    return OfSchool(int(row[0]), int(row[1]), row[2])


async def measure(tx: Tx, now: datetime) -> None:
    """Set the gauges of grants that live at `now`, and of schools that have one."""
    taken = rows.c.refused_at.is_(None)
    of_all = sa.select(
        sa.func.count().filter(taken),
        sa.func.count().filter(~taken),
        sa.func.count(rows.c.school_id.distinct()).filter(taken),
    ).where(GRANT, LIVE, rows.c.ends_at > now)
    live, not_taken, schools = (await tx.execute(of_all)).one()
    COUNTS.labels("live").set(live)
    COUNTS.labels("refused").set(not_taken)
    SCHOOLS.set(schools)


async def used(tx: Tx, grant_id: UUID, now: datetime) -> None:
    """Note the hour in which a grant was used, once in it, and that RdvPermis takes it."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    news = sa.or_(rows.c.used_at.is_(None), rows.c.used_at < hour, rows.c.refused_at.is_not(None))
    await tx.execute(sa.update(rows).where(rows.c.id == grant_id, LIVE, news).values(used_at=hour, refused_at=None))


async def refused(tx: Tx, grant_id: UUID, now: datetime) -> datetime | None:
    """Note that RdvPermis does not take a grant; return since when, None where it is no live grant."""
    statement = (
        sa.update(rows)
        .where(rows.c.id == grant_id, GRANT, LIVE)
        .values(refused_at=sa.func.coalesce(rows.c.refused_at, now))
        .returning(rows.c.refused_at)
    )
    since: datetime | None = (await tx.execute(statement)).scalar()
    return since


async def _lock_count(tx: Tx, school_id: str) -> None:
    """Let one transaction at a time change how many live grants a school has and say so; after its rows are locked."""
    await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"grants {school_id}", 0))))


async def _live(tx: Tx, *whose: sa.ColumnElement[bool]) -> Sequence[Live]:
    columns = (rows.c.id, rows.c.account_id, rows.c.school_id)
    statement = sa.select(*columns).where(GRANT, LIVE, *whose).order_by(rows.c.id).limit(AT_ONCE).with_for_update()
    return [Live(*row) for row in await tx.execute(statement)]


def _record(action: str, grant_id: UUID, school_id: str, actor: Actor, **facts: str) -> Record:
    return Record(
        actor=actor,
        action=action,
        object_kind="grant",
        object_id=str(grant_id),
        school_id=school_id,
        outcome=OUTCOME_DONE,
        facts=facts,
    )
