"""A sign-in that was used is remembered as such, with the page that it began from, as long as its session may last."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("ALTER TABLE sign_in_attempt ADD COLUMN IF NOT EXISTS used_at timestamptz")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS sign_in_attempt_open_idx")
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS sign_in_attempt_open_idx ON sign_in_attempt (started_at)"
            " WHERE used_at IS NULL"
        )
