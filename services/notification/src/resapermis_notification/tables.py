"""Tables of notification. No name and no address is stored: ids only."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from resapermis_kit.database.metadata import NAMING
from resapermis_notification.domain import Audience, DeliveryOutcome

metadata = sa.MetaData(naming_convention=NAMING)

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
"""`number` is the order in which notices were committed (see `add_notices`); `event_id` makes an event one notice.

An empty `school_id` is everybody's: it is stored once, and each account reads it for itself. `account_id` is the one
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
    sa.CheckConstraint(sa.column("outcome").in_([one.value for one in DeliveryOutcome]), name="outcome_is_known"),
    sa.CheckConstraint("(outcome = 'waiting') = (ended_at IS NULL)", name="ended_once"),
)
"""`recipient_id`: account or candidate id; empty for a school. `problem`: a word of the last failure."""
sa.Index("delivery_due_idx", deliveries.c.due_at, postgresql_where=deliveries.c.outcome == "waiting")
