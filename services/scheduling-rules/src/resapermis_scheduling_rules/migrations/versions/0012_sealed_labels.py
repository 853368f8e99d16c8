"""What people call their searches is sealed: it may hold a name. The process seals what is there; 0.2.0 shows those without a label."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("ALTER TABLE saved_search ADD COLUMN IF NOT EXISTS sealed_label bytea")
