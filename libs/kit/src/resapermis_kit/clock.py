"""The two things of the outside world that pure code takes as arguments."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat

Clock = Callable[[], datetime]
NewId = Callable[[], UUID]


def utc_now() -> datetime:
    """The system clock's time, UTC-aware."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A new UUIDv7: sorts by time of making."""
    return uuid_utils.compat.uuid7()
