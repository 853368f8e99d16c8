"""Alembic environment of basket."""

from resapermis_basket.tables import metadata
from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.migration import run_migrations

run_migrations([metadata, KIT])
