"""Alembic environment."""

from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.migration import run_migrations
from resapermis_scheduling_rules.store.tables import metadata

run_migrations([KIT, metadata])
