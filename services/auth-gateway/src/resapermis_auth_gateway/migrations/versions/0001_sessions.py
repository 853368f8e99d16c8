"""The kit's tables; accounts, sessions and sign-ins under way."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from resapermis_kit.database.schema import create_kit_tables

revision = "0001"
down_revision = None
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_kit_tables(op.get_bind())
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("roles", ARRAY(sa.Text), nullable=False),
        sa.Column("person_key", sa.LargeBinary, nullable=False),
        sa.Column("profile", sa.LargeBinary, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("signed_in_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="account_pkey"),
        sa.UniqueConstraint("issuer", "subject", name="account_issuer_subject_key"),
    )
    op.create_index("account_school_id_idx", "account", ["school_id"])
    op.create_table(
        "session",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("cookie_hash", sa.LargeBinary, nullable=False),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("school_name", sa.Text, nullable=False),
        sa.Column("department", sa.Text, nullable=False),
        sa.Column("provider_sid", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("end_cause", sa.Text),
        sa.PrimaryKeyConstraint("id", name="session_pkey"),
        sa.UniqueConstraint("cookie_hash", name="session_cookie_hash_key"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="session_account_id_fkey"),
    )
    op.create_index("session_live_idx", "session", ["seen_at"], postgresql_where=sa.text("ended_at IS NULL"))
    op.create_index("session_account_id_idx", "session", ["account_id"])
    op.create_table(
        "sign_in_attempt",
        sa.Column("state_hash", sa.LargeBinary, nullable=False),
        sa.Column("browser_hash", sa.LargeBinary, nullable=False),
        sa.Column("return_to", sa.Text, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name="sign_in_attempt_pkey"),
    )
    op.create_index("sign_in_attempt_started_at_idx", "sign_in_attempt", ["started_at"])
