"""Who accompanies, what was found elsewhere, judgements with their facts, results, preparations, and what is swept."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
MOMENT = sa.DateTime(timezone=True)
NAMED = "state NOT IN ('confirming', 'booked') OR candidate_id IS NOT NULL OR (found_elsewhere AND state = 'booked')"
ELSEWHERE = "NOT found_elsewhere OR state IN ('booked', 'cancelled', 'replaced', 'swapped', 'done')"
OVERLAP = (
    "ALTER TABLE basket_line ADD CONSTRAINT {name} EXCLUDE USING gist (school_id WITH =, {column} WITH =, "
    "tstzrange(starts_at, ends_at) WITH &&) WHERE (ended_at IS NULL AND {column} <> '')"
)


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    for name in ("centre_id", "kind", "trainer_id", "vehicle_id", "outcome"):
        op.add_column("basket_line", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("basket_line", sa.Column("found_elsewhere", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("basket_line", sa.Column("partner_id", sa.Uuid))
    op.add_column("basket_line", sa.Column("points", sa.SmallInteger))
    op.add_column("basket_line", sa.Column("result_at", MOMENT))
    op.drop_constraint("basket_line_nominative_check", "basket_line", type_="check")
    op.create_check_constraint(op.f("basket_line_nominative_check"), "basket_line", NAMED)
    op.create_check_constraint(op.f("basket_line_elsewhere_check"), "basket_line", ELSEWHERE)
    op.create_check_constraint(op.f("basket_line_result_check"), "basket_line", "outcome = '' OR state = 'done'")
    for column in ("trainer_id", "vehicle_id"):
        name = f"one_place_at_a_time_a_{column.removesuffix('_id')}"
        op.execute(OVERLAP.format(name=name, column=column))
    op.create_table(
        "judgement",
        sa.Column("line_id", sa.Uuid, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
        sa.Column("drift", sa.Text, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("line_id", "purpose", name="judgement_pkey"),
        sa.ForeignKeyConstraint(["line_id"], ["basket_line.id"], name="judgement_line_id_fkey", ondelete="CASCADE"),
    )
    op.create_table(
        "prepared_basket",
        sa.Column("basket_id", sa.Text, nullable=False),
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("taken_at", MOMENT),
        sa.Column("next_drop_at", MOMENT),
        sa.PrimaryKeyConstraint("basket_id", name="prepared_basket_pkey"),
    )
    op.create_index(
        "one_basket_prepared_a_person",
        "prepared_basket",
        ["school_id", "account_id"],
        unique=True,
        postgresql_where=sa.text("taken_at IS NULL AND next_drop_at IS NULL"),
    )
    op.create_table(
        "eligibility",
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("rdvpermis_candidate_id", sa.Text, nullable=False),
        sa.Column("eligible", sa.Boolean, nullable=False),
        sa.Column("word", sa.Text, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("school_id", "category", "rdvpermis_candidate_id", name="eligibility_pkey"),
    )
    op.create_index("eligibility_seen_at_idx", "eligibility", ["seen_at"])
    op.create_table(
        "watched",
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("next_sweep_at", MOMENT, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("school_id", name="watched_pkey"),
    )
    op.create_index("watched_next_sweep_at_idx", "watched", ["next_sweep_at"])
    op.create_table(
        "allowance",
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("left_", sa.Integer, nullable=False),
        sa.Column("per_month", sa.Integer, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("school_id", "category", "month", name="allowance_pkey"),
    )
    op.create_table(
        "penalties_seen",
        sa.Column("school_id", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("rdvpermis_candidate_id", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("school_id", "category", "rdvpermis_candidate_id", name="penalties_seen_pkey"),
    )
    op.create_table(
        "compliance_check",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.Column("bookings", sa.Integer, nullable=False),
        sa.Column("judgements", sa.Integer, nullable=False),
        sa.Column("drifted", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="compliance_check_pkey"),
    )
    op.create_index("compliance_check_ended_at_idx", "compliance_check", ["ended_at"])
