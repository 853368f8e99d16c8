"""Searches over a large mirror, what comes back to it, and what schools and people want watched."""

from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TIME = sa.DateTime(timezone=True)
ALWAYS = datetime(2020, 1, 1, tzinfo=UTC)
OFFERED = sa.text("status = 'FREE' AND withdrawn_at IS NULL")
PUBLICATION = (
    ("publication_minutes", None, 900),
    ("publication_weekday", None, 0),
    ("publication_weekday", "B", 1),
    ("publication_weekday", "A", 2),
)
"""15:00; in practice Mondays for B and Tuesdays for motorcycles (domain.md, facts); 0: any day."""


def upgrade() -> None:
    op.add_column("slot", sa.Column("reappeared_at", TIME, nullable=True))
    op.add_column("slot", sa.Column("lost_said_at", TIME, nullable=True))
    op.add_column("look", sa.Column("doubted_at", TIME, nullable=True))
    op.add_column(
        "interest", sa.Column("centre_ids", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)
    )
    op.create_index(
        "slot_free_idx", "slot", ["department", "category", "starts_at", "id"], unique=False, postgresql_where=OFFERED
    )
    op.create_index(
        "slot_centre_free_idx",
        "slot",
        ["centre_id", "category", "starts_at", "id"],
        unique=False,
        postgresql_where=OFFERED,
    )
    op.create_index("look_tried_idx", "look", ["tried_at"], unique=False)
    op.create_table(
        "favourite",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("centre_id", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.CheckConstraint("priority BETWEEN 0 AND 2", name="favourite_priority_check"),
        sa.PrimaryKeyConstraint("school_id", "category", "centre_id", name="favourite_pkey"),
    )
    op.create_table(
        "favourite_look",
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("seen_at", TIME, nullable=True),
        sa.Column("tried_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("school_id", name="favourite_look_pkey"),
    )
    op.create_table(
        "saved_search",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("school_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("search", sa.LargeBinary(), nullable=False),
        sa.Column("alert", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("matched_at", TIME, nullable=True),
        sa.CheckConstraint("place BETWEEN 1 AND 20", name="saved_search_at_most_twenty_check"),
        sa.PrimaryKeyConstraint("id", name="saved_search_pkey"),
        sa.UniqueConstraint("account_id", "place", name="saved_search_account_id_place_key"),
    )
    op.create_table(
        "saved_search_scope",
        sa.Column("search_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("centre_id", sa.Text(), nullable=False),
        sa.Column("within_km", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["search_id"], ["saved_search.id"], name="saved_search_scope_search_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("search_id", "department", "centre_id", name="saved_search_scope_pkey"),
    )
    op.create_index(
        "saved_search_scope_idx", "saved_search_scope", ["category", "department", "centre_id"], unique=False
    )
    op.create_table(
        "search_match",
        sa.Column("search_id", sa.Uuid(), nullable=False),
        sa.Column("slot_id", sa.Text(), nullable=False),
        sa.Column("matched_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["search_id"], ["saved_search.id"], name="search_match_search_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("search_id", "slot_id", name="search_match_pkey"),
    )
    op.create_index("search_match_idx", "search_match", ["matched_at"], unique=False)
    op.create_table(
        "slot_news",
        sa.Column("slot_id", sa.Text(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("slot_id", "due_at", name="slot_news_pkey"),
    )
    op.create_index("slot_news_due_idx", "slot_news", ["due_at"], unique=False)
    columns = ("id", "name", "category", "value", "valid_from", "set_by", "approved_by", "set_at")
    op.bulk_insert(
        sa.table("parameter", *(sa.column(name) for name in columns)),
        [
            dict(
                zip(
                    columns,
                    (UUID(int=400 + n), name, category, value, ALWAYS, "migration 0004", "domain.md", ALWAYS),
                    strict=True,
                )
            )
            for n, (name, category, value) in enumerate(PUBLICATION)
        ],
    )
