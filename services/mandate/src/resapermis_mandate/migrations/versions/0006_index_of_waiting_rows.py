"""The index of what waits in the outbox, in the order of writing; made while the outbox is written and read."""

from alembic import op

from resapermis_kit.database.schema import index_sequence

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        index_sequence(op.get_bind())
