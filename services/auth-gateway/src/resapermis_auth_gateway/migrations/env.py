"""Alembic environment of auth-gateway."""

from resapermis_auth_gateway import store
from resapermis_kit.db import KIT, run_migrations

run_migrations([store.metadata, KIT])
