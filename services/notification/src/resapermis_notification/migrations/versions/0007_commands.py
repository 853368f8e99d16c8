"""A claim of a request id notes what the intention made."""

from alembic import op

from resapermis_kit.database.schema import upgrade_to_commands

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    upgrade_to_commands(op.get_bind())
