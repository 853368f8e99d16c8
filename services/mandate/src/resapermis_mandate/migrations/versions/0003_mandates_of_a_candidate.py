"""Mandates are found by their candidate, without a look at all of the school's."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("mandate_candidate_idx", "mandate", ["candidate_id"])
