"""Schools as their administrators keep them, their hours and FTE, and who is not free when."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint

revision = "0003"
down_revision = "0002"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")  # trusted: the database's owner may
    op.add_column("school", sa.Column("latitude", sa.Float(), nullable=True))
    op.add_column("school", sa.Column("longitude", sa.Float(), nullable=True))
    op.add_column("school", sa.Column("fte_computed_at", TIME, nullable=True))
    op.add_column("line", sa.Column("booked_at", TIME, nullable=True))
    op.create_table(
        "trainer",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("categories", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("active_from", TIME, nullable=False),
        sa.Column("active_until", TIME, nullable=True),
        sa.Column("authorised_until", TIME, nullable=True),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", TIME, nullable=False),
        sa.CheckConstraint("active_until > active_from", name="trainer_term_check"),
        ExcludeConstraint(
            ("school_id", "="),
            ("id", "="),
            (sa.text("tstzrange(active_from, active_until)"), "&&"),
            name="one_term_of_a_trainer_at_a_time",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", "active_from", name="trainer_pkey"),
    )
    op.create_index(
        "trainer_authorised_idx",
        "trainer",
        ["authorised_until"],
        unique=False,
        postgresql_where=sa.text("authorised_until IS NOT NULL"),
    )
    op.create_table(
        "vehicle",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("categories", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("gearbox", sa.Text(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.Column("set_at", TIME, nullable=False),
        sa.CheckConstraint("gearbox IN ('manual','automatic')", name="vehicle_gearbox_check"),
        sa.PrimaryKeyConstraint("school_id", "id", name="vehicle_pkey"),
    )
    op.create_table(
        "hours",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("trainer_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hundredths", sa.Integer(), nullable=False),
        sa.Column("declared_at", TIME, nullable=False),
        sa.CheckConstraint("kind IN ('practical','accompanied','theory')", name="hours_kind_check"),
        sa.CheckConstraint("hundredths BETWEEN 0 AND 74400", name="hours_in_a_month_check"),
        sa.PrimaryKeyConstraint("school_id", "trainer_id", "month", "category", "kind", name="hours_pkey"),
    )
    op.create_table(
        "fte",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("hundredths", sa.Integer(), nullable=False),
        sa.Column("first_month", sa.Text(), nullable=False),
        sa.Column("last_month", sa.Text(), nullable=False),
        sa.Column("computed_at", TIME, nullable=False),
        sa.CheckConstraint("hundredths >= 0", name="fte_not_negative_check"),
        sa.PrimaryKeyConstraint("school_id", "department", "category", name="fte_pkey"),
    )
    op.create_table(
        "authorisation_said",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("trainer_id", sa.Text(), nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.CheckConstraint("days IN (30, 7, 1, 0)", name="authorisation_said_days_check"),
        sa.PrimaryKeyConstraint("school_id", "trainer_id", "ends_at", "days", name="authorisation_said_pkey"),
    )
    op.create_index(
        "school_licensed_idx",
        "school",
        ["licensed_until"],
        unique=False,
        postgresql_where=sa.text("licensed_until IS NOT NULL"),
    )
    op.create_table(
        "unavailability",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("starts_at", TIME, nullable=True),
        sa.Column("ends_at", TIME, nullable=True),
        sa.Column("rrule", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("calendar", sa.LargeBinary(), nullable=True),
        sa.Column("written_until", TIME, nullable=True),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", TIME, nullable=False),
        sa.CheckConstraint("kind IN ('candidate','trainer','vehicle','school')", name="unavailability_kind_check"),
        sa.CheckConstraint("(kind = 'school') = (subject_id = '')", name="unavailability_subject_check"),
        sa.CheckConstraint("(calendar IS NULL) = (starts_at IS NOT NULL)", name="unavailability_source_check"),
        sa.CheckConstraint("(starts_at IS NULL) = (ends_at IS NULL)", name="unavailability_both_ends_check"),
        sa.CheckConstraint("ends_at > starts_at", name="unavailability_hours_check"),
        sa.PrimaryKeyConstraint("id", name="unavailability_pkey"),
    )
    op.create_index(
        "one_import_a_subject",
        "unavailability",
        ["school_id", "kind", "subject_id"],
        unique=True,
        postgresql_where=sa.text("calendar IS NOT NULL"),
    )
    op.create_index("unavailability_school_idx", "unavailability", ["school_id"], unique=False)
    op.create_index(
        "unavailability_rolling_idx",
        "unavailability",
        ["written_until"],
        unique=False,
        postgresql_where=sa.text("written_until IS NOT NULL"),
    )
    op.create_table(
        "occurrence",
        sa.Column("unavailability_id", sa.Text(), nullable=False),
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("during", TSTZRANGE(), nullable=False),
        sa.CheckConstraint(
            "NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)", name="occurrence_bounded_check"
        ),
        sa.ForeignKeyConstraint(
            ["unavailability_id"],
            ["unavailability.id"],
            name="occurrence_unavailability_id_fkey",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("unavailability_id", "during", name="occurrence_pkey"),
    )
    op.create_index(
        "occurrence_conflict_idx",
        "occurrence",
        ["school_id", "kind", "subject_id", "during"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_table(
        "feed",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("trainer_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("school_id", "trainer_id", name="feed_pkey"),
        sa.UniqueConstraint("token_hash", name="feed_token_hash_key"),
    )
