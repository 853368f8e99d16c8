"""Alembic environment."""

from resapermis_kit.db import KIT, run_migrations
from resapermis_scheduling_rules.store.tables import metadata

run_migrations([KIT, metadata])
