"""Tables of what schools and people want watched, and of what came for them."""

import sqlalchemy as sa

from resapermis_kit.database.metadata import NAMING

metadata = sa.MetaData(naming_convention=NAMING)
TIME = sa.DateTime(timezone=True)

favourites = sa.Table(
    "favourite",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("centre_id", sa.Text, primary_key=True),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.CheckConstraint("priority BETWEEN 0 AND 2", name="priority"),
)
favourite_polls = sa.Table(
    "favourite_poll",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("seen_at", TIME),
    sa.Column("tried_at", TIME, nullable=False),
)
searches = sa.Table(
    "saved_search",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("search", sa.LargeBinary, nullable=False),
    sa.Column("alert", sa.Boolean, nullable=False),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("matched_at", TIME),
    sa.Column("sealed_label", sa.LargeBinary),
    sa.UniqueConstraint("account_id", "place"),
    sa.CheckConstraint("place BETWEEN 1 AND 20", name="at_most_twenty"),
)
scopes = sa.Table(
    "saved_search_scope",
    metadata,
    sa.Column("search_id", sa.Uuid, sa.ForeignKey("saved_search.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("department", sa.Text, primary_key=True),
    sa.Column("centre_id", sa.Text, primary_key=True),
    sa.Column("within_km", sa.Integer),
)
sa.Index("saved_search_scope_idx", scopes.c.category, scopes.c.department, scopes.c.centre_id)
matches = sa.Table(
    "search_match",
    metadata,
    sa.Column("search_id", sa.Uuid, sa.ForeignKey("saved_search.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("slot_id", sa.Text, primary_key=True),
    sa.Column("matched_at", TIME, nullable=False),
)
sa.Index("search_match_idx", matches.c.matched_at)
news = sa.Table(
    "slot_news",
    metadata,
    sa.Column("slot_id", sa.Text, primary_key=True),
    sa.Column("due_at", TIME, primary_key=True),
)
sa.Index("slot_news_due_idx", news.c.due_at)
