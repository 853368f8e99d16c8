"""Table of the rules' numbers."""

import sqlalchemy as sa

from resapermis_kit.database.metadata import NAMING

metadata = sa.MetaData(naming_convention=NAMING)
TIME = sa.DateTime(timezone=True)

parameters = sa.Table(
    "parameter",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("department", sa.Text),
    sa.Column("category", sa.Text),
    sa.Column("value", sa.Numeric(12, 4), nullable=False),
    sa.Column("valid_from", TIME, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text),
    sa.Column("set_at", TIME, nullable=False),
    sa.Column("approved_at", TIME),
    sa.UniqueConstraint("name", "department", "category", "valid_from", postgresql_nulls_not_distinct=True),
    sa.CheckConstraint("name <> 'group' OR value IN (1, 2, 3, 4)", name="group_at_most_four"),
    sa.CheckConstraint("name <> 'basket' OR value BETWEEN 1 AND 36", name="basket_at_most_36"),
    sa.CheckConstraint("name <> 'pace_full_day' OR value BETWEEN 1 AND 28", name="pace_full_day_in_month"),
    sa.CheckConstraint("name NOT LIKE '%\\_percent' OR value BETWEEN 0 AND 100", name="percent"),
    sa.CheckConstraint("value >= 0", name="not_negative"),
    sa.CheckConstraint("name <> 'plateau' OR value IN (0, 1)", name="plateau_yes_or_no"),
    sa.CheckConstraint("name NOT LIKE '%\\_days' OR value <= 366", name="restriction_of_a_year"),
    sa.CheckConstraint("name NOT LIKE '%\\_hours' OR value <= 8784", name="hours_of_a_year"),
    sa.CheckConstraint("name NOT LIKE '%\\_minutes' OR value <= 1440", name="minutes_of_a_day"),
    sa.CheckConstraint("name NOT LIKE '%\\_seconds' OR value <= 31622400", name="seconds_of_a_year"),
    sa.CheckConstraint("name <> 'travel_kmh' OR value >= 1", name="some_speed"),
    sa.CheckConstraint("name <> 'travel_detour' OR value >= 1", name="no_shortcut"),
    sa.CheckConstraint("name <> 'pass_points' OR value BETWEEN 17 AND 31", name="points_of_31"),
    sa.CheckConstraint("name <> 'eligibility_fresh_seconds' OR value <= 86400", name="word_of_a_day"),
    sa.CheckConstraint("approved_by IS DISTINCT FROM set_by", name="four_eyes"),
)
