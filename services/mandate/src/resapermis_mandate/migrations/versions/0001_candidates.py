"""Candidates, their index words and their mandates."""

import sqlalchemy as sa
from alembic import op

from resapermis_kit.database.schema import create_kit_tables

revision = "0001"
down_revision = None
OPEN = "state IN ('draft', 'pending', 'active')"


def upgrade() -> None:
    """Create."""
    create_kit_tables(op.get_bind())
    op.create_table(
        "candidate",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary),
        sa.Column("last_name", sa.LargeBinary, nullable=False),
        sa.Column("first_name", sa.LargeBinary, nullable=False),
        sa.Column("neph", sa.LargeBinary, nullable=False),
        sa.Column("email", sa.LargeBinary, nullable=False),
        sa.Column("neph_index", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="candidate_pkey"),
        sa.UniqueConstraint("school_id", "neph_index", name="candidate_one_neph_a_school"),
    )
    op.create_index("candidate_school_idx", "candidate", ["school_id", "id"])
    op.create_table(
        "candidate_word",
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("word", sa.LargeBinary, nullable=False),
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("school_id", "word", "candidate_id", name="candidate_word_pkey"),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidate.id"], name="candidate_word_candidate_id_fkey", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "mandate",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("gearbox", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("rdvpermis_code", sa.Text, nullable=False),
        sa.Column("rdvpermis_candidate_id", sa.Text, nullable=False),
        sa.Column("rdvpermis_mandate_id", sa.Text, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="mandate_pkey"),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidate.id"], name="mandate_candidate_id_fkey"),
        sa.CheckConstraint(
            "state IN ('draft','pending','active','refused','cancelled','revoked','expired','superseded')",
            name="mandate_state_is_known_check",
        ),
    )
    op.create_index(
        "mandate_one_open_idx", "mandate", ["candidate_id", "category"], unique=True, postgresql_where=sa.text(OPEN)
    )
    op.create_index("mandate_school_idx", "mandate", ["school_id", "id"])
    op.create_index(
        "mandate_due_idx", "mandate", ["next_look_at"], postgresql_where=sa.text("next_look_at IS NOT NULL")
    )
