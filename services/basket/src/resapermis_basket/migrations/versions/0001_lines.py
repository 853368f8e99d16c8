"""The kit's tables; groups, their lines and what is counted."""

import sqlalchemy as sa
from alembic import op

from resapermis_kit.database.schema import create_kit_tables

revision = "0001"
down_revision = None
MOMENT = sa.DateTime(timezone=True)
STATES = (
    "'asking', 'held', 'refused', 'expired', 'released', 'withdrawn', 'confirming', 'rejected', 'booked', "
    "'cancelled', 'replaced', 'swapped', 'done'"
)
LIVE = "'asking', 'booked', 'confirming', 'held'"
ALIVE = sa.text("ended_at IS NULL")


def upgrade() -> None:
    create_kit_tables(op.get_bind())
    op.create_table(
        "group_",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("together", sa.Boolean, nullable=False),
        sa.Column("request_caller", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("warned_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="group__pkey"),
    )
    op.create_index("group__request_idx", "group_", ["request_caller", "request_id"])
    op.create_table(
        "basket_line",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("group_id", sa.Uuid, nullable=False),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("slot_id", sa.Text, nullable=False),
        sa.Column("department", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("centre_name", sa.Text, nullable=False),
        sa.Column("snapshot", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("candidate_id", sa.Uuid),
        sa.Column("rdvpermis_candidate_id", sa.Text, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("basket_id", sa.Text, nullable=False),
        sa.Column("exam_id", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("refusal", sa.LargeBinary, nullable=False),
        sa.Column("changing", sa.Text, nullable=False),
        sa.Column("wanted_candidate_id", sa.Uuid),
        sa.Column("wanted_rdvpermis_id", sa.Text, nullable=False),
        sa.Column("next_look_at", MOMENT),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("owed", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="basket_line_pkey"),
        sa.ForeignKeyConstraint(["group_id"], ["group_.id"], name="basket_line_group_id_fkey"),
        sa.UniqueConstraint("group_id", "position", name="basket_line_group_id_position_key"),
        sa.CheckConstraint("position BETWEEN 0 AND 3", name=op.f("basket_line_position_check")),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("basket_line_state_check")),
        sa.CheckConstraint(f"(ended_at IS NULL) = (state IN ({LIVE}))", name=op.f("basket_line_ended_check")),
        sa.CheckConstraint(
            "state NOT IN ('confirming', 'booked') OR candidate_id IS NOT NULL",
            name=op.f("basket_line_nominative_check"),
        ),
        sa.CheckConstraint("state <> 'held' OR expires_at IS NOT NULL", name=op.f("basket_line_expires_check")),
    )
    op.create_index("one_live_line_a_slot", "basket_line", ["slot_id"], unique=True, postgresql_where=ALIVE)
    op.create_index(
        "one_live_line_a_candidate",
        "basket_line",
        ["candidate_id", "category"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL AND candidate_id IS NOT NULL"),
    )
    op.create_index(
        "basket_line_wanted_idx",
        "basket_line",
        ["wanted_candidate_id"],
        postgresql_where=sa.text("wanted_candidate_id IS NOT NULL"),
    )
    op.create_index("basket_line_live_school_idx", "basket_line", ["school_id", "group_id"], postgresql_where=ALIVE)
    op.create_index(
        "basket_line_expires_idx", "basket_line", ["expires_at"], postgresql_where=sa.text("state = 'held'")
    )
    op.create_index(
        "basket_line_next_look_idx",
        "basket_line",
        ["next_look_at"],
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )
    op.create_index(
        "basket_line_booked_idx", "basket_line", ["starts_at"], postgresql_where=sa.text("state = 'booked'")
    )
    op.create_index("basket_line_school_starts_idx", "basket_line", ["school_id", "starts_at", "id"])
    op.create_table(
        "quota",
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("department", sa.Text, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("taken", sa.Integer, nullable=False),
        sa.Column("cap", sa.Integer, nullable=False),
        sa.Column("granted", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("school_id", "department", "month", "category", name="quota_pkey"),
        sa.CheckConstraint("taken >= 0", name=op.f("quota_taken_check")),
    )
    op.create_table(
        "heard",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("slot_id", sa.Text, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("candidate_id", sa.Uuid),
        sa.Column("category", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="heard_pkey"),
    )
