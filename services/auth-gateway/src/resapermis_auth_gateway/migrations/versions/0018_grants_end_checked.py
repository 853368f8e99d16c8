"""That each grant has an end is looked at, by itself: tokens are read and written meanwhile."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("ALTER TABLE token VALIDATE CONSTRAINT token_grant_ends_check")
