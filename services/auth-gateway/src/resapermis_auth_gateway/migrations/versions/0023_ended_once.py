"""A session ends once: a role that may end one may not open it again, or change when and why it ended (ADR 41)."""

from alembic import op

revision = "0023"
down_revision = "0022"

# unchecked: it touches no row; replicas of the release before end a session once, too (`WHERE ended_at IS NULL`)
ENDED = """
CREATE FUNCTION session_has_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'session % has ended', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
# unchecked: a trigger is made without looking through rows, in a moment; it fires for no statement of either release
ONCE = """
CREATE TRIGGER session_has_ended BEFORE UPDATE OF ended_at, end_cause ON session
FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION session_has_ended()
"""


def upgrade() -> None:
    op.execute(ENDED)
    op.execute(ONCE)
