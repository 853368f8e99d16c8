"""What a search asks for, and which slots it means. Pure: `matches` alone says it, everything else only finds faster."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from resapermis_scheduling_rules.domain import Centre, Point, Slot, Status, day_start, distance_km, local_day, zone_of

SHORT_GAP = timedelta(minutes=15)
"""Between two slots that a group of pupils takes one after the other."""
DAY = 1440
Position = tuple[datetime, str]
"""Where a page ended: (starts_at, id) of the last slot looked at. An empty id stands before every slot of that moment."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which slots are asked for."""

    department: str
    """Empty where `within_km` says where."""
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
    in_a_row: int = 0
    open_now: bool = False
    opens_before: datetime | None = None
    after: Position | None = None
    limit: int = 200

    @property
    def free_only(self) -> bool:
        """Whether slots that others have can be meant at all."""
        return self.in_a_row > 1 or self.judged

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
    local = at.astimezone(ZoneInfo(zone_of(department)))
    return local.hour * 60 + local.minute


def matches(wanted: Wanted, slot: Slot, school: Point | None = None) -> bool:
    """Say whether a slot is meant, its verdict and its neighbours apart."""
    return is_meant(wanted, slot.centre, school) and suits(wanted, slot)


def suits(wanted: Wanted, slot: Slot) -> bool:
    """Say whether a slot is meant, its centre apart."""
    if slot.category != wanted.category or not wanted.since <= slot.starts_at < wanted.until:
        return False
    if (wanted.kind and slot.kind != wanted.kind) or (wanted.free_only and slot.status is not Status.FREE):
        return False
    return not wanted.by_hour or _at_an_hour(wanted, slot)


def is_meant(wanted: Wanted, centre: Centre, school: Point | None) -> bool:
    """Say whether a centre's slots are asked for."""
    return (
        (not wanted.department or centre.department == wanted.department)
        and (not wanted.centre_ids or centre.id in wanted.centre_ids)
        and (wanted.within_km is None or within(centre, school, wanted.within_km))
    )


def _at_an_hour(wanted: Wanted, slot: Slot) -> bool:
    if wanted.weekdays and local_day(slot.starts_at, slot.department).isoweekday() not in wanted.weekdays:
        return False
    return wanted.day_from <= minute_of_day(slot.starts_at, slot.department) < wanted.day_to


def opens(wanted: Wanted, *, allowed: bool, opens_at: datetime | None) -> bool:
    """Say whether a verdict is one that is asked for."""
    if wanted.open_now and not allowed:
        return False
    if wanted.opens_before is None or allowed:
        return True
    return opens_at is not None and opens_at < wanted.opens_before


def within(centre: Centre, school: Point | None, kilometres: int) -> bool:
    """Say whether a centre is so near; not when either place is unknown."""
    here = centre.point
    return school is not None and here is not None and distance_km(school, here) <= kilometres


def nearest_first(centres: Iterable[Centre], school: Point | None) -> list[Centre]:
    """Nearest to the school where places are known, the others after them by name."""

    def rank(centre: Centre) -> tuple[bool, float, str, str]:
        here = centre.point
        known = school is not None and here is not None
        return not known, distance_km(school, here) if school and here else 0.0, centre.name, centre.id

    return sorted(centres, key=rank)


@lru_cache(maxsize=1024)
def hours(wanted: Wanted, department: str) -> Sequence[tuple[datetime, datetime]]:
    """Stretches of the window, in order and apart, outside of which nothing in a department can match.

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


def in_a_row(slots: Sequence[Slot], many: int) -> set[str]:
    """Ids of slots that belong to `many` or more, one after the other at one centre, each within 15 min of the last's end.

    Two examiners at one hour are no row. Runs end with the day.
    """
    centres: dict[str, list[Slot]] = {}
    for slot in slots:
        centres.setdefault(slot.centre.id, []).append(slot)
    found: set[str] = set()
    for here in centres.values():
        found |= _rows(sorted(here, key=lambda slot: (slot.starts_at, slot.id)), many)
    return found


def _rows(here: Sequence[Slot], many: int) -> set[str]:
    starts = [slot.starts_at for slot in here]
    followers = [
        range(bisect_left(starts, slot.ends_at), bisect_left(starts, slot.ends_at + SHORT_GAP)) for slot in here
    ]
    before, after = [1] * len(here), [1] * len(here)
    for place, followed in enumerate(followers):
        for follower in followed:
            before[follower] = max(before[follower], before[place] + 1)
    for place in reversed(range(len(here))):
        after[place] = 1 + max((after[follower] for follower in followers[place]), default=0)
    return {slot.id for slot, b, a in zip(here, before, after, strict=True) if b + a - 1 >= many}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of an index: one department or centre, from a moment to another."""

    key: str
    low: datetime
    high: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """What one query reads: stretches, how many slots at most, of each and in all, and until when it then knows everything."""

    stretches: Sequence[Stretch]
    most_each: int
    most: int
    until: datetime


FEW_STREAMS, MOST_STRETCHES = 12, 400
LEAST_EACH = 16


def step(wanted: Wanted, streams: Mapping[str, str], begin: datetime, many: int, days: int) -> Step:
    """Choose what to read next for some `many` slots from `begin` on, at most `days` ahead.

    `streams`: index keys with the department whose clock counts. Many streams share the rows: their slots are merged,
    and what is cut short only shortens how far the step knows everything (`complete_until`).
    """
    until = min(wanted.until, begin + timedelta(days=days))
    stretches: list[Stretch] = []
    by_zone: dict[str, list[tuple[datetime, datetime]]] = {}
    for department in streams.values():
        zone = zone_of(department)
        if zone not in by_zone:
            by_zone[zone] = [one for one in hours(wanted, department) if one[1] > begin]
    longest = max(1, MOST_STRETCHES // max(1, len(streams)))
    for parts in by_zone.values():
        if len(parts) > longest:
            until = min(until, parts[longest][0])
    for key, department in streams.items():
        for low, high in by_zone[zone_of(department)]:
            if low >= until:
                break
            stretches.append(Stretch(key, max(low, begin), min(high, until)))
    each = many if len(stretches) <= 1 else min(many, max(LEAST_EACH, 3 * many // len(stretches)))
    return Step(stretches, each, many, until)


def complete_until(done: Step, found: Sequence[tuple[int, Position]]) -> Position:
    """Up to where a step's answer lacks nothing, by the stretch and position of each slot found, in order.

    Its end; or the last slot of all, where that was as many as were asked for; or the last of the first stretch that was
    cut short.
    """
    counts: dict[int, int] = {}
    for stretch, position in found:
        counts[stretch] = counts.get(stretch, 0) + 1
        if counts[stretch] >= done.most_each:
            return position
    return found[-1][1] if len(found) >= done.most else (done.until, "")


def day_of(position: Position, department: str) -> datetime:
    """Midnight before a position, on a department's clock: runs never cross it."""
    return day_start(local_day(position[0], department), department)
