"""Tables of until when candidates may not be booked."""

import sqlalchemy as sa

from resapermis_kit.database.metadata import NAMING

metadata = sa.MetaData(naming_convention=NAMING)
TIME = sa.DateTime(timezone=True)

restrictions = sa.Table(
    "restriction",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("candidate_id", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", TIME, nullable=False),
    sa.Column("until", TIME),
    sa.Column("line_id", sa.Text),
    sa.Column("waiver_reason", sa.Text),
    sa.Column("proposed_by", sa.Text),
    sa.Column("proposed_at", TIME),
    sa.Column("approved_by", sa.Text),
    sa.Column("approved_at", TIME),
    sa.CheckConstraint("since < until", name="time"),
    sa.CheckConstraint("approved_by <> proposed_by", name="four_eyes"),
    sa.CheckConstraint("approved_by IS NULL OR proposed_by IS NOT NULL", name="proposed_first"),
    sa.CheckConstraint("proposed_by IS NULL OR waiver_reason IS NOT NULL", name="with_a_reason"),
    sa.CheckConstraint("proposed_by IS NULL OR line_id IS NOT NULL", name="rdvpermis_waives_its_own"),
)
"""One that follows from a line of ours names it; RdvPermis' own names none."""
sa.Index("restriction_candidate_idx", restrictions.c.candidate_id, restrictions.c.category)
sa.Index(
    "one_restriction_a_line_and_reason",
    restrictions.c.line_id,
    restrictions.c.reason,
    unique=True,
    postgresql_where=restrictions.c.line_id.is_not(None),
)
penalty_polls = sa.Table(
    "penalty_poll",
    metadata,
    sa.Column("candidate_id", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("seen_at", TIME, nullable=False),
)
