"""Whose token pays for a poll nobody waits for: fairly, within two fifths of each token's minute, never while it rests. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

WINDOW = 62.0
"""Seconds in which calls count: RdvPermis counts a minute, and a call counts until a minute after its answer."""
USUAL_CALLS = 210
"""Calls a minute of an employee, until egress states otherwise."""
BELIEVED = 600.0
"""Seconds for which egress' word on a token is believed."""
UNCONNECTED_RESTS = 240.0
"""Seconds for which a school without a token is not asked about again: whoever signs in, or gives a grant, has what they
follow polled no later than a poll of it is old."""
SHORTEST_REST, LONGEST_REST = 5.0, 60.0


def background_share(calls_per_minute: int) -> int:
    """Polls a minute that nobody waits for.

    Half of a token's calls are people's; of the other half a fifth is left to what else nobody waits for: comparisons
    with RdvPermis and the reading of unknown outcomes, which would wait for ever behind polls that are never all done.
    """
    return calls_per_minute * 2 // 5


@dataclass(slots=True)
class Token:
    """What is known of a school's token for background work."""

    share: int = background_share(USUAL_CALLS)
    known_until: float = 0.0
    connected: bool = False
    room: int = 0
    """Calls that egress stated were left, less those since."""
    room_until: float = 0.0
    rests_until: float = 0.0
    strikes: int = 0
    spent: deque[float] = field(default_factory=deque)
    ever: int = 0

    def left(self, now: float) -> int:
        """Calls that background polls may still spend of it in this minute; 0 while it rests."""
        if now < self.rests_until or not self.connected:
            return 0
        while self.spent and self.spent[0] <= now - WINDOW:
            self.spent.popleft()
        left = self.share - len(self.spent)
        return max(0, min(left, self.room) if now < self.room_until else left)


@dataclass
class Tokens:
    """Every school's. Seconds are of one clock."""

    tokens: dict[str, Token] = field(default_factory=dict)
    _unknown: dict[str, None] = field(default_factory=dict)

    def choose(self, payers: Iterable[str], now: float) -> str | None:
        """Take one call from whoever of these spent the smallest part of their share; None when nobody can pay."""
        best: tuple[float, int, str] | None = None
        for school in payers:
            token = self.tokens.get(school)
            if token is None or now >= token.known_until:
                self._unknown[school] = None
                if token is None:
                    continue
            left = token.left(now)
            if left > 0:
                rank = (len(token.spent) / token.share, token.ever, school)
                if best is None or rank < best:
                    best = rank
        if best is None:
            return None
        token = self.tokens[best[2]]
        token.spent.append(now)
        token.room -= 1
        token.ever += 1
        return best[2]

    def to_ask(self, most: int) -> Sequence[str]:
        """Schools whose token somebody wanted and nobody knows (any more); those that waited longest first."""
        asked = list(self._unknown)[:most]
        for school in asked:
            del self._unknown[school]
        return asked

    def update(self, school: str, now: float, *, connected: bool, calls_left: int, calls_per_minute: int) -> None:
        """Take what egress answered of a token: people may have used some of it."""
        token = self.tokens.setdefault(school, Token())
        token.connected = connected
        token.share = max(1, background_share(calls_per_minute or USUAL_CALLS))
        token.room = max(0, calls_left - (calls_per_minute - calls_per_minute // 2))  # the other half is people's
        token.room_until = now + SHORTEST_REST
        token.known_until = now + (BELIEVED if connected else UNCONNECTED_RESTS)

    def seen(self, school: str) -> None:
        """A poll with this school's token was answered: its refusals are no longer counted."""
        self.tokens[school].strikes = 0

    def refused(self, school: str, now: float, *, reconnect: bool) -> None:
        """A poll was refused for want of budget (then it waits, each time twice as long) or of a session."""
        token = self.tokens[school]
        if reconnect:
            token.connected, token.known_until = False, now + UNCONNECTED_RESTS
            return
        token.rests_until = now + min(LONGEST_REST, SHORTEST_REST * 2**token.strikes)
        token.strikes = min(token.strikes + 1, 8)

    def unused(self, school: str) -> None:
        """Give back the call of a chosen poll that was not begun."""
        token = self.tokens[school]
        if token.spent:
            token.spent.pop()
        token.room += 1
        token.ever -= 1
