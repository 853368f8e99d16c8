"""How many calls each employee and each school may still make at RdvPermis. Pure: time is an argument.

RdvPermis allows an employee 210 calls a minute and a school 600 (rdvpermis-api.md, limits). The count is a sliding
window and no leaky bucket (GCRA): a bucket that never exceeds n in *any* minute must give up its burst or a good part
of n, and calm openings are bursts. A call counts from when it is admitted until a minute after its answer came, so
that whatever the network's delay, RdvPermis never sees more than n arrivals in any of its minutes.

Background calls may use a share only; the rest is the reserve for people's acts (R-27). Egress processes at work at
once each have a part of the limits (`divide`), so that together they stay within them.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil

MINUTE = 60.0
LONGEST_WAIT = 300.0
"""Seconds. However long RdvPermis asks us to wait, we ask again after this."""


@dataclass(frozen=True)
class Limits:
    """Calls a minute that may go for one employee and for one school, and the share of them that background work may use."""

    employee: int = 210
    school: int = 600
    background_share: float = 0.5

    def part(self, parts: int) -> "Limits":
        """One part of `parts`, rounded down; 0: nothing."""
        if not parts:
            return Limits(0, 0, self.background_share)
        return Limits(self.employee // parts, self.school // parts, self.background_share)


@dataclass
class Window:
    """Calls of the last minute against one limit. Answers are kept by the second, rounded up: 61 pairs at most."""

    limit: int
    background_limit: int
    flying: list[int] = field(default_factory=lambda: [0, 0])
    """Admitted and not answered yet: background, people's."""
    ended: deque[tuple[int, list[int]]] = field(default_factory=deque)
    spent: list[int] = field(default_factory=lambda: [0, 0])
    """Sums over `ended`."""

    def _forget(self, now: float) -> None:
        while self.ended and self.ended[0][0] + MINUTE <= now:
            _, counts = self.ended.popleft()
            self.spent[0] -= counts[0]
            self.spent[1] -= counts[1]

    def used(self, now: float) -> tuple[int, int]:
        """(background, people's) calls that count now."""
        self._forget(now)
        return self.spent[0] + self.flying[0], self.spent[1] + self.flying[1]

    def left(self, now: float, *, urgent: bool) -> int:
        """Calls that may start now, at least 0; those not `urgent` stop at background's share of the limit."""
        background, people = self.used(now)
        left = self.limit - background - people
        return max(0, left if urgent else min(left, self.background_limit - background))

    def wait_until(self, calls: int, now: float, *, urgent: bool) -> float:
        """When `calls` more may go at the latest, as far as we know; `now` when they may already."""
        missing = calls - self.left(now, urgent=urgent)
        if missing <= 0:
            return now
        freed_all = freed_background = 0
        background, people = self.used(now)
        over_all = background + people + calls - self.limit
        over_background = 0 if urgent else background + calls - self.background_limit
        for second, counts in self.ended:
            freed_all += sum(counts)
            freed_background += counts[0]
            if freed_all >= over_all and freed_background >= over_background:
                return second + MINUTE
        return now + MINUTE  # what is missing is in flight: it counts a minute from its answer

    def start(self, calls: int, *, urgent: bool) -> None:
        """Count `calls` as under way, without asking whether there is room; `end` takes them off again."""
        self.flying[urgent] += calls

    def end(self, asked: int, not_asked: int, now: float, *, urgent: bool) -> None:
        """Count `asked` calls as answered (or lost) now, and give back those that never left."""
        self.flying[urgent] -= asked + not_asked
        if not asked:
            return
        second = ceil(now)
        if not self.ended or self.ended[-1][0] < second:
            self.ended.append((second, [0, 0]))
        self.ended[-1][1][urgent] += asked
        self.spent[urgent] += asked


@dataclass
class Reservation:
    """Calls set aside beforehand, so that an action of several calls never stops half-way for want of budget."""

    employee: str
    school_id: str
    urgent: bool
    left: int
    """Calls not begun."""


@dataclass
class Budget:
    """Every window of this process. `now` is in seconds of a clock that never goes back."""

    limits: Limits = field(default_factory=Limits)
    employees: dict[str, Window] = field(default_factory=dict)
    schools: dict[str, Window] = field(default_factory=dict)
    blocked: dict[str, float] = field(default_factory=dict)
    """Employee -> until when RdvPermis asked them to wait."""
    strikes: dict[str, int] = field(default_factory=dict)
    """Employee -> 429s in a row without Retry-After."""
    part: Limits = field(init=False)
    """Of `limits`, what this process may use."""
    _swept: float = 0.0

    def __post_init__(self) -> None:
        """All of it, until `divide` says otherwise."""
        self.part = self.limits

    def divide(self, parts: int) -> None:
        """Use one part of `parts` of each limit from now on; 0: nothing. What was used counts on."""
        self.part = self.limits.part(parts)
        for windows, limit in ((self.employees, self.part.employee), (self.schools, self.part.school)):
            for window in windows.values():
                window.limit, window.background_limit = limit, int(limit * self.part.background_share)

    def within(self, now: float) -> bool:
        """Whether what counts now is within the limits as they were last divided, for everybody."""
        for window in (*self.employees.values(), *self.schools.values()):
            background, people = window.used(now)
            if background + people > window.limit or background > window.background_limit:
                return False
        return True

    def _windows(self, employee: str, school_id: str) -> tuple[Window, Window]:
        share = self.part.background_share
        person = self.employees.get(employee) or self.employees.setdefault(
            employee, Window(self.part.employee, int(self.part.employee * share))
        )
        school = self.schools.get(school_id) or self.schools.setdefault(
            school_id, Window(self.part.school, int(self.part.school * share))
        )
        return person, school

    def reserve(self, employee: str, school_id: str, calls: int, now: float, *, urgent: bool) -> Reservation | float:
        """Set `calls` aside, all or none; or return when they may go."""
        self._sweep(now)
        until = self.blocked.get(employee, 0.0)
        if until > now:
            return until
        windows = self._windows(employee, school_id)
        if all(window.left(now, urgent=urgent) >= calls for window in windows):
            for window in windows:
                window.start(calls, urgent=urgent)
            return Reservation(employee, school_id, urgent, calls)
        return max(window.wait_until(calls, now, urgent=urgent) for window in windows)

    def ended(self, reservation: Reservation, now: float, *, asked: bool) -> None:
        """A call begun (and taken off `left`) ended: it counts from now, or is given back if surely never asked."""
        self._end(reservation, 1 if asked else 0, 0 if asked else 1, now)

    def give_back(self, reservation: Reservation, now: float) -> None:
        """What is left of a reservation goes back."""
        left, reservation.left = reservation.left, 0
        if left:
            self._end(reservation, 0, left, now)

    def _end(self, reservation: Reservation, asked: int, not_asked: int, now: float) -> None:
        for window in self._windows(reservation.employee, reservation.school_id):
            window.end(asked, not_asked, now, urgent=reservation.urgent)

    def refused(self, employee: str, now: float, retry_after: float | None) -> float:
        """RdvPermis answered 429: return until when this employee waits. None is no usable Retry-After: back off."""
        strikes = self.strikes.get(employee, 0)
        if retry_after is None:
            retry_after = min(2.0**strikes, MINUTE)
            self.strikes[employee] = min(strikes + 1, 10)
        until = now + min(max(retry_after, 0.0), LONGEST_WAIT)
        self.blocked[employee] = max(until, self.blocked.get(employee, 0.0))
        return self.blocked[employee]

    def accepted(self, employee: str) -> None:
        """RdvPermis answered something else than 429: back-off starts again."""
        self.strikes.pop(employee, None)

    def left(self, employee: str, school_id: str, now: float, *, urgent: bool) -> int:
        """Calls that may start now, at least 0: the smaller of what the employee's and the school's window leave."""
        if self.blocked.get(employee, 0.0) > now:
            return 0
        return min(window.left(now, urgent=urgent) for window in self._windows(employee, school_id))

    def least_left(self, now: float) -> int:
        """Calls left to the employee who has fewest: what an operator watches."""
        return min((window.left(now, urgent=True) for window in self.employees.values()), default=self.part.employee)

    def wait_until(self, employee: str, school_id: str, now: float, *, urgent: bool) -> float:
        """When one call may go; `now` when it may already."""
        windows = self._windows(employee, school_id)
        waits = [window.wait_until(1, now, urgent=urgent) for window in windows]
        return max(self.blocked.get(employee, 0.0), *waits)

    def _sweep(self, now: float) -> None:
        """Forget employees and schools that were silent for a minute, so that memory follows who is at work."""
        if now - self._swept < MINUTE:
            return
        self._swept = now
        for windows in (self.employees, self.schools):
            for key in [key for key, window in windows.items() if not any((*window.used(now), *window.flying))]:
                del windows[key]
        for key in [key for key, until in self.blocked.items() if until <= now]:
            del self.blocked[key]
        for key in [key for key in self.strikes if key not in self.blocked and key not in self.employees]:
            del self.strikes[key]


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Read Retry-After (seconds or an HTTP date); None when it is absent, negative or nonsense. Bounded to 5 minutes."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - now).total_seconds()
    return min(seconds, LONGEST_WAIT) if seconds > 0 else None
