"""Roles belong to an account at a school: what a person may at one opens nothing at the next."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0014"
down_revision = "0013"
# unchecked: one row a person, in a table that nobody reads yet
FROM_ACCOUNTS = """
INSERT INTO account_role (account_id, school_id, roles)
SELECT id, school_id, roles FROM account WHERE school_id <> '' ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    op.create_table(
        "account_role",
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("roles", ARRAY(sa.Text), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "school_id", name="account_role_pkey"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="account_role_account_id_fkey"),
        if_not_exists=True,
    )
    op.execute(FROM_ACCOUNTS)
