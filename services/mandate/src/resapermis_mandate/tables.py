"""Tables of mandate. Names, NEPH and e-mail are stored sealed under the person's key."""

import sqlalchemy as sa

from resapermis_kit.database.metadata import NAMING
from resapermis_mandate.domain import State

metadata = sa.MetaData(naming_convention=NAMING)

candidates = sa.Table(
    "candidate",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("wrapped_key", sa.LargeBinary),
    sa.Column("last_name", sa.LargeBinary, nullable=False),
    sa.Column("first_name", sa.LargeBinary, nullable=False),
    sa.Column("neph", sa.LargeBinary, nullable=False),
    sa.Column("email", sa.LargeBinary, nullable=False),
    sa.Column("neph_index", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.UniqueConstraint("school_id", "neph_index", name="candidate_one_neph_a_school"),
)
sa.Index("candidate_school_idx", candidates.c.school_id, candidates.c.id)
words = sa.Table(
    "candidate_word",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("word", sa.LargeBinary, primary_key=True),
    sa.Column("candidate_id", sa.Uuid, sa.ForeignKey("candidate.id", ondelete="CASCADE"), primary_key=True),
)
mandates = sa.Table(
    "mandate",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("candidate_id", sa.Uuid, sa.ForeignKey("candidate.id"), nullable=False),
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
    sa.Column("polls", sa.Integer, nullable=False),
    sa.Column("next_poll_at", sa.DateTime(timezone=True)),
    sa.CheckConstraint(sa.column("state").in_([state.value for state in State]), name="state_is_known"),
)
sa.Index(
    "mandate_one_open_idx",
    mandates.c.candidate_id,
    mandates.c.category,
    unique=True,
    postgresql_where=mandates.c.state.in_(["draft", "pending", "active"]),
)
sa.Index("mandate_school_idx", mandates.c.school_id, mandates.c.id)
sa.Index("mandate_candidate_idx", mandates.c.candidate_id)
sa.Index("mandate_due_idx", mandates.c.next_poll_at, postgresql_where=mandates.c.next_poll_at.is_not(None))
