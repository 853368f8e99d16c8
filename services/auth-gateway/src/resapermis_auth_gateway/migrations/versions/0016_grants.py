"""Grants for background work: how one is begun, until when it was given, when it was used, since when it is refused."""

from alembic import op

revision = "0016"
down_revision = "0015"
contracts_after = "v0.2.0"  # writes tokens of the kinds access and refresh, no grant


def upgrade() -> None:
    op.execute("ALTER TABLE sign_in_attempt ADD COLUMN IF NOT EXISTS grant_session_id uuid")
    op.execute("ALTER TABLE token ADD COLUMN IF NOT EXISTS ends_at timestamptz")
    op.execute("ALTER TABLE token ADD COLUMN IF NOT EXISTS used_at timestamptz")
    op.execute("ALTER TABLE token ADD COLUMN IF NOT EXISTS refused_at timestamptz")
    op.execute("ALTER TABLE token ADD COLUMN IF NOT EXISTS warned_days integer")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS token_one_live_grant_idx")
        op.execute(
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS token_one_live_grant_idx ON token (account_id, school_id)"
            " WHERE kind = 'grant' AND dead_at IS NULL"
        )
