"""A token is ended, and what it kept handed to what the provider is to revoke, by who may read neither (ADR 41).

The web face ends sessions and grants. It serves as a role that cannot read sealed tokens: the database moves them.
"""

from alembic import op

revision = "0021"
down_revision = "0020"

# unchecked: it touches no row by itself; replicas of the release before do the same with statements of their own
END_AND_REVOKE = """
CREATE OR REPLACE FUNCTION end_and_revoke(
    of_token uuid, why text, moment timestamptz, revocation_id uuid, offline_until timestamptz
) RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH kept AS (
        SELECT token.id, access, access_expires_at, refresh, refresh_expires_at FROM token
        WHERE token.id = of_token AND dead_at IS NULL FOR UPDATE
    ), dead AS (
        UPDATE token SET dead_at = moment, reason = why, access = NULL, refresh = NULL, lease_until = NULL
        FROM kept WHERE token.id = kept.id
    )
    INSERT INTO revocation (id, token_id, kind, sealed, tries, due_at, ends_at)
    SELECT revocation_id, kept.id, CASE WHEN refresh IS NULL THEN 'access' ELSE 'refresh' END, coalesce(refresh, access), 0,
        moment, CASE WHEN refresh IS NULL THEN access_expires_at ELSE coalesce(refresh_expires_at, offline_until) END
    FROM kept RETURNING true
$$
"""


def upgrade() -> None:
    op.execute(END_AND_REVOKE)
