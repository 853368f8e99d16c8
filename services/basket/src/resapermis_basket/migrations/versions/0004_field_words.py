"""Release 0.2.0: the field's own words in tables and columns."""

from alembic import op

from resapermis_kit.database.schema import upgrade_to_streams

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    upgrade_to_streams(op.get_bind())
    op.alter_column("group_", "together", new_column_name="all_or_nothing")
    op.alter_column("basket_line", "next_look_at", new_column_name="next_poll_at")
    op.alter_column("basket_line", "looks", new_column_name="polls")
    op.execute("ALTER INDEX basket_line_next_look_idx RENAME TO basket_line_next_poll_idx")
    op.alter_column("eligibility", "word", new_column_name="code")
    op.alter_column("watched", "next_sweep_at", new_column_name="next_reconciliation_at")
    op.execute("ALTER INDEX watched_next_sweep_at_idx RENAME TO watched_next_reconciliation_at_idx")
    op.rename_table("heard", "received_event")
    op.execute("ALTER INDEX heard_pkey RENAME TO received_event_pkey")
