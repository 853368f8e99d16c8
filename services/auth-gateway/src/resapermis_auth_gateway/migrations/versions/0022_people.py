"""People who are not RdvPermis employees: who they are to us, their invitations, passkeys, and the first administrator's code."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0022"
down_revision = "0021"
MOMENT = sa.DateTime(timezone=True)
ROLES = "'supervisor', 'candidate', 'dpo', 'security_officer', 'platform_admin', 'auditor'"


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("scope", ARRAY(sa.Text), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("invited_by", sa.Uuid, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="person_pkey"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="person_account_id_fkey"),
        sa.ForeignKeyConstraint(["invited_by"], ["account.id"], name="person_invited_by_fkey"),
        sa.CheckConstraint(f"role IN ({ROLES})", name=op.f("person_role_check")),
        sa.CheckConstraint("state IN ('invited', 'active', 'suspended', 'left')", name=op.f("person_state_check")),
        if_not_exists=True,
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="invitation_pkey"),
        sa.ForeignKeyConstraint(["account_id"], ["person.account_id"], name="invitation_account_id_fkey"),
        if_not_exists=True,
    )
    op.create_index(
        "invitation_one_open_idx",
        "invitation",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("used_at IS NULL AND withdrawn_at IS NULL"),
        if_not_exists=True,
    )
    op.create_table(
        "invitation_link",
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("invitation_id", sa.Uuid, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="invitation_link_pkey"),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name="invitation_link_invitation_id_fkey", ondelete="CASCADE"
        ),
        if_not_exists=True,
    )
    op.create_index("invitation_link_invitation_id_idx", "invitation_link", ["invitation_id"], if_not_exists=True)
    op.create_table(
        "passkey",
        sa.Column("credential_id", sa.LargeBinary, nullable=False),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("credential_id", name="passkey_pkey"),
        sa.ForeignKeyConstraint(["account_id"], ["person.account_id"], name="passkey_account_id_fkey"),
        if_not_exists=True,
    )
    op.create_index("passkey_account_id_idx", "passkey", ["account_id"], if_not_exists=True)
    op.create_table(
        "passkey_challenge",
        sa.Column("challenge_hash", sa.LargeBinary, nullable=False),
        sa.Column("browser_hash", sa.LargeBinary, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=True),
        sa.Column("account_id", sa.Uuid, nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("challenge_hash", name="passkey_challenge_pkey"),
        sa.CheckConstraint(
            "purpose IN ('sign_in', 'invitation', 'first_administrator')", name=op.f("passkey_challenge_purpose_check")
        ),
        sa.CheckConstraint(
            "(purpose = 'sign_in') = (secret_hash IS NULL AND account_id IS NULL)",
            name=op.f("passkey_challenge_about_check"),
        ),
        if_not_exists=True,
    )
    op.create_index("passkey_challenge_started_at_idx", "passkey_challenge", ["started_at"], if_not_exists=True)
    op.create_table(
        "first_administrator_code",
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("code_hash", name="first_administrator_code_pkey"),
        if_not_exists=True,
    )
