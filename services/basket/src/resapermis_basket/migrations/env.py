"""Alembic environment of basket."""

from resapermis_basket.store import metadata
from resapermis_kit.db import KIT, run_migrations

run_migrations([metadata, KIT])
