"""Alembic environment."""

import sqlalchemy as sa

from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.migration import run_migrations

run_migrations([KIT, sa.MetaData()])
