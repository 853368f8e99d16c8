"""The index of a centre's slots serves only questions by centre; made while slots are written and read."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # What a migration that was cut off left is not valid, and would stay.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS slot_of_centre_idx")
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS slot_of_centre_idx ON slot (centre_id, category, starts_at, id)"
            " WHERE centre_id IS NOT NULL"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS slot_centre_idx")
