"""What the provider is still to revoke is kept until it did."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "revocation",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("token_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="revocation_pkey"),
        sa.CheckConstraint("kind IN ('access', 'refresh')", name=op.f("revocation_kind_check")),
    )
    op.create_index("revocation_due_at_idx", "revocation", ["due_at"])
