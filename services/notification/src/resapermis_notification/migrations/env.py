"""Alembic environment of notification."""

from resapermis_kit.db import KIT, run_migrations
from resapermis_notification.store import metadata

run_migrations([metadata, KIT])
