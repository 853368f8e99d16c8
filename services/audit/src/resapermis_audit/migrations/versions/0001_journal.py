"""The journal: entries, tree, checkpoints, signing key."""

import sqlalchemy as sa
from alembic import op

from resapermis_kit.database.schema import create_kit_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create."""
    create_kit_tables(op.get_bind())
    op.create_table(
        "entry",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("leaf_index", sa.BigInteger),
        sa.Column("leaf_data", sa.LargeBinary, nullable=False),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("content", sa.LargeBinary),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("candidate_id", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="entry_pkey"),
        sa.UniqueConstraint("leaf_index", name="entry_leaf_index_key"),
        sa.CheckConstraint("octet_length(leaf_data) = 32", name="entry_leaf_data_is_a_commitment_check"),
        sa.CheckConstraint("(salt IS NULL) = (content IS NULL)", name="entry_erased_whole_check"),
    )
    op.create_index("entry_waiting_idx", "entry", ["id"], postgresql_where=sa.text("leaf_index IS NULL"))
    op.create_index("entry_school_idx", "entry", ["school_id", "id"])
    op.create_index("entry_candidate_idx", "entry", ["candidate_id", "id"])
    op.create_table(
        "node",
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("index", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("level", "index", name="node_pkey"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("size", name="checkpoint_pkey"),
    )
    op.create_table(
        "signing_key",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("origin", name="signing_key_pkey"),
    )
