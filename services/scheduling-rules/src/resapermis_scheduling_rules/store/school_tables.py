"""Tables of what a school's administrator keeps, of hours and FTE, and of who is not free when."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint

from resapermis_scheduling_rules.store.tables import TIME, metadata

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
endings_said = sa.Table(
    "authorisation_said",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("trainer_id", sa.Text, primary_key=True),
    sa.Column("ends_at", TIME, primary_key=True),
    sa.Column("days", sa.Integer, primary_key=True),
    sa.CheckConstraint("days IN (30, 7, 1, 0)", name="days"),
)
unavailabilities = sa.Table(
    "unavailability",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("starts_at", TIME),
    sa.Column("ends_at", TIME),
    sa.Column("rrule", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("calendar", sa.LargeBinary),
    sa.Column("written_until", TIME),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("set_at", TIME, nullable=False),
    sa.CheckConstraint("kind IN ('candidate','trainer','vehicle','school')", name="kind"),
    sa.CheckConstraint("(kind = 'school') = (subject_id = '')", name="subject"),
    sa.CheckConstraint("(calendar IS NULL) = (starts_at IS NOT NULL)", name="source"),
    sa.CheckConstraint("(starts_at IS NULL) = (ends_at IS NULL)", name="both_ends"),
    sa.CheckConstraint("ends_at > starts_at", name="hours"),
)
IMPORTED = unavailabilities.c.calendar.is_not(None)
sa.Index(
    "one_import_a_subject",
    unavailabilities.c.school_id,
    unavailabilities.c.kind,
    unavailabilities.c.subject_id,
    unique=True,
    postgresql_where=IMPORTED,
)
sa.Index("unavailability_school_idx", unavailabilities.c.school_id)
sa.Index(
    "unavailability_rolling_idx",
    unavailabilities.c.written_until,
    postgresql_where=unavailabilities.c.written_until.is_not(None),
)
occurrences = sa.Table(
    "occurrence",
    metadata,
    sa.Column("unavailability_id", sa.Text, sa.ForeignKey("unavailability.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("during", TSTZRANGE, primary_key=True),
    sa.CheckConstraint("NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)", name="bounded"),
)
sa.Index(
    "occurrence_conflict_idx",
    occurrences.c.school_id,
    occurrences.c.kind,
    occurrences.c.subject_id,
    occurrences.c.during,
    postgresql_using="gist",
)
feeds = sa.Table(
    "feed",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("trainer_id", sa.Text, primary_key=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", TIME, nullable=False),
)
