"""Release 0.2.0: the field's own words in tables and columns."""

from alembic import op

from resapermis_kit.database.schema import upgrade_to_streams

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    upgrade_to_streams(op.get_bind())
    op.alter_column("mandate", "looks", new_column_name="polls")
    op.alter_column("mandate", "next_look_at", new_column_name="next_poll_at")
