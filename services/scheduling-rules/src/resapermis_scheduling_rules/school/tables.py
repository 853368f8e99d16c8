"""Tables of what a school is, has and keeps: thresholds, lines that count, people, vehicles, hours and FTE."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from resapermis_kit.database.metadata import NAMING

metadata = sa.MetaData(naming_convention=NAMING)
TIME = sa.DateTime(timezone=True)

schools = sa.Table(
    "school",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("licence_number", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("fte", sa.Numeric(8, 2)),
    sa.Column("licensed_until", TIME),
    sa.Column("seen_at", TIME, nullable=False),
    sa.Column("latitude", sa.Float),
    sa.Column("longitude", sa.Float),
    sa.Column("fte_computed_at", TIME),
    sa.Column("granted_at", TIME),
)
"""`seen_at`: when RdvPermis last described it; `granted_at`: when egress last stated that a grant for background work stands."""
sa.Index("school_licensed_idx", schools.c.licensed_until, postgresql_where=schools.c.licensed_until.is_not(None))
thresholds = sa.Table(
    "threshold",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("department", sa.Text, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("rdvpermis_limit", sa.Integer),
    sa.Column("elsewhere", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fte", sa.Numeric(8, 2)),
    sa.Column("seen_at", TIME),
    sa.Column("reached_at", TIME),
)
lines = sa.Table(
    "line",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("changed_at", TIME, nullable=False),
    sa.Column("slot_id", sa.Text),
    sa.Column("candidate_id", sa.Text),
    sa.Column("trainer_id", sa.Text),
    sa.Column("vehicle_id", sa.Text),
    sa.Column("centre_id", sa.Text),
    sa.Column("kind", sa.Text),
    sa.Column("starts_at", TIME),
    sa.Column("ends_at", TIME),
    sa.Column("booked_at", TIME),
)
sa.Index("line_usage_idx", lines.c.school_id, lines.c.month)
sa.Index("line_hours_idx", lines.c.school_id, lines.c.starts_at, postgresql_where=lines.c.starts_at.is_not(None))
published_thresholds = sa.Table(
    "threshold_published",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("department", sa.Text, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("percent", sa.Integer, primary_key=True),
)
trainers = sa.Table(
    "trainer",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("categories", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("active_from", TIME, primary_key=True),
    sa.Column("active_until", TIME),
    sa.Column("authorised_until", TIME),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("set_at", TIME, nullable=False),
    sa.CheckConstraint("active_until > active_from", name="term"),
    ExcludeConstraint(
        ("school_id", "="),
        ("id", "="),
        (sa.text("tstzrange(active_from, active_until)"), "&&"),
        name="one_term_of_a_trainer_at_a_time",
    ),
)
sa.Index(
    "trainer_authorised_idx",
    trainers.c.authorised_until,
    postgresql_where=trainers.c.authorised_until.is_not(None),
)
vehicles = sa.Table(
    "vehicle",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("categories", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("gearbox", sa.Text, nullable=False),
    sa.Column("retired", sa.Boolean, nullable=False),
    sa.Column("set_at", TIME, nullable=False),
    sa.CheckConstraint("gearbox IN ('manual','automatic')", name="gearbox"),
)
hours = sa.Table(
    "hours",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("trainer_id", sa.Text, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("hundredths", sa.Integer, nullable=False),
    sa.Column("declared_at", TIME, nullable=False),
    sa.CheckConstraint("kind IN ('practical','accompanied','theory')", name="kind"),
    sa.CheckConstraint("hundredths BETWEEN 0 AND 74400", name="in_a_month"),
)
ftes = sa.Table(
    "fte",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("department", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("hundredths", sa.Integer, nullable=False),
    sa.Column("first_month", sa.Text, nullable=False),
    sa.Column("last_month", sa.Text, nullable=False),
    sa.Column("computed_at", TIME, nullable=False),
    sa.CheckConstraint("hundredths >= 0", name="not_negative"),
)
published_endings = sa.Table(
    "authorisation_published",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("trainer_id", sa.Text, primary_key=True),
    sa.Column("ends_at", TIME, primary_key=True),
    sa.Column("days", sa.Integer, primary_key=True),
    sa.CheckConstraint("days IN (30, 7, 1, 0)", name="days"),
)
