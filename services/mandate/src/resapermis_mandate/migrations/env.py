"""Alembic environment of mandate."""

from resapermis_kit.db import KIT, run_migrations
from resapermis_mandate.store import metadata

run_migrations([metadata, KIT])
