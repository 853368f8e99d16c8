"""Tokens of RdvPermis, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
MOMENT = sa.DateTime(timezone=True)
LIVE = sa.text("dead_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "token",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("session_id", sa.Uuid, nullable=True),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("access", sa.LargeBinary, nullable=True),
        sa.Column("access_expires_at", MOMENT, nullable=False),
        sa.Column("refresh", sa.LargeBinary, nullable=True),
        sa.Column("refresh_expires_at", MOMENT, nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("dead_at", MOMENT, nullable=True),
        sa.Column("reason", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name="token_pkey"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="token_session_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="token_account_id_fkey"),
        sa.CheckConstraint("kind IN ('session', 'grant')", name=op.f("token_kind_check")),
        sa.CheckConstraint("(kind = 'session') = (session_id IS NOT NULL)", name=op.f("token_session_check")),
        sa.CheckConstraint(
            "dead_at IS NULL OR (access IS NULL AND refresh IS NULL)", name=op.f("token_dead_has_no_secret_check")
        ),
    )
    op.create_index("token_session_id_idx", "token", ["session_id"])
    op.create_index("token_account_id_idx", "token", ["account_id"])
    op.create_index("token_one_live_a_session_idx", "token", ["session_id"], unique=True, postgresql_where=LIVE)
    op.create_index("token_live_school_id_idx", "token", ["school_id"], postgresql_where=LIVE)
