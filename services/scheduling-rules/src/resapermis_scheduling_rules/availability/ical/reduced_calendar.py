"""A calendar without what it is about: only the lines that say when, in time and memory linear in its size. Pure.

Summaries, places, attendees, attachments and alarms never leave this page, and UIDs only as digests: what is kept of an
import holds no personal data. Nothing is fetched.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from icalendar.parser import Contentline

from resapermis_scheduling_rules.availability.ical.zone_names import iana_name

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
_PLAIN = re.compile(r"([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+=[^\";:,]*)*):(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9-]{1,40}(?=[;:])")
_PARAMETERS = ("VALUE", "TZID", "RANGE")
"""Those that say when; what else a line carries is not kept."""
_NOT_BUSY = frozenset({"VEVENT", "VTIMEZONE", "VTODO", "VJOURNAL", "VALARM"})
"""Components that are read, or that make nobody busy."""
LONGEST_ZONE = 100
MOST_LINES = 2000
"""Of one event."""


class NotACalendar(Exception):
    """The whole cannot be read; `what` is wrong, never what it contains."""

    def __init__(self, what: str) -> None:
        """`what`: for whoever sent it."""
        super().__init__(what)
        self.what = what


@dataclass(frozen=True, slots=True)
class Property:
    """A content line as RFC 5545 (3.1) takes it apart: a parameter in quotes may hold what else separates."""

    name: str
    parameters: Mapping[str, str]
    """Of `_PARAMETERS` alone."""
    value: str

    @property
    def zone(self) -> str:
        """Name of the time zone that it refers to; "" where it refers to none."""
        return self.parameters.get("TZID", "")

    def line(self, zone: str) -> str:
        """The line again, its zone by this name."""
        parameters = dict(self.parameters) | ({"TZID": zone} if zone else {})
        return self.name + "".join(f";{name}={_quoted(value)}" for name, value in parameters.items()) + f":{self.value}"


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"[:;,]", value) else value


def _property(line: str) -> Property:
    """ValueError where it is no content line."""
    plain = _PLAIN.fullmatch(line)
    if plain is not None:  # nearly all: twenty times as fast as the library's way
        name, rest, value = plain.groups()
        parameters = {key.upper(): text for key, _, text in (part.partition("=") for part in rest.split(";")[1:])}
    else:
        name, parameters, value = Contentline(line).raw_parts()  # type: ignore[no-untyped-call] # icalendar's constructor
    kept = {known: parameters[known] for known in _PARAMETERS if known in parameters}
    if not all(isinstance(one, str) for one in kept.values()):
        raise ValueError("a parameter with several values")
    zone = kept.get("TZID")
    if zone is not None:
        kept["TZID"] = zone.strip()
        if not 0 < len(kept["TZID"]) <= LONGEST_ZONE:
            raise ValueError("a zone without a name")
    return Property(name.upper(), kept, value)


@dataclass(frozen=True, slots=True)
class Event:
    """The lines of one VEVENT that say when."""

    uid: str
    """Digest; events of one series share it."""
    lines: tuple[str, ...]
    zones: frozenset[str] = frozenset()
    """Names of the time zones that its lines refer to."""
    broken: bool = False
    """It holds a line that is none, or is longer than any that is meant."""

    def recurs(self) -> bool:
        """Whether it is a series, or a moved part of one."""
        return any(line.startswith(_RECURRING) for line in self.lines)


@dataclass(frozen=True, slots=True)
class ReducedCalendar:
    """A calendar's time zones by name, and its events."""

    zones: Mapping[str, Sequence[str]]
    events: Sequence[Event]
    unread: int = 0
    """Components that may say when somebody is busy and are not read, e.g. VFREEBUSY."""

    def text(self, events: Iterable[Event]) -> str:
        """A calendar of some of the events and the zones that they refer to."""
        wanted = list(events)
        used = set[str]().union(*(event.zones for event in wanted))
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
    events: list[tuple[str, list[Property], bool]] = field(default_factory=list)
    """UID's digest, lines, whether it is broken."""
    unread: int = 0
    path: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    properties: list[Property] = field(default_factory=list)
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
            self.lines, self.properties, self.uid, self.zone, self.broken = [], [], "", "", False
        elif self._in_observance():
            self.lines.append(f"BEGIN:{name}")
        elif self.path == ["VCALENDAR", name] and name.startswith("V") and name not in _NOT_BUSY:
            self.unread += 1

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
            self.events.append((sha256(uid.encode()).hexdigest()[:32], self.properties, self.broken))
        elif name == "VTIMEZONE" and self.zone and not self.broken:
            named = re.sub(r"([\\,;])", r"\\\1", self.zone)
            self.zones[self.zone] = ["BEGIN:VTIMEZONE", f"TZID:{named}", *self.lines, "END:VTIMEZONE"]

    def line(self, line: str) -> None:
        found = _NAME.match(line)
        name = found[0].upper() if found is not None else ""
        if self.path == ["VCALENDAR", "VEVENT"]:
            if name == "UID":
                self.uid = line
            elif name in EVENT_LINES:
                self._keep_property(line)
        elif self.path == ["VCALENDAR", "VTIMEZONE"] and name == "TZID":
            self.zone = re.sub(r"\\([\\,;])", r"\1", line.split(":", 1)[-1]).strip()[:LONGEST_ZONE]
        elif self._in_observance() and name in ZONE_LINES:
            if name == "RRULE" and (len(line) > LONGEST_RULE or ZONE_RULE.fullmatch(line) is None):
                self.broken = True  # no time zone changes more often than twice a year
            self._keep(line)

    def reduced(self) -> ReducedCalendar:
        """What was met, zones by the names under which they are known."""
        known: dict[
            str, str
        ] = {}  # zone by its name in the file; a file's own description goes before any that we know
        events = []
        for uid, properties, broken in self.events:
            for one in properties:
                if one.zone not in known:
                    known[one.zone] = one.zone if one.zone in self.zones else iana_name(one.zone) or one.zone
            lines = tuple(one.line(known[one.zone]) for one in properties)
            events.append(Event(uid, lines, frozenset(known[one.zone] for one in properties if one.zone), broken))
        return ReducedCalendar(self.zones, events, self.unread)

    def _keep_property(self, line: str) -> None:
        if len(line) > LONGEST_LINE or len(self.properties) >= MOST_LINES or ":" not in line:
            self.broken = True
        if self.broken:  # it is left out as a whole
            return
        try:
            self.properties.append(_property(line))
        except ValueError:
            self.broken = True

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
    return reading.reduced()
