"""Rows of the outbox are numbered in the order of writing."""

from alembic import op

from resapermis_kit.database.schema import upgrade_to_sequence

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    upgrade_to_sequence(op.get_bind())
