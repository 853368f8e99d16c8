"""The kit's tables and one of our own."""

import sqlalchemy as sa
from alembic import op

from resapermis_kit.db import create_kit_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create."""
    create_kit_tables(op.get_bind())
    op.create_table(
        "seen", sa.Column("id", sa.Text, nullable=False), sa.Column("number", sa.BigInteger, nullable=False)
    )
