"""Alembic environment of audit."""

from resapermis_audit.tables import metadata
from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.migration import run_migrations
from resapermis_kit.roles.rights import Rights

ADD_ONLY = ("SELECT", "INSERT")
JOURNAL = Rights(
    {
        "entry": (
            *ADD_ONLY,
            "UPDATE (leaf_index)",
        ),  # a record gets its place in the tree after it was stored, once (0007)
        "node": ADD_ONLY,
        "checkpoint": ADD_ONLY,
        "signing_key": ADD_ONLY,
    }
)
"""Who has taken over the process that serves cannot change or take away a record, a node of the tree or what was signed."""

run_migrations([metadata, KIT], {"": JOURNAL})
