"""Slots, schools, thresholds, and domain.md's parameters with their defaults."""

from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from resapermis_kit.database.schema import create_kit_tables

revision = "0001"
down_revision = None

DEFAULTS = {
    "territory_hours": 48,
    "threshold_rate": 4.5,
    "pace_first_percent": 60,
    "pace_full_day": 15,
    "basket": 12,
    "group": 4,
    "hold_ttl_seconds": 900,
    "notice_seconds": 0,
    "warn_percent": 80,
    "look_stale_seconds": 60,
}
ALWAYS = datetime(2020, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    create_kit_tables(op.get_bind())
    op.create_table(
        "centre",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="centre_pkey"),
    )
    op.create_table(
        "centre_look",
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("department", "category", name="centre_look_pkey"),
    )
    op.create_table(
        "interest",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "department", "category", name="interest_pkey"),
    )
    op.create_table(
        "line",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="line_pkey"),
    )
    op.create_index("line_usage_idx", "line", ["school_id", "month"], unique=False)
    op.create_table(
        "look",
        sa.Column("centre_id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("centre_id", "category", "day", name="look_pkey"),
    )
    op.create_index("look_day_idx", "look", ["day"], unique=False)
    op.create_table(
        "parameter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("value", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("name <> 'basket' OR value BETWEEN 1 AND 36", name="parameter_basket_at_most_36_check"),
        sa.CheckConstraint("name <> 'group' OR value IN (1, 2, 3, 4)", name="parameter_group_at_most_four_check"),
        sa.CheckConstraint(
            "name <> 'pace_full_day' OR value BETWEEN 1 AND 28", name="parameter_pace_full_day_in_month_check"
        ),
        sa.CheckConstraint("name NOT LIKE '%\\_percent' OR value BETWEEN 0 AND 100", name="parameter_percent_check"),
        sa.CheckConstraint("approved_by IS DISTINCT FROM set_by", name="parameter_four_eyes_check"),
        sa.CheckConstraint("value >= 0", name="parameter_not_negative_check"),
        sa.PrimaryKeyConstraint("id", name="parameter_pkey"),
        sa.UniqueConstraint(
            "name",
            "department",
            "category",
            "valid_from",
            name="parameter_name_department_category_valid_from_key",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "school",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("licence_number", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("fte", sa.Numeric(precision=8, scale=2), nullable=True),
        sa.Column("licensed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="school_pkey"),
    )
    op.create_table(
        "threshold",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("rdvpermis_limit", sa.Integer(), nullable=True),
        sa.Column("elsewhere", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fte", sa.Numeric(precision=8, scale=2), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("school_id", "department", "month", "category", name="threshold_pkey"),
    )
    op.create_table(
        "threshold_said",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("school_id", "department", "month", "category", "percent", name="threshold_said_pkey"),
    )
    op.create_table(
        "centre_offer",
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("centre_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["centre_id"], ["centre.id"], name="centre_offer_centre_id_fkey"),
        sa.PrimaryKeyConstraint("department", "category", "centre_id", name="centre_offer_pkey"),
    )
    op.create_table(
        "slot",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("centre_id", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("school_id", sa.Text(), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('FREE','TAKEN','WITHDRAWN','OTHER')", name="slot_status_check"),
        sa.CheckConstraint("starts_at < ends_at", name="slot_hours_check"),
        sa.ForeignKeyConstraint(["centre_id"], ["centre.id"], name="slot_centre_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="slot_pkey"),
    )
    op.create_index("slot_centre_idx", "slot", ["centre_id", "category", "starts_at", "id"], unique=False)
    op.create_index(
        "slot_search_idx",
        "slot",
        ["department", "category", "starts_at", "id"],
        unique=False,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    columns = ("id", "name", "value", "valid_from", "set_by", "approved_by", "set_at")
    op.bulk_insert(
        sa.table("parameter", *(sa.column(name) for name in columns)),
        [
            dict(zip(columns, (UUID(int=n), name, value, ALWAYS, "migration 0001", "domain.md", ALWAYS), strict=True))
            for n, (name, value) in enumerate(DEFAULTS.items(), start=1)
        ],
    )
