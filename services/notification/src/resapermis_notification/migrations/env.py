"""Alembic environment of notification."""

from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.migration import run_migrations
from resapermis_notification.tables import metadata

run_migrations([metadata, KIT])
