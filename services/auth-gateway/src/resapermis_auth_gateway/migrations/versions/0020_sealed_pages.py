"""Where a sign-in leads is sealed, and kept as long as the sign-in. `return_to` stays for replicas of release 0.2.0."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute("ALTER TABLE sign_in_attempt ADD COLUMN IF NOT EXISTS page bytea")
