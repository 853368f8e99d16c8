"""A session knows the kind of browser that it was opened with, for its owner to know it again."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("ALTER TABLE session ADD COLUMN IF NOT EXISTS browser text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE session ADD COLUMN IF NOT EXISTS system text NOT NULL DEFAULT ''")
