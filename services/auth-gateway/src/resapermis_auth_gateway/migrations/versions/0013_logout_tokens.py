"""Logout tokens of the provider count once; the sessions that they end are found by the provider's session id."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "logout_token",
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("counts_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="logout_token_pkey"),
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS session_live_provider_sid_idx")
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS session_live_provider_sid_idx ON session (provider_sid)"
            " WHERE ended_at IS NULL"
        )
