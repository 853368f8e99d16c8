"""A record's place in the tree is given once: the role that serves may set it, and may not change or take it back."""

from alembic import op

revision = "0007"
down_revision = "0006"

# unchecked: it touches no row; replicas of the release before give each record its place once, too
PLACED = """
CREATE FUNCTION entry_is_placed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'record % has its place in the tree', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
# unchecked: a trigger of a table that only grows, locked for the moment of making it; rows are not looked through
ONCE = """
CREATE TRIGGER entry_is_placed BEFORE UPDATE OF leaf_index ON entry
FOR EACH ROW WHEN (OLD.leaf_index IS NOT NULL) EXECUTE FUNCTION entry_is_placed()
"""


def upgrade() -> None:
    op.execute(PLACED)
    op.execute(ONCE)
