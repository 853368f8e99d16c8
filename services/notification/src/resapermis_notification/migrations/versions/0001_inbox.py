"""Notices, who read them, and the mails to send of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from resapermis_kit.database.schema import create_kit_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create."""
    create_kit_tables(op.get_bind())
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
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
        sa.PrimaryKeyConstraint("id", name="notice_pkey"),
        sa.UniqueConstraint("number", name="notice_number_key"),
        sa.UniqueConstraint("event_id", name="notice_event_id_key"),
        sa.CheckConstraint("level IN ('info','success','warning','danger')", name="notice_level_is_known_check"),
    )
    op.create_index("notice_school_idx", "notice", ["school_id", "number"])
    op.create_index("notice_posted_at_idx", "notice", ["posted_at"])
    op.create_table(
        "notice_read",
        sa.Column("notice_id", sa.Uuid, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("notice_id", "account_id", name="notice_read_pkey"),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name="notice_read_notice_id_fkey", ondelete="CASCADE"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("notice_id", sa.Uuid, nullable=False),
        sa.Column("audience", sa.Text, nullable=False),
        sa.Column("recipient_id", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="delivery_pkey"),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name="delivery_notice_id_fkey", ondelete="CASCADE"),
        sa.UniqueConstraint("notice_id", "audience", "recipient_id", name="delivery_one_a_recipient"),
        sa.CheckConstraint("audience IN ('school','account','candidate')", name="delivery_audience_is_known_check"),
        sa.CheckConstraint(
            "outcome IN ('waiting','spread','sent','refused','gone','dead')", name="delivery_outcome_is_known_check"
        ),
        sa.CheckConstraint("(outcome = 'waiting') = (ended_at IS NULL)", name="delivery_ended_once_check"),
    )
    op.create_index("delivery_due_idx", "delivery", ["due_at"], postgresql_where=sa.text("outcome = 'waiting'"))
