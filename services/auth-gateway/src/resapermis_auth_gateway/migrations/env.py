"""Alembic environment of auth-gateway."""

from resapermis_auth_gateway import tables
from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.migration import run_migrations

run_migrations([tables.metadata, KIT])
