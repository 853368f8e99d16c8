"""Whether a candidate is wanted by a change under way, as it is now: not as it was when the statement that asks began."""

from alembic import op

revision = "0005"
down_revision = "0004"
# VOLATILE: its query has a snapshot of its own. A hold's one statement waits for its school's turn after it has begun, and
# in its own snapshot would not see whom those before it have reserved.
# unchecked: a new function that reads one row by an index, which only the release that brings it calls
WANTED_NOW = """
CREATE FUNCTION candidate_wanted_now(candidate uuid, category_ text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM basket_line AS other
        WHERE other.wanted_candidate_id = candidate AND other.category = category_ AND other.ended_at IS NULL
    );
END $$
"""


def upgrade() -> None:
    op.execute(WANTED_NOW)
