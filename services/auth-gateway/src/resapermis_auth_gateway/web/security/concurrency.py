"""How much of something may go on at once for one session, account or address, in this process."""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import timedelta

from prometheus_client import Counter

from resapermis_auth_gateway.web.wire.problem import too_many
from resapermis_kit.clock import Clock

AGAIN = timedelta(seconds=5)
"""So long after a refusal it may be tried again: nobody knows when one of those under way ends."""
CROWDED = Counter(
    "resapermis_http_crowded", "Requests refused because too many were under way, by what was counted", ["what"]
)


class Concurrency:
    """At most so many at once of each kind of owner."""

    def __init__(self, what: str, most: Mapping[str, int], now: Clock) -> None:
        """`what` is counted, as metrics name it; `most`: kind of owner → how many one may have."""
        self._what, self._most, self._now = what, most, now
        self._has: dict[tuple[str, str], int] = {}
        """How many each owner has; who has none is not in it."""

    def __len__(self) -> int:
        """How many owners are remembered."""
        return len(self._has)

    def enter(self, owners: Mapping[str, str]) -> None:
        """Count one for each owner (kind → who); refuse, and count none, where one of them has as many as it may."""
        keys = list(owners.items())
        if any(self._has.get(key, 0) >= self._most[key[0]] for key in keys):
            CROWDED.labels(self._what).inc()
            raise too_many(self._now() + AGAIN, f"crowded_{self._what}")
        for key in keys:
            self._has[key] = self._has.get(key, 0) + 1

    def leave(self, owners: Mapping[str, str]) -> None:
        """What was entered has ended."""
        for key in owners.items():
            self._has[key] -= 1
            if not self._has[key]:
                del self._has[key]

    @contextlib.contextmanager
    def held(self, owners: Mapping[str, str]) -> Iterator[None]:
        """Between `enter` and `leave`."""
        self.enter(owners)
        try:
            yield
        finally:
            self.leave(owners)
