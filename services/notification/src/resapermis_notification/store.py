"""Tables of notification and one function a question. No name and no address is stored: ids only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from resapermis_kit.database.metadata import NAMING
from resapermis_kit.database.transaction import Tx
from resapermis_notification.domain import Audience, Due, Kept, Outcome

metadata = sa.MetaData(naming_convention=NAMING)
KEPT = timedelta(days=365)
MOST_UNREAD = 1000
"""Unread notices are counted up to here."""
PURGED_AT_ONCE = 5000
EVERYBODY = ""
"""In place of a school: notices for all."""


notices = sa.Table(
    "notice",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False, unique=True),
    sa.Column("event_id", sa.Uuid, nullable=False, unique=True),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("facts", JSONB, nullable=False),
    sa.Column("candidate_id", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.Column("text_fr", sa.Text, nullable=False),
    sa.Column("text_en", sa.Text, nullable=False),
    sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("account_id", sa.Text, nullable=False, server_default=""),
    sa.Column("managers_only", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.CheckConstraint(sa.column("level").in_(["info", "success", "warning", "danger"]), name="level_is_known"),
)
"""`number` is the order in which notices were committed (see `add_notices`); `event_id` makes a fact one notice.

An empty `school_id` is everybody's: it stands once, and each account reads it for itself. `account_id` is the one
account that sees it, `managers_only` hides it from a school's other people.
"""
sa.Index("notice_school_idx", notices.c.school_id, notices.c.number)
sa.Index("notice_posted_at_idx", notices.c.posted_at)
reads = sa.Table(
    "notice_read",
    metadata,
    sa.Column("notice_id", sa.Uuid, sa.ForeignKey("notice.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("account_id", sa.Text, primary_key=True),
    sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
)
deliveries = sa.Table(
    "delivery",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("notice_id", sa.Uuid, sa.ForeignKey("notice.id", ondelete="CASCADE"), nullable=False),
    sa.Column("audience", sa.Text, nullable=False),
    sa.Column("recipient_id", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.UniqueConstraint("notice_id", "audience", "recipient_id", name="delivery_one_a_recipient"),
    sa.CheckConstraint(sa.column("audience").in_([one.value for one in Audience]), name="audience_is_known"),
    sa.CheckConstraint(sa.column("outcome").in_([one.value for one in Outcome]), name="outcome_is_known"),
    sa.CheckConstraint("(outcome = 'waiting') = (ended_at IS NULL)", name="ended_once"),
)
"""`recipient_id`: account or candidate id; empty for a school. `problem`: a word of the last failure."""
sa.Index("delivery_due_idx", deliveries.c.due_at, postgresql_where=deliveries.c.outcome == "waiting")


@dataclass(frozen=True)
class Post:
    """A notice to be kept; fields as the table's columns, `facts` as JSON."""

    id: UUID
    event_id: UUID
    school_id: str
    kind: str
    level: str
    facts: str
    candidate_id: str
    object_id: str
    text_fr: str
    text_en: str
    occurred_at: datetime
    account_id: str
    managers_only: bool


@dataclass(frozen=True)
class Mail:
    """A mail to be queued."""

    id: UUID
    notice_id: UUID
    audience: Audience
    recipient_id: str


_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('notice number', 0))")
_ADD_NOTICES = sa.text(
    "INSERT INTO notice (id, event_id, school_id, kind, level, facts, candidate_id, object_id, text_fr, text_en, "
    "occurred_at, account_id, managers_only, posted_at) "
    "SELECT id, event_id, school_id, kind, level, CAST(facts AS jsonb), candidate_id, object_id, text_fr, text_en, "
    "occurred_at, account_id, managers_only, CAST(:now AS timestamptz) FROM unnest("
    "CAST(:id AS uuid[]), CAST(:event_id AS uuid[]), CAST(:school_id AS text[]), CAST(:kind AS text[]), "
    "CAST(:level AS text[]), CAST(:facts AS text[]), CAST(:candidate_id AS text[]), CAST(:object_id AS text[]), "
    "CAST(:text_fr AS text[]), CAST(:text_en AS text[]), CAST(:occurred_at AS timestamptz[]), "
    "CAST(:account_id AS text[]), CAST(:managers_only AS boolean[])) WITH ORDINALITY AS said (id, event_id, school_id, "
    "kind, level, facts, candidate_id, object_id, text_fr, text_en, occurred_at, account_id, managers_only, place) "
    "ORDER BY place ON CONFLICT (event_id) DO NOTHING RETURNING id"
)
_ADD_DELIVERIES = sa.text(
    "INSERT INTO delivery (id, notice_id, audience, recipient_id, outcome, attempts, problem, due_at, created_at) "
    "SELECT id, notice_id, audience, recipient_id, 'waiting', 0, '', CAST(:now AS timestamptz), CAST(:now AS timestamptz) "
    "FROM unnest(CAST(:id AS uuid[]), CAST(:notice_id AS uuid[]), CAST(:audience AS text[]), "
    "CAST(:recipient_id AS text[])) AS mail (id, notice_id, audience, recipient_id) ON CONFLICT DO NOTHING"
)


def _columns_of(kind: type[Any], rows: Sequence[Any]) -> dict[str, list[Any]]:
    return {one.name: [getattr(row, one.name) for row in rows] for one in fields(kind)}


async def add_notices(tx: Tx, posts: Sequence[Post], now: datetime) -> set[UUID]:
    """Keep notices, in this order, in one statement however many; return the ids of those whose fact was not told already.

    Notices are numbered one transaction after the other, so that whoever has seen one has seen all before it.
    """
    if not posts:
        return set()
    await tx.execute(_LOCK)
    return set((await tx.execute(_ADD_NOTICES, _columns_of(Post, posts) | {"now": now})).scalars())


async def add_deliveries(tx: Tx, mails: Sequence[Mail], now: datetime) -> None:
    """Queue mails, in one statement however many; one that is queued already stays as it is."""
    if mails:
        await tx.execute(_ADD_DELIVERIES, _columns_of(Mail, mails) | {"now": now})


@dataclass(frozen=True)
class Reader:
    """Whose inbox is read."""

    school_id: str
    account_id: str
    manages: bool


def _shown_to(reader: Reader, school_id: str) -> sa.Select[Any]:
    """What a school's inbox, or everybody's, shows to a reader, with what they have read."""
    columns = [notices.c[name] for name in Kept.__dataclass_fields__ if name != "read_at"]
    joined = notices.outerjoin(reads, (reads.c.notice_id == notices.c.id) & (reads.c.account_id == reader.account_id))
    statement = (
        sa.select(*columns, notices.c.number, reads.c.read_at)
        .select_from(joined)
        .where(notices.c.school_id == school_id, notices.c.account_id.in_(["", reader.account_id]))
    )
    return statement if reader.manages else statement.where(sa.not_(notices.c.managers_only))


def _both(reader: Reader, narrowed: Callable[[sa.Select[Any]], sa.Select[Any]]) -> sa.Subquery:
    """The reader's school's and everybody's, each narrowed by itself: two walks along an index, whatever their sizes."""
    each = [narrowed(_shown_to(reader, school_id)).subquery() for school_id in (reader.school_id, EVERYBODY)]
    return sa.union_all(*(sa.select(one) for one in each)).subquery()


async def number_of(tx: Tx, reader: Reader, notice_id: UUID) -> int | None:
    """The place of a notice that the reader is shown; None when there is none such."""
    found = _both(reader, lambda shown: shown.where(notices.c.id == notice_id))
    number: int | None = (await tx.execute(sa.select(found.c.number))).scalar()
    return number


async def page(
    tx: Tx,
    reader: Reader,
    limit: int,
    *,
    before: int | None = None,
    after: int | None = None,
    unread_only: bool = False,
) -> list[Kept]:
    """Notices shown to the reader: newest first and below number `before`, or oldest first and above number `after`."""
    forwards = after is not None

    def narrowed(shown: sa.Select[Any]) -> sa.Select[Any]:
        if after is not None:
            shown = shown.where(notices.c.number > after)
        if before is not None:
            shown = shown.where(notices.c.number < before)
        if unread_only:
            shown = shown.where(reads.c.read_at.is_(None))
        return shown.order_by(notices.c.number if forwards else notices.c.number.desc()).limit(limit)

    found = _both(reader, narrowed)
    order = found.c.number if forwards else found.c.number.desc()
    return [_kept(row) for row in await tx.execute(sa.select(found).order_by(order).limit(limit))]


def _kept(row: sa.Row[Any]) -> Kept:
    return Kept(**{name: getattr(row, name) for name in Kept.__dataclass_fields__})


async def unread(tx: Tx, reader: Reader) -> int:
    """How many the account has not read, counted up to MOST_UNREAD."""
    some = _both(reader, lambda shown: shown.where(reads.c.read_at.is_(None)).limit(MOST_UNREAD))
    count: int = (await tx.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()
    return min(count, MOST_UNREAD)


async def mark_read(tx: Tx, reader: Reader, notice_id: UUID, now: datetime) -> Kept | None:
    """Mark a notice that the reader is shown as read by the account, once; None when there is none such."""
    if await number_of(tx, reader, notice_id) is None:
        return None
    values = {"notice_id": notice_id, "account_id": reader.account_id, "read_at": now}
    await tx.execute(insert(reads).values(values).on_conflict_do_nothing())
    found = _both(reader, lambda shown: shown.where(notices.c.id == notice_id))
    return _kept((await tx.execute(sa.select(found))).one())


async def due(tx: Tx, now: datetime, limit: int, audiences: Sequence[Audience]) -> list[Due]:
    """Deliveries whose time has come, longest due first."""
    columns = (
        *(deliveries.c[name] for name in ("id", "audience", "recipient_id", "attempts", "created_at", "notice_id")),
        *(
            notices.c[name]
            for name in (
                *("school_id", "kind", "facts", "candidate_id", "text_fr", "text_en", "occurred_at"),
                "managers_only",
            )
        ),
    )
    statement = (
        sa.select(*columns)
        .join_from(deliveries, notices, deliveries.c.notice_id == notices.c.id)
        .where(deliveries.c.outcome == Outcome.WAITING, deliveries.c.due_at <= now)
        .where(deliveries.c.audience.in_(audiences))
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(limit)
    )
    found = [dict(row._mapping) for row in await tx.execute(statement)]  # noqa: SLF001
    return [Due(**row | {"audience": Audience(row["audience"])}) for row in found]


async def end(tx: Tx, delivery_id: UUID, outcome: Outcome, now: datetime, problem: str = "") -> bool:
    """Bring a waiting delivery to its end; False when it is there already."""
    statement = (
        sa.update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.outcome == Outcome.WAITING)
        .values(outcome=outcome, ended_at=now, problem=problem, attempts=deliveries.c.attempts + 1)
        .returning(deliveries.c.id)
    )
    return (await tx.execute(statement)).scalar() is not None


async def put_off(tx: Tx, delivery_id: UUID, due_at: datetime, problem: str) -> None:
    """Try later."""
    await tx.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.outcome == Outcome.WAITING)
        .values(due_at=due_at, problem=problem, attempts=deliveries.c.attempts + 1)
    )


async def purge(tx: Tx, now: datetime) -> int:
    """Forget notices older than twelve months with their reads and deliveries; return how many, 5,000 at most."""
    old = sa.select(notices.c.id).where(notices.c.posted_at < now - KEPT).limit(PURGED_AT_ONCE)
    return (await tx.execute(sa.delete(notices).where(notices.c.id.in_(old)))).rowcount
