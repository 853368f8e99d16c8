"""Tables of who is not free when, and of private calendars."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSTZRANGE

from resapermis_kit.database.metadata import NAMING

metadata = sa.MetaData(naming_convention=NAMING)
TIME = sa.DateTime(timezone=True)

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
