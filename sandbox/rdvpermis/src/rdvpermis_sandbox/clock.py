"""A clock that can be set, moved and stopped; everything in the sandbox reads it, tokens too."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Real time plus an offset, or one frozen moment. `real` answers UTC-aware now."""

    def __init__(self, real: Callable[[], datetime], start: datetime | None = None) -> None:
        self._real = real
        self.offset = (start - real()) if start else timedelta()
        self.frozen_at: datetime | None = None

    def now(self) -> datetime:
        """The sandbox's now, UTC."""
        return self.frozen_at or self._real() + self.offset

    def set(self, moment: datetime) -> None:
        """Jump to a moment; frozen stays frozen. A moment without zone is read as UTC."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        self.offset = aware - self._real()
        if self.frozen_at is not None:
            self.frozen_at = aware

    def advance(self, seconds: float) -> None:
        """Move the clock by `seconds`; backwards when negative."""
        self.set(self.now() + timedelta(seconds=seconds))

    def freeze(self, *, frozen: bool) -> None:
        """Stop at now, or run on from where it stood."""
        now = self.now()
        self.frozen_at = now if frozen else None
        self.offset = now - self._real()
