"""A candidate can be corrected: each correction is a version, so that two persons do not overwrite each other unseen."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("candidate", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
