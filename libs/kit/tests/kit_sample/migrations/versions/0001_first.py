"""The kit's tables and one of our own."""

import sqlalchemy as sa
from alembic import op

from resapermis_kit.database.schema import create_kit_tables, upgrade_to_commands, upgrade_to_streams

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create."""
    create_kit_tables(op.get_bind())
    upgrade_to_streams(op.get_bind())
    upgrade_to_commands(op.get_bind())
    op.create_table(
        "seen", sa.Column("id", sa.Text, nullable=False), sa.Column("number", sa.BigInteger, nullable=False)
    )
