"""Tables of scheduling-rules."""

import sqlalchemy as sa

from resapermis_kit.database.metadata import NAMING

metadata = sa.MetaData(naming_convention=NAMING)
TIME = sa.DateTime(timezone=True)

centres = sa.Table(
    "centre",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("latitude", sa.Float),
    sa.Column("longitude", sa.Float),
)
offers = sa.Table(
    "centre_offer",
    metadata,
    sa.Column("department", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("centre_id", sa.Text, sa.ForeignKey("centre.id"), primary_key=True),
)
centre_looks = sa.Table(
    "centre_look",
    metadata,
    sa.Column("department", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("seen_at", TIME, nullable=False),
)
slots = sa.Table(
    "slot",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("centre_id", sa.Text, sa.ForeignKey("centre.id"), nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("starts_at", TIME, nullable=False),
    sa.Column("ends_at", TIME, nullable=False),
    sa.Column("published_at", TIME, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("school_id", sa.Text),
    sa.Column("held_until", TIME),
    sa.Column("seen_at", TIME, nullable=False),
    sa.Column("withdrawn_at", TIME),
    sa.Column("reappeared_at", TIME),
    sa.Column("lost_said_at", TIME),
    sa.CheckConstraint("status IN ('FREE','TAKEN','WITHDRAWN','OTHER')", name="status"),
    sa.CheckConstraint("starts_at < ends_at", name="hours"),
)
sa.Index(
    "slot_search_idx",
    slots.c.department,
    slots.c.category,
    slots.c.starts_at,
    slots.c.id,
    postgresql_where=slots.c.withdrawn_at.is_(None),
)
sa.Index("slot_centre_idx", slots.c.centre_id, slots.c.category, slots.c.starts_at, slots.c.id)
OFFERED = sa.and_(slots.c.status == sa.literal_column("'FREE'"), slots.c.withdrawn_at.is_(None))
for _name, _where in (("slot_free_idx", slots.c.department), ("slot_centre_free_idx", slots.c.centre_id)):
    sa.Index(_name, _where, slots.c.category, slots.c.starts_at, slots.c.id, postgresql_where=OFFERED)
looks = sa.Table(
    "look",
    metadata,
    sa.Column("centre_id", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("seen_at", TIME),
    sa.Column("tried_at", TIME, nullable=False),
    sa.Column("trouble", sa.Text, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False, server_default="0"),
    sa.Column("doubted_at", TIME),
)
sa.Index("look_day_idx", looks.c.day)
sa.Index("look_tried_idx", looks.c.tried_at)
interests = sa.Table(
    "interest",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("department", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("first_day", sa.Date, nullable=False),
    sa.Column("last_day", sa.Date, nullable=False),
    sa.Column("at", TIME, nullable=False),
    sa.Column("centre_ids", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
)
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
    sa.CheckConstraint("name NOT LIKE '%\\_days' OR value <= 366", name="bar_of_a_year"),
    sa.CheckConstraint("name NOT LIKE '%\\_hours' OR value <= 8784", name="hours_of_a_year"),
    sa.CheckConstraint("name NOT LIKE '%\\_minutes' OR value <= 1440", name="minutes_of_a_day"),
    sa.CheckConstraint("name NOT LIKE '%\\_seconds' OR value <= 31622400", name="seconds_of_a_year"),
    sa.CheckConstraint("name <> 'travel_kmh' OR value >= 1", name="some_speed"),
    sa.CheckConstraint("name <> 'travel_detour' OR value >= 1", name="no_shortcut"),
    sa.CheckConstraint("name <> 'pass_points' OR value BETWEEN 17 AND 31", name="points_of_31"),
    sa.CheckConstraint("name <> 'eligibility_fresh_seconds' OR value <= 86400", name="word_of_a_day"),
    sa.CheckConstraint("approved_by IS DISTINCT FROM set_by", name="four_eyes"),
)
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
)
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
bars = sa.Table(
    "bar",
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
    sa.Column("lift_reason", sa.Text),
    sa.Column("proposed_by", sa.Text),
    sa.Column("proposed_at", TIME),
    sa.Column("approved_by", sa.Text),
    sa.Column("approved_at", TIME),
    sa.CheckConstraint("since < until", name="time"),
    sa.CheckConstraint("approved_by <> proposed_by", name="four_eyes"),
    sa.CheckConstraint("approved_by IS NULL OR proposed_by IS NOT NULL", name="proposed_first"),
    sa.CheckConstraint("proposed_by IS NULL OR lift_reason IS NOT NULL", name="with_a_reason"),
    sa.CheckConstraint("proposed_by IS NULL OR line_id IS NOT NULL", name="rdvpermis_lifts_its_own"),
)
"""One that follows from a line of ours names it; RdvPermis' own names none."""
sa.Index("bar_candidate_idx", bars.c.candidate_id, bars.c.category)
sa.Index(
    "one_bar_a_line_and_reason",
    bars.c.line_id,
    bars.c.reason,
    unique=True,
    postgresql_where=bars.c.line_id.is_not(None),
)
penalty_looks = sa.Table(
    "penalty_look",
    metadata,
    sa.Column("candidate_id", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("seen_at", TIME, nullable=False),
)
said = sa.Table(
    "threshold_said",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("department", sa.Text, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("percent", sa.Integer, primary_key=True),
)
