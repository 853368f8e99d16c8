"""Which schools' people were here lately, as far as this process saw."""

import time

PAUSE_SECONDS = 600.0
MOST = 20_000


class Visits:
    """Lets one visit in ten minutes of a school be written down, so that reading costs no write."""

    def __init__(self) -> None:
        """Nobody was here."""
        self._seen: dict[str, float] = {}

    def first_lately(self, school_id: str) -> bool:
        """Whether this visit is worth writing down."""
        now = time.monotonic()
        if now - self._seen.get(school_id, -PAUSE_SECONDS) < PAUSE_SECONDS:
            return False
        if len(self._seen) >= MOST:
            self._seen.clear()
        self._seen[school_id] = now
        return True
