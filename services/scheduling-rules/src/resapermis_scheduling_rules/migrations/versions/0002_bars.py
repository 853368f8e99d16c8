"""Bars and their lifting, who and what a line occupies, when a parameter was approved, and the parameters of new rules."""

from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TIME = sa.DateTime(timezone=True)
ALWAYS = datetime(2020, 1, 1, tzinfo=UTC)
DEFAULTS: dict[str, float] = {
    "replacements": 5,
    "plateau": 0,
    "eligibility_fresh_seconds": 900,
    "absence_days": 40,
    "late_cancel_days": 6,
    "late_cancel_bar_days": 30,
    "pass_points": 20,
    "failure_17_days": 7,
    "failure_14_days": 14,
    "failure_10_days": 21,
    "failure_5_days": 28,
    "failure_0_days": 35,
    "result_hours": 48,
    "exam_minutes": 32,
    "available_margin_minutes": 30,
    "travel_kmh": 50,
    "travel_detour": 1.3,
}
PLATEAU_FIRST = ("A", "A1", "A2", "BE", "C", "C1", "C1E", "CE", "D", "D1", "D1E", "DE")
"""Motorcycles and heavy vehicles: the plateau is passed before the circulation test."""
CHECKS = {
    "parameter_plateau_yes_or_no_check": "name <> 'plateau' OR value IN (0, 1)",
    "parameter_bar_of_a_year_check": "name NOT LIKE '%\\_days' OR value <= 366",
    "parameter_hours_of_a_year_check": "name NOT LIKE '%\\_hours' OR value <= 8784",
    "parameter_minutes_of_a_day_check": "name NOT LIKE '%\\_minutes' OR value <= 1440",
    "parameter_seconds_of_a_year_check": "name NOT LIKE '%\\_seconds' OR value <= 31622400",
    "parameter_some_speed_check": "name <> 'travel_kmh' OR value >= 1",
    "parameter_no_shortcut_check": "name <> 'travel_detour' OR value >= 1",
    "parameter_points_of_31_check": "name <> 'pass_points' OR value BETWEEN 17 AND 31",
    "parameter_word_of_a_day_check": "name <> 'eligibility_fresh_seconds' OR value <= 86400",
}


def upgrade() -> None:
    op.add_column("parameter", sa.Column("approved_at", TIME, nullable=True))
    op.execute("UPDATE parameter SET approved_at = set_at WHERE approved_by IS NOT NULL")
    for name, check in CHECKS.items():
        op.execute(f"ALTER TABLE parameter ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
        op.execute(f"ALTER TABLE parameter VALIDATE CONSTRAINT {name}")
    for column in ("slot_id", "candidate_id", "trainer_id", "vehicle_id", "centre_id", "kind"):
        op.add_column("line", sa.Column(column, sa.Text(), nullable=True))
    op.add_column("line", sa.Column("starts_at", TIME, nullable=True))
    op.add_column("line", sa.Column("ends_at", TIME, nullable=True))
    op.create_index(
        "line_hours_idx",
        "line",
        ["school_id", "starts_at"],
        unique=False,
        postgresql_where=sa.text("starts_at IS NOT NULL"),
    )
    op.create_table(
        "bar",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("candidate_id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("until", TIME, nullable=True),
        sa.Column("line_id", sa.Text(), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=True),
        sa.Column("proposed_by", sa.Text(), nullable=True),
        sa.Column("proposed_at", TIME, nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", TIME, nullable=True),
        sa.CheckConstraint("since < until", name="bar_time_check"),
        sa.CheckConstraint("approved_by <> proposed_by", name="bar_four_eyes_check"),
        sa.CheckConstraint("approved_by IS NULL OR proposed_by IS NOT NULL", name="bar_proposed_first_check"),
        sa.CheckConstraint("proposed_by IS NULL OR lift_reason IS NOT NULL", name="bar_with_a_reason_check"),
        sa.CheckConstraint("proposed_by IS NULL OR line_id IS NOT NULL", name="bar_rdvpermis_lifts_its_own_check"),
        sa.PrimaryKeyConstraint("id", name="bar_pkey"),
    )
    op.create_index("bar_candidate_idx", "bar", ["candidate_id", "category"], unique=False)
    op.create_index(
        "one_bar_a_line_and_reason",
        "bar",
        ["line_id", "reason"],
        unique=True,
        postgresql_where=sa.text("line_id IS NOT NULL"),
    )
    op.create_table(
        "penalty_look",
        sa.Column("candidate_id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("candidate_id", "category", name="penalty_look_pkey"),
    )
    columns = ("id", "name", "category", "value", "valid_from", "set_by", "approved_by", "set_at", "approved_at")
    rows: list[tuple[str, str | None, float]] = [(name, None, value) for name, value in DEFAULTS.items()]
    rows += [("plateau", category, 1) for category in PLATEAU_FIRST]
    op.bulk_insert(
        sa.table("parameter", *(sa.column(name) for name in columns)),
        [
            dict(
                zip(
                    columns,
                    (UUID(int=n), name, category, value, ALWAYS, "migration 0002", "domain.md", ALWAYS, ALWAYS),
                    strict=True,
                )
            )
            for n, (name, category, value) in enumerate(rows, start=101)
        ],
    )
