"""One function a question to the database, given a transaction."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_kit.database.transaction import Tx
from resapermis_notification.domain import (
    EVERYBODY,
    Audience,
    DeliveryOutcome,
    DueDelivery,
    NewDelivery,
    NewNotice,
    Reader,
    StoredNotice,
)
from resapermis_notification.tables import deliveries, notices, reads

RETENTION = timedelta(days=365)
MOST_UNREAD = 1000
"""Unread notices are counted up to here."""
PURGED_AT_ONCE = 5000

_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('notice number', 0))")
_ADD_NOTICES = sa.text(
    "INSERT INTO notice (id, event_id, school_id, kind, level, facts, candidate_id, object_id, text_fr, text_en, "
    "occurred_at, account_id, managers_only, posted_at) "
    "SELECT id, event_id, school_id, kind, level, CAST(facts AS jsonb), candidate_id, object_id, text_fr, text_en, "
    "occurred_at, account_id, managers_only, CAST(:now AS timestamptz) FROM unnest("
    "CAST(:id AS uuid[]), CAST(:event_id AS uuid[]), CAST(:school_id AS text[]), CAST(:kind AS text[]), "
    "CAST(:level AS text[]), CAST(:facts AS text[]), CAST(:candidate_id AS text[]), CAST(:object_id AS text[]), "
    "CAST(:text_fr AS text[]), CAST(:text_en AS text[]), CAST(:occurred_at AS timestamptz[]), "
    "CAST(:account_id AS text[]), CAST(:managers_only AS boolean[])) WITH ORDINALITY AS fresh (id, event_id, school_id, "
    "kind, level, facts, candidate_id, object_id, text_fr, text_en, occurred_at, account_id, managers_only, position) "
    "ORDER BY position ON CONFLICT (event_id) DO NOTHING RETURNING id"
)
_ADD_DELIVERIES = sa.text(
    "INSERT INTO delivery (id, notice_id, audience, recipient_id, outcome, attempts, problem, due_at, created_at) "
    "SELECT id, notice_id, audience, recipient_id, 'waiting', 0, '', CAST(:now AS timestamptz), CAST(:now AS timestamptz) "
    "FROM unnest(CAST(:id AS uuid[]), CAST(:notice_id AS uuid[]), CAST(:audience AS text[]), "
    "CAST(:recipient_id AS text[])) AS mail (id, notice_id, audience, recipient_id) ON CONFLICT DO NOTHING"
)


def _columns_of(value_type: type[Any], rows: Sequence[Any]) -> dict[str, list[Any]]:
    return {one.name: [getattr(row, one.name) for row in rows] for one in fields(value_type)}


async def add_notices(tx: Tx, fresh: Sequence[NewNotice], now: datetime) -> set[UUID]:
    """Insert notices, in this order, in one statement however many; return the ids of those whose event had none yet.

    Notices are numbered one transaction after the other, so that whoever has seen one has seen all before it.
    """
    if not fresh:
        return set()
    await tx.execute(_LOCK)
    return set((await tx.execute(_ADD_NOTICES, _columns_of(NewNotice, fresh) | {"now": now})).scalars())


async def add_deliveries(tx: Tx, mails: Sequence[NewDelivery], now: datetime) -> None:
    """Queue mails, in one statement however many; one that is queued already stays as it is."""
    if mails:
        await tx.execute(_ADD_DELIVERIES, _columns_of(NewDelivery, mails) | {"now": now})


def _inbox_of(reader: Reader, school_id: str) -> sa.Select[Any]:
    """What a school's inbox, or everybody's, shows to a reader, with what they have read."""
    columns = [notices.c[name] for name in StoredNotice.__dataclass_fields__ if name != "read_at"]
    joined = notices.outerjoin(reads, (reads.c.notice_id == notices.c.id) & (reads.c.account_id == reader.account_id))
    statement = (
        sa.select(*columns, notices.c.number, reads.c.read_at)
        .select_from(joined)
        .where(notices.c.school_id == school_id, notices.c.account_id.in_(["", reader.account_id]))
    )
    return statement if reader.manages else statement.where(sa.not_(notices.c.managers_only))


def _visible_to(reader: Reader, narrowed: Callable[[sa.Select[Any]], sa.Select[Any]]) -> sa.Subquery:
    """The reader's school's and everybody's, each narrowed by itself: two index scans, whatever their sizes."""
    each = [narrowed(_inbox_of(reader, school_id)).subquery() for school_id in (reader.school_id, EVERYBODY)]
    return sa.union_all(*(sa.select(one) for one in each)).subquery()


async def number_of(tx: Tx, reader: Reader, notice_id: UUID) -> int | None:
    """The number of a notice that the reader is shown; None when there is none such."""
    found = _visible_to(reader, lambda inbox: inbox.where(notices.c.id == notice_id))
    number: int | None = (await tx.execute(sa.select(found.c.number))).scalar()
    return number


async def page_notices(
    tx: Tx,
    reader: Reader,
    limit: int,
    *,
    before: int | None = None,
    after: int | None = None,
    unread_only: bool = False,
) -> list[StoredNotice]:
    """Notices shown to the reader: newest first and below number `before`, or oldest first and above number `after`."""
    forwards = after is not None

    def narrowed(inbox: sa.Select[Any]) -> sa.Select[Any]:
        if after is not None:
            inbox = inbox.where(notices.c.number > after)
        if before is not None:
            inbox = inbox.where(notices.c.number < before)
        if unread_only:
            inbox = inbox.where(reads.c.read_at.is_(None))
        return inbox.order_by(notices.c.number if forwards else notices.c.number.desc()).limit(limit)

    found = _visible_to(reader, narrowed)
    order = found.c.number if forwards else found.c.number.desc()
    return [_notice(row) for row in await tx.execute(sa.select(found).order_by(order).limit(limit))]


def _notice(row: sa.Row[Any]) -> StoredNotice:
    return StoredNotice(**{name: getattr(row, name) for name in StoredNotice.__dataclass_fields__})


async def count_unread(tx: Tx, reader: Reader) -> int:
    """How many the account has not read, counted up to MOST_UNREAD."""
    some = _visible_to(reader, lambda inbox: inbox.where(reads.c.read_at.is_(None)).limit(MOST_UNREAD))
    count: int = (await tx.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()
    return min(count, MOST_UNREAD)


async def mark_read(tx: Tx, reader: Reader, notice_id: UUID, now: datetime) -> StoredNotice | None:
    """Mark a notice that the reader is shown as read by the account, once; None when there is none such."""
    if await number_of(tx, reader, notice_id) is None:
        return None
    values = {"notice_id": notice_id, "account_id": reader.account_id, "read_at": now}
    await tx.execute(insert(reads).values(values).on_conflict_do_nothing())
    found = _visible_to(reader, lambda inbox: inbox.where(notices.c.id == notice_id))
    return _notice((await tx.execute(sa.select(found))).one())


async def due_deliveries(tx: Tx, now: datetime, limit: int, audiences: Sequence[Audience]) -> list[DueDelivery]:
    """Deliveries whose time has come, longest due first."""
    columns = (
        *(deliveries.c[name] for name in ("id", "audience", "recipient_id", "attempts", "created_at", "notice_id")),
        *(
            notices.c[name]
            for name in (
                *("school_id", "kind", "facts", "candidate_id", "text_fr", "text_en", "occurred_at"),
                *("managers_only", "object_id"),
            )
        ),
    )
    statement = (
        sa.select(*columns)
        .join_from(deliveries, notices, deliveries.c.notice_id == notices.c.id)
        .where(deliveries.c.outcome == DeliveryOutcome.WAITING, deliveries.c.due_at <= now)
        .where(deliveries.c.audience.in_(audiences))
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(limit)
    )
    found = [dict(row._mapping) for row in await tx.execute(statement)]  # noqa: SLF001
    return [DueDelivery(**row | {"audience": Audience(row["audience"])}) for row in found]


async def waiting_deliveries(tx: Tx, now: datetime) -> tuple[int, float]:
    """How many deliveries are due, and for how many seconds the longest of them is; 0 and 0 for none."""
    statement = sa.select(sa.func.count(), sa.func.min(deliveries.c.due_at)).where(
        deliveries.c.outcome == DeliveryOutcome.WAITING, deliveries.c.due_at <= now
    )
    many, first = (await tx.execute(statement)).one()
    return many, (now - first).total_seconds() if first is not None else 0.0


async def end_delivery(tx: Tx, delivery_id: UUID, outcome: DeliveryOutcome, now: datetime, problem: str = "") -> bool:
    """Bring a waiting delivery to its end; False when it is there already."""
    statement = (
        sa.update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.outcome == DeliveryOutcome.WAITING)
        .values(outcome=outcome, ended_at=now, problem=problem, attempts=deliveries.c.attempts + 1)
        .returning(deliveries.c.id)
    )
    return (await tx.execute(statement)).scalar() is not None


async def put_off_delivery(tx: Tx, delivery_id: UUID, due_at: datetime, problem: str) -> None:
    """Put a waiting delivery off until `due_at` and count the attempt; one that has ended meanwhile stays as it is."""
    await tx.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.outcome == DeliveryOutcome.WAITING)
        .values(due_at=due_at, problem=problem, attempts=deliveries.c.attempts + 1)
    )


async def purge_notices(tx: Tx, now: datetime) -> int:
    """Delete notices older than twelve months with their reads and deliveries; return how many, 5,000 at most."""
    old = sa.select(notices.c.id).where(notices.c.posted_at < now - RETENTION).limit(PURGED_AT_ONCE)
    return (await tx.execute(sa.delete(notices).where(notices.c.id.in_(old)))).rowcount
