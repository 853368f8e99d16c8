"""Numbers of what is said are promised first and written with the publishing."""

from alembic import op

from resapermis_kit.database.schema import upgrade_to_promises

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    upgrade_to_promises(op.get_bind())
