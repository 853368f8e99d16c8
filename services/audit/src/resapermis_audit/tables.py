"""Tables of audit."""

import sqlalchemy as sa

from resapermis_kit.database.metadata import NAMING

metadata = sa.MetaData(naming_convention=NAMING)

entries = sa.Table(
    "entry",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("leaf_index", sa.BigInteger, unique=True),
    sa.Column("leaf_data", sa.LargeBinary, nullable=False),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("content", sa.LargeBinary),
    sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("candidate_id", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.CheckConstraint("octet_length(leaf_data) = 32", name="leaf_data_is_a_commitment"),
    sa.CheckConstraint("(salt IS NULL) = (content IS NULL)", name="erased_whole"),
)
"""`content` is the sealed record, `salt` opens its commitment; both NULL once erased, the leaf stays."""
sa.Index("entry_waiting_idx", entries.c.id, postgresql_where=entries.c.leaf_index.is_(None))
sa.Index("entry_school_idx", entries.c.school_id, entries.c.id)
sa.Index("entry_candidate_idx", entries.c.candidate_id, entries.c.id)

nodes = sa.Table(
    "node",
    metadata,
    sa.Column("level", sa.SmallInteger, primary_key=True),
    sa.Column("index", sa.BigInteger, primary_key=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
checkpoints = sa.Table(
    "checkpoint",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
)
"""One root a size: a second signer meets the primary key."""
signing_keys = sa.Table(
    "signing_key",
    metadata,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)
