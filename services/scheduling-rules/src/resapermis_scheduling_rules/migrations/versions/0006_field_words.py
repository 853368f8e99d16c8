"""Release 0.2.0: the field's own words in tables, columns, indexes, constraints and names of parameters.

Of what is kept nothing else changes.
"""

import sqlalchemy as sa
from alembic import op

from resapermis_kit.database.schema import upgrade_to_streams

revision = "0006"
down_revision = "0005"

TABLES = {
    "centre_look": "centre_poll",
    "look": "poll",
    "favourite_look": "favourite_poll",
    "penalty_look": "penalty_poll",
    "bar": "restriction",
    "threshold_said": "threshold_published",
    "authorisation_said": "authorisation_published",
}
INDEXES = {
    "look_day_idx": "poll_day_idx",
    "look_tried_idx": "poll_tried_idx",
    "bar_candidate_idx": "restriction_candidate_idx",
    "one_bar_a_line_and_reason": "one_restriction_a_line_and_reason",
}
CONSTRAINTS = (
    ("restriction", "bar_time_check", "restriction_time_check"),
    ("restriction", "bar_four_eyes_check", "restriction_four_eyes_check"),
    ("restriction", "bar_proposed_first_check", "restriction_proposed_first_check"),
    ("restriction", "bar_with_a_reason_check", "restriction_with_a_reason_check"),
    ("restriction", "bar_rdvpermis_lifts_its_own_check", "restriction_rdvpermis_waives_its_own_check"),
    ("authorisation_published", "authorisation_said_days_check", "authorisation_published_days_check"),
    ("parameter", "parameter_bar_of_a_year_check", "parameter_restriction_of_a_year_check"),
)
PARAMETERS = {"look_stale_seconds": "poll_stale_seconds", "late_cancel_bar_days": "late_cancel_restriction_days"}
NOT_NULL = """
DO $$
DECLARE one record;
BEGIN
  FOR one IN
    SELECT conrelid::regclass AS of_table, conname AS old, '{new}_' || substr(conname, {after}) AS new
    FROM pg_constraint WHERE contype = 'n' AND conrelid = '{new}'::regclass AND starts_with(conname, '{old}_')
  LOOP
    EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', one.of_table, one.old, one.new);
  END LOOP;
END $$
"""
"""Since PostgreSQL 18 each NOT NULL has a name, made of its table's and column's; before it there is nothing to rename."""


def upgrade() -> None:
    upgrade_to_streams(op.get_bind())
    for old, new in TABLES.items():
        op.rename_table(old, new)
        op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT {old}_pkey TO {new}_pkey")
        op.execute(NOT_NULL.format(old=old, new=new, after=len(old) + 2))
    for old, new in INDEXES.items():
        op.execute(f"ALTER INDEX {old} RENAME TO {new}")
    for table, old, new in CONSTRAINTS:
        op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")
    parameter = sa.table("parameter", sa.column("name"))
    for old, new in PARAMETERS.items():
        op.get_bind().execute(parameter.update().where(parameter.c.name == old).values(name=new))
    op.alter_column("restriction", "lift_reason", new_column_name="waiver_reason")
    op.alter_column("slot", "lost_said_at", new_column_name="loss_published_at")
