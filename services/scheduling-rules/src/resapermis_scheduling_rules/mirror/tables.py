"""Tables of exam centres, slots, and of what was asked about them when."""

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
centre_polls = sa.Table(
    "centre_poll",
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
    sa.Column("loss_published_at", TIME),
    sa.Column("marked_at", TIME),
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
# No column of it is empty: a condition on the first keeps a plan made without slots from looking one up by its id here.
sa.Index(
    "slot_of_centre_idx",
    slots.c.centre_id,
    slots.c.category,
    slots.c.starts_at,
    slots.c.id,
    postgresql_where=slots.c.centre_id.is_not(None),
)
OFFERED = sa.and_(slots.c.status == sa.literal_column("'FREE'"), slots.c.withdrawn_at.is_(None))
for _name, _where in (("slot_free_idx", slots.c.department), ("slot_centre_free_idx", slots.c.centre_id)):
    sa.Index(_name, _where, slots.c.category, slots.c.starts_at, slots.c.id, postgresql_where=OFFERED)
polls = sa.Table(
    "poll",
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
sa.Index("poll_day_idx", polls.c.day)
sa.Index("poll_tried_idx", polls.c.tried_at)
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
