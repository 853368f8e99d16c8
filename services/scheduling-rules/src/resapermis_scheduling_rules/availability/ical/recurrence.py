"""A reduced calendar written out: each busy time until a year from now. Runs in a process of its own (see `reader_process.py`).

A series that takes too long or brings too much is left out and counted; what is left of the calendar is kept. The time of
one series is its processor time, by a signal that interrupts it: recurrence rules can be written that never end.
"""

import gc
import re
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import recurring_ical_events
from icalendar import Calendar
from icalendar.cal import Component

from resapermis_scheduling_rules.availability.ical.reduced_calendar import Event, ReducedCalendar
from resapermis_scheduling_rules.availability.ical.until import inclusive_until

MOST = 5000
"""Occurrences of a calendar, and of one series by count."""
SERIES_SECONDS = 0.5
EVENTS_AT_ONCE = 100
SOURCE = "X-SOURCE"
NOT_BUSY, UNREADABLE, TOO_MANY, PAST, NOT_READ = "not_busy", "unreadable", "too_many", "past", "not_read"
LOSSES = frozenset({UNREADABLE, TOO_MANY, NOT_READ})
"""Why something is left out that may well make somebody busy."""
MOST_NAMED = 20
"""Lost events that are named one by one."""
_RULE = re.compile(r"RRULE(?:;[^:]*)?:(.*)", re.IGNORECASE)
_OFTEN = {"SECONDLY", "MINUTELY", "HOURLY"}
_FIRST = re.compile(r"DTSTART(?:;[^:]*)?:(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d)?Z?", re.IGNORECASE)
_FREE = (("STATUS", "CANCELLED"), ("TRANSP", "TRANSPARENT"))
Span = tuple[datetime, datetime]


class _LeftOutError(Exception):
    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class LostEvent:
    """An event, or a series with all its parts, that could not be kept: when it begins, never what it is about."""

    why: str
    starts: str
    """As it is written, e.g. "2027-01-04T09:00" or "2027-01-04"; "" where that cannot be read."""
    repeats: bool


@dataclass
class BusyTimes:
    """Busy times, UTC, in order; and what was left out."""

    spans: list[Span] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """By why: events, each series with its moved parts as one; and components that are not read at all."""
    lost: list[LostEvent] = field(default_factory=list)
    """The first of those left out for a reason in LOSSES."""
    kept: list[Event] = field(default_factory=list)
    """What these come from; the rest need not be remembered."""


def expand(reduced: ReducedCalendar, zone: tzinfo, since: datetime, until: datetime) -> BusyTimes:
    """Write out what overlaps [since, until). Floating times and whole days are meant in `zone`."""
    series: dict[str, list[Event]] = defaultdict(list)
    for event in reduced.events:
        series[event.uid].append(event)
    once = [events[0] for events in series.values() if len(events) == 1 and not events[0].recurs()]
    read = _read_at_once(reduced, once)
    found, spans, processor_time = BusyTimes(), set[Span](), _ProcessorTime()
    if reduced.unread:
        found.left_out[NOT_READ] = reduced.unread
    for uid, events in series.items():
        try:
            with processor_time.limited():
                brought = _series(reduced, events, read.get(uid), zone, since, until)
            if len(spans) + len(brought - spans) > MOST:
                raise _LeftOutError(TOO_MANY)  # noqa: TRY301 - one place counts what is left out
            spans |= brought
            found.kept += events
        except _LeftOutError as left_out:
            why = TOO_MANY if processor_time.late else left_out.why
            found.left_out[why] += 1
            if why in LOSSES and len(found.lost) < MOST_NAMED:
                found.lost.append(_lost(why, events))
    found.spans = sorted(spans)
    return found


def _lost(why: str, events: Sequence[Event]) -> LostEvent:
    lines = [line for event in events for line in event.lines]
    first = next((found for line in lines if (found := _FIRST.fullmatch(line)) is not None), None)
    if first is None:
        return LostEvent(why, "", len(events) > 1 or events[0].recurs())
    year, month, day, hour, minute = first.groups()
    starts = f"{year}-{month}-{day}" + (f"T{hour}:{minute}" if hour else "")
    return LostEvent(why, starts, len(events) > 1 or events[0].recurs())


def _read_at_once(reduced: ReducedCalendar, events: Sequence[Event]) -> dict[str, Component]:
    """Components of events that do not recur, by UID: reading a hundred together costs as much as reading a few."""
    read: dict[str, Component] = {}
    for first in range(0, len(events), EVENTS_AT_ONCE):
        some = events[first : first + EVENTS_AT_ONCE]
        with suppress(Exception):  # one of them is nonsense: each is read by itself then
            read |= {str(one["UID"]): one for one in Calendar.from_ical(reduced.text(some)).walk("VEVENT")}
    return read


class _ProcessorTime:
    """Interrupts a series that takes more than its processor time, wherever it is by then."""

    def __init__(self) -> None:
        self.late = False
        signal.signal(signal.SIGVTALRM, self._interrupt)

    def _interrupt(self, _number: int, _frame: object) -> None:
        self.late = True
        raise _LeftOutError(TOO_MANY)

    @contextmanager
    def limited(self) -> Iterator[None]:
        self.late = False
        gc.disable()  # an interruption within a collection would be lost; the process has its memory limit
        again = SERIES_SECONDS / 5  # should a library swallow it
        signal.setitimer(signal.ITIMER_VIRTUAL, SERIES_SECONDS, again)
        try:
            try:
                yield
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        finally:  # the first may itself have been interrupted
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            gc.enable()


def _series(
    reduced: ReducedCalendar,
    events: Sequence[Event],
    read: Component | None,
    zone: tzinfo,
    since: datetime,
    until: datetime,
) -> set[Span]:
    for event in events:
        if event.broken or any(".." in name for name in event.zones):
            raise _LeftOutError(UNREADABLE)
        for line in event.lines:
            _reasonable(line)
    try:
        spans = _spans(reduced.text(events), zone, since, until) if read is None else _single(read, zone)
    except _LeftOutError:
        raise
    except RecursionError as error:
        raise _LeftOutError(TOO_MANY) from error
    except Exception as error:  # whatever a library makes of nonsense, the rest of the calendar is kept
        raise _LeftOutError(UNREADABLE) from error
    within = {(starts, ends) for starts, ends in spans if starts < until and ends > since}
    if not within:
        raise _LeftOutError(PAST)
    if len(within) > MOST:
        raise _LeftOutError(TOO_MANY)
    return within


def _single(component: Component, zone: tzinfo) -> set[Span]:
    _understood(component)
    if _free(component):
        raise _LeftOutError(NOT_BUSY)
    return _lasting({_source(component, zone)})


def _lasting(spans: set[Span]) -> set[Span]:
    """Those that take time; left out when there are some and none does."""
    busy = {(starts, ends) for starts, ends in spans if starts < ends}
    if spans and not busy:
        raise _LeftOutError(NOT_BUSY)
    return busy


def _spans(text: str, zone: tzinfo, since: datetime, until: datetime) -> set[Span]:
    calendar = Calendar.from_ical(text)
    components = calendar.walk("VEVENT")
    for n, component in enumerate(components):
        _understood(component)
        _include_last_day(component, zone)
        component[SOURCE] = str(n)  # goes along with each occurrence made from it
    if all(_free(component) for component in components):
        raise _LeftOutError(NOT_BUSY)
    margin = timedelta(days=1)  # floating times are compared without their zone
    occurrences = recurring_ical_events.of(calendar).between(since - margin, until + margin)
    periods = "VALUE=PERIOD" in text
    spans = {
        _span(one, components[int(str(one[SOURCE]))], zone, periods=periods) for one in occurrences if not _free(one)
    }
    return _lasting(spans)


def _span(occurrence: Component, source: Component, zone: tzinfo, *, periods: bool) -> Span:
    """When an occurrence is, as long as what it comes from: RFC 5545 3.8.5.3 repeats an end's exact distance."""
    starts, ends = _moment(_value(occurrence, "DTSTART"), zone), _moment(_value(occurrence, "DTEND"), zone)
    first = _value(source, "DTSTART")
    if periods or not isinstance(first, datetime):
        return starts, ends
    if "DURATION" in source:
        return starts, _after(_value(occurrence, "DTSTART"), _value(source, "DURATION"), zone)
    since, until = _source(source, zone)
    return starts, starts + (until - since)


def _source(component: Component, zone: tzinfo) -> Span:
    """When an event itself is. Without an end a day lasts a day, and a time no time."""
    first = _value(component, "DTSTART")
    starts = _moment(first, zone)
    if "DTEND" in component:
        return starts, _moment(_value(component, "DTEND"), zone)
    if "DURATION" in component:
        return starts, _after(first, _value(component, "DURATION"), zone)
    return starts, starts if isinstance(first, datetime) else _moment(first + timedelta(days=1), zone)


def _after(first: date | datetime, duration: timedelta, zone: tzinfo) -> datetime:
    """The end of a duration: its days by the calendar, its hours by the clock (RFC 5545, 3.3.6)."""
    days = timedelta(days=duration.days)
    return _moment(first + days, zone) + (duration - days)


def _value(component: Component, name: str) -> Any:
    found: Any = component[name]
    return found.dt


def _reasonable(line: str) -> None:
    """Refuse rules that repeat within a day without an end, and the exclusion rules that RFC 5545 has dropped."""
    if line[:6].upper() == "EXRULE":
        raise _LeftOutError(UNREADABLE)
    rule = _RULE.fullmatch(line)
    if rule is None:
        return
    parts = dict(part.partition("=")[::2] for part in rule.group(1).upper().split(";"))
    if parts.get("FREQ") in _OFTEN:
        count = parts.get("COUNT", "")
        if not (count.isdecimal() and len(count) <= 4 and int(count) <= MOST) and "UNTIL" not in parts:
            raise _LeftOutError(TOO_MANY)


def _understood(component: Component) -> None:
    """Refuse an event that the library could not read whole, or whose zone nobody knows."""
    if component.errors or "DTSTART" not in component:
        raise _LeftOutError(UNREADABLE)
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        value: Any = component.get(name)
        if value is None:
            continue
        if isinstance(value, list):
            raise _LeftOutError(UNREADABLE)  # given twice
        if "TZID" in value.params and isinstance(value.dt, datetime) and value.dt.tzinfo is None:
            raise _LeftOutError(UNREADABLE)


def _include_last_day(component: Component, zone: tzinfo) -> None:
    """Make the rule's UNTIL of DTSTART's type: the library, like the RFC, compares them as they are."""
    rules: Any = component.get("RRULE", [])
    first = _value(component, "DTSTART")
    for rule in rules if isinstance(rules, list) else [rules]:
        if "UNTIL" in rule:
            rule["UNTIL"] = [inclusive_until(until, first, zone) for until in rule["UNTIL"]]


def _free(component: Component) -> bool:
    return any(str(component.get(name, "")).upper() == word for name, word in _FREE)


def _moment(value: date | datetime, zone: tzinfo) -> datetime:
    """UTC; a time that clocks skip counts as if they had not, one that they show twice is the first (RFC 5545, 3.3.5)."""
    at = value if isinstance(value, datetime) else datetime.combine(value, time(), zone)
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    return at.astimezone(UTC)
