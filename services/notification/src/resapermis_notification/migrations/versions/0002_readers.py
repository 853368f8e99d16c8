"""Notices for one account, for managers alone, and (by an empty school) for everybody."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Expand: what stands already is for the whole school."""
    op.add_column("notice", sa.Column("account_id", sa.Text, nullable=False, server_default=""))
    op.add_column("notice", sa.Column("managers_only", sa.Boolean, nullable=False, server_default=sa.false()))
