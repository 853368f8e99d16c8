"""Rows of the outbox are numbered in the order of writing; slots know when one of our own events last changed them."""

import sqlalchemy as sa
from alembic import op

from resapermis_kit.database.schema import upgrade_to_sequence

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    upgrade_to_sequence(op.get_bind())
    op.add_column("slot", sa.Column("marked_at", sa.DateTime(timezone=True)), if_not_exists=True)
