"""A session knows when its owner proved who they are; a sign-in under way, how recent a proof it asked for."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("ALTER TABLE session ADD COLUMN IF NOT EXISTS authenticated_at timestamptz")
    op.execute("ALTER TABLE sign_in_attempt ADD COLUMN IF NOT EXISTS max_age_seconds integer NOT NULL DEFAULT 0")
