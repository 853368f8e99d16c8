"""A calendar without what it is about: only the lines that say when, in time and memory linear in its size. Pure.

Summaries, places, attendees, attachments and alarms never leave this page, and UIDs only as digests: what is kept of an
import holds no personal data. Nothing is fetched.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

LARGEST = 1024 * 1024
MOST_EVENTS = 10_000
DEEPEST = 8
LONGEST_LINE, LONGEST_RULE = 20_000, 200
EVENT_LINES = frozenset({
    "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID", "STATUS", "TRANSP", "SEQUENCE",
})  # fmt: skip
ZONE_LINES = frozenset({"DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE"})
ZONE_RULE = re.compile(
    r"RRULE:(?:(?:FREQ=YEARLY|BYMONTH=\d{1,2}|BYDAY=[+-]?[1-5]?(?:MO|TU|WE|TH|FR|SA|SU)|BYMONTHDAY=[\d,]{1,22}"
    r"|BYSETPOS=-?\d|UNTIL=[0-9TZ]{8,16}|INTERVAL=1|WKST=[A-Z]{2})(?:;|$))+",
    re.IGNORECASE,
)
_RECURRING = ("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")
_TZID = re.compile(r'[;:]TZID=("?)([^":;,]{1,100})\1', re.IGNORECASE)


class NotACalendar(Exception):
    """The whole cannot be read; `what` is wrong, never what it contains."""

    def __init__(self, what: str) -> None:
        """`what`: for whoever sent it."""
        super().__init__(what)
        self.what = what


@dataclass(frozen=True, slots=True)
class Event:
    """The lines of one VEVENT that say when."""

    uid: str
    """Digest; events of one series share it."""
    lines: tuple[str, ...]
    broken: bool = False
    """It holds a line longer than any that is meant."""

    def recurs(self) -> bool:
        """Whether it is a series, or a moved part of one."""
        return any(line.upper().startswith(_RECURRING) for line in self.lines)

    def zones(self) -> set[str]:
        """Names of the time zones that its lines refer to."""
        return {found.group(2) for line in self.lines for found in _TZID.finditer(line.split(":", 1)[0] + ":")}


@dataclass(frozen=True, slots=True)
class ReducedCalendar:
    """A calendar's time zones by name, and its events."""

    zones: Mapping[str, Sequence[str]]
    events: Sequence[Event]

    def text(self, events: Iterable[Event]) -> str:
        """A calendar of some of the events and the zones that they refer to."""
        wanted = list(events)
        used = set().union(*(event.zones() for event in wanted)) if wanted else set()
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//ResaPermis//reduced//FR"]
        for name in sorted(used & self.zones.keys()):
            lines += self.zones[name]
        for event in wanted:
            lines += ["BEGIN:VEVENT", f"UID:{event.uid}", *event.lines, "END:VEVENT"]
        return "\r\n".join([*lines, "END:VCALENDAR", ""])


@dataclass
class _Reading:
    """What has been met so far."""

    zones: dict[str, list[str]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    uid: str = ""
    zone: str = ""
    broken: bool = False

    def begin(self, name: str) -> None:
        if len(self.path) >= DEEPEST:
            raise NotACalendar(f"components nested deeper than {DEEPEST}")
        if not self.path and name != "VCALENDAR":
            raise NotACalendar("it does not begin with BEGIN:VCALENDAR")
        self.path.append(name)
        if self.path in (["VCALENDAR", "VEVENT"], ["VCALENDAR", "VTIMEZONE"]):
            self.lines, self.uid, self.zone, self.broken = [], "", "", False
        elif self._in_observance():
            self.lines.append(f"BEGIN:{name}")

    def end(self, name: str) -> None:
        if not self.path or self.path[-1] != name:
            raise NotACalendar("a component ends that is not open")
        if self._in_observance():
            self.lines.append(f"END:{name}")
        self.path.pop()
        if self.path != ["VCALENDAR"]:
            return
        if name == "VEVENT":
            if len(self.events) >= MOST_EVENTS:
                raise NotACalendar(f"more than {MOST_EVENTS} events")
            uid = self.uid or f"event {len(self.events)}"
            self.events.append(Event(sha256(uid.encode()).hexdigest()[:32], tuple(self.lines), self.broken))
        elif name == "VTIMEZONE" and self.zone and not self.broken:
            self.zones[self.zone] = ["BEGIN:VTIMEZONE", f"TZID:{self.zone}", *self.lines, "END:VTIMEZONE"]

    def line(self, line: str) -> None:
        name = re.split(r"[;:]", line[:40], maxsplit=1)[0].upper()
        if self.path == ["VCALENDAR", "VEVENT"]:
            if name == "UID":
                self.uid = line
            elif name in EVENT_LINES:
                self._keep(line)
        elif self.path == ["VCALENDAR", "VTIMEZONE"] and name == "TZID":
            self.zone = line.split(":", 1)[-1].strip()[:100]
        elif self._in_observance() and name in ZONE_LINES:
            if name == "RRULE" and (len(line) > LONGEST_RULE or ZONE_RULE.fullmatch(line) is None):
                self.broken = True  # no time zone changes more often than twice a year
            self._keep(line)

    def _keep(self, line: str) -> None:
        if len(line) > LONGEST_LINE:
            self.broken = True
        else:
            self.lines.append(line)

    def _in_observance(self) -> bool:
        return self.path[:2] == ["VCALENDAR", "VTIMEZONE"] and len(self.path) == 3 and self.path[2] in _OBSERVANCES


_OBSERVANCES = {"STANDARD", "DAYLIGHT"}


def reduce_calendar(calendar: bytes) -> ReducedCalendar:
    """Read a calendar's structure; NotACalendar when it has none."""
    if len(calendar) > LARGEST:
        raise NotACalendar(f"larger than {LARGEST} bytes")
    text = calendar.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    reading = _Reading()
    for line in text.replace("\n ", "").replace("\n\t", "").split("\n"):
        stripped = line.rstrip()
        if not stripped:
            continue
        word, _, rest = stripped[:60].partition(":")
        match word.upper():
            case "BEGIN":
                reading.begin(rest.strip().upper())
            case "END":
                reading.end(rest.strip().upper())
            case _ if reading.path:
                reading.line(stripped)
            case _:
                raise NotACalendar("it does not begin with BEGIN:VCALENDAR")
    if reading.path:
        raise NotACalendar("it ends before its END:VCALENDAR")
    if not reading.events and not text.strip():
        raise NotACalendar("empty")
    return ReducedCalendar(reading.zones, reading.events)
