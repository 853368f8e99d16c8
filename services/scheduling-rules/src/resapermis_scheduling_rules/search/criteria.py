"""What a search asks for, and which slots it means. Pure: `matches` alone decides it, everything else only finds faster."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from resapermis_places.days import day_start, local_day
from resapermis_places.table import zone_of
from resapermis_scheduling_rules.domain.distance import within
from resapermis_scheduling_rules.domain.slots import Centre, Point, Slot, Status

SHORT_GAP = timedelta(minutes=15)
"""Between two slots that a group of pupils takes one after the other."""
DAY = 1440
Position = tuple[datetime, str]
"""Where a page ended: (starts_at, id) of the last slot looked at. An empty id stands before every slot of that moment."""


@dataclass(frozen=True, slots=True)
class SearchCriteria:
    """What a search asks for: a window of time, one department or a distance, filters, and where its page begins."""

    department: str
    """Empty where `within_km` bounds them."""
    category: str
    since: datetime
    until: datetime
    centre_ids: tuple[str, ...] = ()
    within_km: int | None = None
    day_from: int = 0
    """Minutes after midnight at the centre, included."""
    day_to: int = DAY
    """Not included."""
    weekdays: frozenset[int] = frozenset()
    """ISO, Monday 1; empty: all."""
    kind: str = ""
    consecutive: int = 0
    open_now: bool = False
    opens_before: datetime | None = None
    after: Position | None = None
    limit: int = 200

    @property
    def free_only(self) -> bool:
        """Whether slots that others have can be meant at all."""
        return self.consecutive > 1 or self.judged

    @property
    def judged(self) -> bool:
        """Whether a slot's verdict decides if it is meant."""
        return self.open_now or self.opens_before is not None

    @property
    def by_hour(self) -> bool:
        """Whether only parts of the days are meant."""
        return bool(self.weekdays) or self.day_from > 0 or self.day_to < DAY


def minute_of_day(at: datetime, department: str) -> int:
    """Minutes after midnight on the centre's own clock."""
    return _minute(at, zone_of(department))


@lru_cache(maxsize=65_536)
def _minute(at: datetime, zone: str) -> int:
    """Remembered: many slots of a page begin at one moment."""
    local = at.astimezone(ZoneInfo(zone))
    return local.hour * 60 + local.minute


def matches(wanted: SearchCriteria, slot: Slot, school: Point | None = None) -> bool:
    """Say whether a slot is meant, its verdict and its neighbours apart."""
    return matches_centre(wanted, slot.centre, school) and matches_slot(wanted, slot)


def matches_slot(wanted: SearchCriteria, slot: Slot) -> bool:
    """Say whether a slot is meant, its centre apart."""
    if slot.category != wanted.category or not wanted.since <= slot.starts_at < wanted.until:
        return False
    if (wanted.kind and slot.kind != wanted.kind) or (wanted.free_only and slot.status is not Status.FREE):
        return False
    return not wanted.by_hour or matches_hour(wanted, slot.starts_at, slot.department)


def matches_centre(wanted: SearchCriteria, centre: Centre, school: Point | None) -> bool:
    """Say whether a centre's slots are asked for."""
    return (
        (not wanted.department or centre.department == wanted.department)
        and (not wanted.centre_ids or centre.id in wanted.centre_ids)
        and (wanted.within_km is None or within(centre, school, wanted.within_km))
    )


def matches_hour(wanted: SearchCriteria, starts_at: datetime, department: str) -> bool:
    """Say whether a moment is on a day and at an hour that are asked for."""
    if wanted.weekdays and local_day(starts_at, department).isoweekday() not in wanted.weekdays:
        return False
    return wanted.day_from <= minute_of_day(starts_at, department) < wanted.day_to


def matches_opening(wanted: SearchCriteria, *, allowed: bool, opens_at: datetime | None) -> bool:
    """Say whether a verdict is one that is asked for."""
    if wanted.open_now and not allowed:
        return False
    if wanted.opens_before is None or allowed:
        return True
    return opens_at is not None and opens_at < wanted.opens_before


@lru_cache(maxsize=1024)
def hours(wanted: SearchCriteria, department: str) -> Sequence[tuple[datetime, datetime]]:
    """Parts of the window, in order and apart, outside of which nothing in a department can match.

    Around a change of clocks they are generous: `matches` decides. Remembered: each step of a page asks again.
    """
    if not wanted.by_hour:
        return ((wanted.since, wanted.until),)
    zone = ZoneInfo(zone_of(department))
    day, last = local_day(wanted.since, department), local_day(wanted.until - timedelta(microseconds=1), department)
    found: list[tuple[datetime, datetime]] = []
    while day <= last:
        if not wanted.weekdays or day.isoweekday() in wanted.weekdays:
            midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
            begins = _both_readings(midnight + timedelta(minutes=wanted.day_from))
            ends = _both_readings(midnight + timedelta(minutes=wanted.day_to))
            low, high = max(wanted.since, min(begins)), min(wanted.until, max(ends))
            if found and found[-1][1] >= low:
                found[-1] = (found[-1][0], max(high, found[-1][1]))
            elif low < high:
                found.append((low, high))
        day += timedelta(days=1)
    return found


def _both_readings(local: datetime) -> tuple[datetime, datetime]:
    """A wall-clock time may come twice or never: both ways to read it, UTC."""
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


Row = Any
"""A slot as the mirror is read: (part, id, centre, kind, starts, ends, published, status, holder, seen)."""
ID, CENTRE, STARTS, ENDS = 1, 2, 4, 5
position_of: Callable[[Row], Position] = itemgetter(STARTS, ID)


def consecutive(rows: Iterable[Row], many: int) -> set[str]:
    """Ids of slots that belong to `many` or more, one after the other at one centre, each within 15 min of the last's end.

    Two examiners at one hour are no row. Runs end with the day. `rows` come in order of time.
    """
    centres: dict[str, list[Row]] = {}
    for row in rows:
        centres.setdefault(row[CENTRE], []).append(row)
    found: set[str] = set()
    for here in centres.values():
        for neighbours in _groups(here, many):
            found |= _rows(neighbours, many)
    return found


def _groups(here: Sequence[Row], many: int) -> Iterator[Sequence[Row]]:
    """Parts of one centre's slots between which no row can go on, where as many as `many` begin at different moments."""
    group: list[Row] = []
    begins, last, reach = 0, None, None
    for row in here:
        starts_at = row[STARTS]
        if reach is not None and starts_at >= reach:
            if begins >= many:
                yield group
            group, begins, last, reach = [], 0, None, None
        group.append(row)
        if starts_at != last:
            begins, last = begins + 1, starts_at
        ends_at = row[ENDS] + SHORT_GAP
        if reach is None or ends_at > reach:
            reach = ends_at
    if begins >= many:
        yield group


def _rows(here: Sequence[Row], many: int) -> set[str]:
    """Of one centre's slots in order of their start: ids of those on a chain so long, by the longest before and after each."""
    starts = [row[STARTS] for row in here]
    followers = [range(bisect_left(starts, row[ENDS]), bisect_left(starts, row[ENDS] + SHORT_GAP)) for row in here]
    before, after = [1] * len(here), [1] * len(here)
    for place, followed in enumerate(followers):
        for follower in followed:
            before[follower] = max(before[follower], before[place] + 1)
    for place in reversed(range(len(here))):
        after[place] = 1 + max((after[follower] for follower in followers[place]), default=0)
    return {row[ID] for row, b, a in zip(here, before, after, strict=True) if b + a - 1 >= many}


@dataclass(frozen=True, slots=True)
class ReadStep:
    """What one query reads: streams, parts of the window, how many slots at most, and until when it then knows everything."""

    keys: Sequence[str]
    """Departments or centres."""
    parts: Sequence[tuple[datetime, datetime]]
    """In order and apart."""
    most_each: int
    """Of one stream in one part."""
    most: int
    until: datetime


MOST_INDEX_RANGES = 400
"""Streams times parts of one query: what it costs where there is next to nothing to find."""
LEAST_EACH = 16


def step(wanted: SearchCriteria, streams: Mapping[str, str], begin: datetime, many: int, times: int = 1) -> ReadStep:
    """Choose what to read next for some `many` slots from `begin` on; `times` as much where that was too little.

    `streams`: index keys with the department whose clock counts. Many streams share the rows: their slots are merged,
    and what is cut short only shortens how far the step knows everything (`complete_until`).
    """
    many *= times
    parts = _parts(wanted, streams.values(), begin)
    if len(streams) > 1 and not wanted.by_hour:
        parts = _growing(begin, wanted.until)
    longest = times * max(1, MOST_INDEX_RANGES // max(1, len(streams)))
    until = parts[longest][0] if len(parts) > longest else wanted.until
    each = many if len(streams) <= 1 else min(many, max(LEAST_EACH, 3 * many // len(streams)))
    return ReadStep(list(streams), parts[:longest], each, many, until)


def _parts(wanted: SearchCriteria, departments: Iterable[str], begin: datetime) -> list[tuple[datetime, datetime]]:
    """The hours of all departments from `begin` on: where their clocks differ, too much for some, and `matches` decides."""
    zones = {zone_of(department): department for department in departments}
    found: list[tuple[datetime, datetime]] = []
    for low, high in sorted(part for department in zones.values() for part in hours(wanted, department)):
        if found and found[-1][1] >= low:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        elif high > begin:
            found.append((max(low, begin), high))
    return found


def _growing(begin: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """A day, then half as much as all before: of many streams together little is read that the page has no room for."""
    found, low, high = [], begin, begin + timedelta(days=1)
    while low < until:
        found.append((low, min(high, until)))
        low, high = high, high + max(timedelta(days=1), (high - begin) / 2)
    return found


def complete_until(done: ReadStep, rows: Sequence[Row]) -> Position:
    """Up to where a step's answer, in order, lacks nothing.

    Its end; or the last slot of all, where that was as many as were asked for; or the last of the first index range (stream
    and part) that was cut short.
    """
    if done.most_each < done.most:  # each stream is a centre
        counts = Counter(map(itemgetter(0, CENTRE), rows))
        cut = {index_range for index_range, count in counts.items() if count >= done.most_each}
        seen: Counter[tuple[int, str]] = Counter()
        for row in rows if cut else ():
            index_range = (row[0], row[CENTRE])
            seen[index_range] += 1
            if seen[index_range] >= done.most_each:
                return position_of(row)
    return position_of(rows[-1]) if len(rows) >= done.most else (done.until, "")


def day_of(position: Position, department: str) -> datetime:
    """Midnight before a position, on a department's clock: runs never cross it."""
    return day_start(local_day(position[0], department), department)
