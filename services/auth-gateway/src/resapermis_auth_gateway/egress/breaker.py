"""A circuit that spares a RdvPermis which does not answer, and us the waiting. Pure: time is an argument.

Forty lines of our own rather than the circuitbreaker package: that one wraps functions and counts exceptions, but here
one call in flight has three outcomes (it answered, it did not, it was never asked), only one probe may go when
the circuit is half open, and tests and metrics want the clock and the state in hand.
"""

from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """State of the circuit; the numbers are the values of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass
class Breaker:
    """Opens after `threshold` failures in a row, then lets one probe a pause through; pauses double up to `longest`."""

    threshold: int = 5
    first_pause: float = 2.0
    """Seconds."""
    longest_pause: float = 30.0
    failures: int = 0
    pauses: int = 0
    opened_until: float | None = None
    probing: bool = False

    def state(self, now: float) -> State:
        """OPEN until `opened_until`, then HALF_OPEN until a probe has ended, else CLOSED. `now` in seconds."""
        if self.opened_until is None:
            return State.CLOSED
        return State.OPEN if now < self.opened_until else State.HALF_OPEN

    def admit(self, now: float) -> float | None:
        """Let a call go (None), or return from when asking again makes sense. Each admission ends in one of the three below."""
        if self.opened_until is None:
            return None
        if now < self.opened_until:
            return self.opened_until
        if self.probing:
            return now + 1.0
        self.probing = True
        return None

    def answered(self) -> None:
        """RdvPermis answered, whatever the answer: all is well."""
        self.failures = self.pauses = 0
        self.opened_until, self.probing = None, False

    def failed(self, now: float) -> None:
        """Count a call without a usable answer (none, 5xx, unreadable); enough of them open the circuit."""
        self.failures += 1
        if self.probing or (self.opened_until is None and self.failures >= self.threshold):
            self.opened_until = now + min(self.first_pause * 2**self.pauses, self.longest_pause)
            self.pauses = min(self.pauses + 1, 30)
        self.probing = False

    def not_asked(self) -> None:
        """The call never left (our pool, our caller gave up): it proves nothing."""
        self.probing = False
