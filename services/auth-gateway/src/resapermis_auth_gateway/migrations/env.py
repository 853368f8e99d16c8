"""Alembic environment of auth-gateway.

Two processes serve from this database, each as a role of its own: who has taken over the one that reads what browsers send reads
no token, and who has taken over the one that reads what the provider and RdvPermis answer opens no session (ADR 41).
"""

import sqlalchemy as sa

from resapermis_auth_gateway import tables
from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.migration import run_migrations
from resapermis_kit.roles.rights import ALL, Rights

SEALED = frozenset({"access", "refresh", "sealed"})
"""Columns that hold tokens, sealed under the keyset of egress."""


def _select(table: sa.Table) -> str:
    """The right to read all of a table but what is sealed in it."""
    return f"SELECT ({', '.join(column.name for column in table.columns if column.name not in SEALED)})"


WEB = Rights(
    {
        # Tokens are kept as they came from egress, and ended by a function of the owner's.
        "token": (_select(tables.tokens), "INSERT", "UPDATE (school_id)"),
        "revocation": (_select(tables.revocations), "DELETE"),
    }
)
EGRESS = Rights(
    {
        "account": ("SELECT (id, issuer, subject)",),
        "session": ("SELECT (id, account_id, school_id, ended_at)", "UPDATE (ended_at, end_cause)"),
        "token": ("SELECT", "UPDATE", "DELETE"),
        "revocation": ALL,
        "replica": ALL,
        "outbox": ("SELECT", "INSERT"),
        "outbox_head": ("SELECT",),
    },
    others=(),
)
AS_IN_0_2_0 = Rights(optional=True)
"""Processes of release 0.2.0 serve as one role while they are replaced. A contract of the next release: nothing (ADR 38)."""

run_migrations([tables.metadata, KIT], {"": AS_IN_0_2_0, "_web": WEB, "_egress": EGRESS})
