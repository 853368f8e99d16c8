"""Each grant has an end, and nothing else has. Nobody could give one before: no row is against it."""

from alembic import op

revision = "0017"
down_revision = "0016"
contracts_after = "v0.2.0"  # writes tokens of the kinds access and refresh, without an end


def upgrade() -> None:
    op.execute(
        "ALTER TABLE token ADD CONSTRAINT token_grant_ends_check"
        " CHECK ((kind = 'grant') = (ends_at IS NOT NULL)) NOT VALID"
    )
