"""Alembic environment of mandate."""

from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.migration import run_migrations
from resapermis_mandate.tables import metadata

run_migrations([metadata, KIT])
