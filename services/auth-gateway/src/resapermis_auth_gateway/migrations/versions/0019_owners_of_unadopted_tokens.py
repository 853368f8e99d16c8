"""Tokens that nobody adopted yet know who gave them and whose they are, so that revoking them ends nothing in use."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("ALTER TABLE revocation ADD COLUMN IF NOT EXISTS issuer text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE revocation ADD COLUMN IF NOT EXISTS subject text NOT NULL DEFAULT ''")
