"""A claim of a request id notes what the intention made."""

from alembic import op

from resapermis_kit.database.schema import upgrade_to_commands

revision = "0008"
down_revision = "0007"
# Of holds that release 0.2.0 left without an answer; whose group it is these two columns said until now.
# unchecked: the few claims of a day that wait for the reconciler, by an index; they get a value in a column that is new
MADE = """
UPDATE request SET made = group_.id FROM group_
WHERE request.response IS NULL AND group_.request_caller = request.caller AND group_.request_id = request.request_id
"""


def upgrade() -> None:
    upgrade_to_commands(op.get_bind())
    op.execute(MADE)
