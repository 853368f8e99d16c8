"""Alembic environment."""

import sqlalchemy as sa

from resapermis_kit.db import KIT, run_migrations

run_migrations([KIT, sa.MetaData()])
