"""Alembic environment of audit."""

from resapermis_audit.store import metadata
from resapermis_kit.db import KIT, run_migrations

run_migrations([metadata, KIT])
