"""Release 0.2.0: the field's own words in tables and columns."""

from alembic import op

from resapermis_kit.database.schema import upgrade_to_streams

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    upgrade_to_streams(op.get_bind())
