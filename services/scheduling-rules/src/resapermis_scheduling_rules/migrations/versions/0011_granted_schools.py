"""When egress last stated that a school's grant for background work stands."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("school", sa.Column("granted_at", sa.DateTime(timezone=True)))
