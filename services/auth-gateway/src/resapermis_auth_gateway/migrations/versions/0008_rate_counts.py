"""Requests of each address are counted in the database. Unlogged: a count that a crash empties is worth no wait for the disk."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rate_count",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("who", sa.LargeBinary, nullable=False),
        sa.Column("moments", ARRAY(MOMENT), nullable=False),
        sa.Column("over_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "who", name="rate_count_pkey"),
        prefixes=["UNLOGGED"],
    )
