"""As every service has it."""

from alembic import op

from resapermis_kit.database.schema import upgrade_to_sequence

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add."""
    upgrade_to_sequence(op.get_bind())
