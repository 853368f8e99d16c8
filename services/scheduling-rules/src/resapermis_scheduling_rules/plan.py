"""Which days of which centres to look at next. Pure: the clock and all facts are arguments.

RdvPermis has no feed. A look is one centre, one day and one category, and costs one call of an employee's budget; so
what people look at comes first, then the home departments of connected schools, denser around publication hours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import inf
from zoneinfo import ZoneInfo

from resapermis_scheduling_rules.days import is_working_day
from resapermis_scheduling_rules.domain import Centre, local_day, zone_of

PUBLICATION = time(15, 0)
"""New slots go on line at 15:00, local, in many public reports."""
AROUND_PUBLICATION = timedelta(minutes=10)
FRESH_WHILE_PEOPLE_LOOK = timedelta(seconds=60)
FRESH_AT_PUBLICATION = timedelta(minutes=2)
FRESH_OTHERWISE = timedelta(minutes=30)
EMPTY_FACTOR, IDLE_EMPTY_FACTOR = 10, 360
"""How many times longer than a day with slots an empty working day, or an empty day off, stays fresh."""
AFTER_FAILURE = timedelta(seconds=5)
HORIZON_DAYS = 56


@dataclass(frozen=True, slots=True, order=True)
class Look:
    """One question to RdvPermis' planning."""

    day: date
    centre_id: str
    category: str
    department: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last looks of this kind gave."""

    seen_at: datetime | None
    """Last answer; None when none ever came."""
    tried_at: datetime
    slots: int = 0
    trouble: str = ""
    """Why the last try failed; empty when it did not."""


@dataclass(frozen=True, slots=True)
class Interest:
    """What a person of a school looked at lately."""

    school_id: str
    department: str
    category: str
    first: date
    last: date
    centres: tuple[str, ...] = ()
    """Empty: every centre of the department."""


def looks_for(centres: Sequence[Centre], category: str, since: datetime, until: datetime) -> list[Look]:
    """All looks that together show a window, in the order in which they are worth their calls: working days first."""
    found = []
    for centre in centres:
        day, last = local_day(since, centre.department), local_day(until - timedelta(seconds=1), centre.department)
        while day <= last:
            found.append(Look(day, centre.id, category, centre.department))
            day += timedelta(days=1)
    return sorted(found, key=lambda look: (not is_working_day(look.day, look.department), look))


def is_due(look: Look, seen: Seen | None, now: datetime, fresh: timedelta) -> bool:
    """Say whether a look is worth repeating; a failed one rests a moment, an empty day stays fresh for longer."""
    if seen is None:
        return True
    if (seen.seen_at is None or seen.tried_at > seen.seen_at) and now - seen.tried_at < AFTER_FAILURE:
        return False
    if seen.seen_at is None:
        return True
    if seen.slots == 0:
        fresh *= EMPTY_FACTOR if is_working_day(look.day, look.department) else IDLE_EMPTY_FACTOR
    return now - seen.seen_at >= fresh


def background_budget(calls_left: int, calls_per_minute: int) -> int:
    """Calls that background work may spend now: never more than half of a token's minute, the rest is people's."""
    return max(0, calls_left - (calls_per_minute + 1) // 2)


def _fresh(look: Look, now: datetime, watched: Iterable[Interest]) -> timedelta:
    for interest in watched:
        if interest.first <= look.day <= interest.last:
            return FRESH_WHILE_PEOPLE_LOOK
    local = now.astimezone(ZoneInfo(zone_of(look.department)))
    published = datetime.combine(local.date(), PUBLICATION, tzinfo=local.tzinfo)
    return FRESH_AT_PUBLICATION if abs(local - published) <= AROUND_PUBLICATION else FRESH_OTHERWISE


def next_looks(
    now: datetime,
    interests: Sequence[Interest],
    homes: Mapping[str, str],
    centres: Mapping[tuple[str, str], Sequence[Centre]],
    seen: Mapping[Look, Seen],
    budgets: Mapping[str, int],
    most: int,
) -> list[tuple[str, Look]]:
    """Return (school whose token pays, look), at most `most`: what people watch first, then the most overdue.

    `homes`: department of each connected school; `centres` by (department, category); `budgets`: calls each connected
    school may still spend. A school pays only for departments it looks at or is at home in.
    """
    payers: dict[tuple[str, str], set[str]] = {}
    watched: dict[tuple[str, str], list[Interest]] = {}
    for interest in interests:
        place = (interest.department, interest.category)
        watched.setdefault(place, []).append(interest)
        if interest.school_id in budgets:
            payers.setdefault(place, set()).add(interest.school_id)
    for school_id, department in homes.items():
        for place in centres:
            if place[0] == department and school_id in budgets:
                payers.setdefault(place, set()).add(school_id)
    due: list[tuple[bool, float, Look]] = []
    for place in payers:
        window = looks_for(centres.get(place, ()), place[1], now, now + timedelta(days=HORIZON_DAYS))
        for look in window:
            fresh = _fresh(look, now, watched.get(place, ()))
            if is_due(look, seen.get(look), now, fresh):
                due.append((fresh == FRESH_WHILE_PEOPLE_LOOK, _overdue(seen.get(look), now, fresh), look))
    due.sort(key=lambda one: (not one[0], -one[1], not is_working_day(one[2].day, one[2].department), one[2]))
    return _paid([look for _, _, look in due], payers, dict(budgets), most)


def _overdue(seen: Seen | None, now: datetime, fresh: timedelta) -> float:
    """How many times over a look is late; a day never seen is the latest."""
    return inf if seen is None or seen.seen_at is None else (now - seen.seen_at) / fresh


def _paid(
    due: Sequence[Look], payers: Mapping[tuple[str, str], set[str]], left: dict[str, int], most: int
) -> list[tuple[str, Look]]:
    planned: list[tuple[str, Look]] = []
    for look in due:
        if len(planned) == most:
            break
        able = [school for school in payers[look.department, look.category] if left[school] > 0]
        if able:
            payer = max(able, key=lambda school: (left[school], school))
            left[payer] -= 1
            planned.append((payer, look))
    return planned
