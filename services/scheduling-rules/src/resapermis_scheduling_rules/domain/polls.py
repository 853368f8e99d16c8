"""Polls: one question to RdvPermis' planning each, and when a person's search is worth one. Pure.

RdvPermis has no feed. A poll is one centre, one day and one category, and costs one call of an employee's budget. Which
poll comes next when nobody waits `mirror/poll_schedule.py` decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from resapermis_places.days import local_day
from resapermis_scheduling_rules.domain.days import is_working_day
from resapermis_scheduling_rules.domain.slots import Centre

EMPTY_FACTOR, IDLE_EMPTY_FACTOR = 10, 360
"""How many times longer than a day with slots an empty working day, or an empty day off, stays fresh."""
AFTER_FAILURE = timedelta(seconds=5)
HORIZON_DAYS = 56


@dataclass(frozen=True, slots=True, order=True)
class Poll:
    """One question to RdvPermis' planning: a centre, a local day, a category group. Costs one call."""

    day: date
    centre_id: str
    category: str
    department: str


@dataclass(frozen=True, slots=True)
class PollRecord:
    """What the last polls of this kind gave."""

    seen_at: datetime | None
    """Last answer; None when none ever came."""
    tried_at: datetime
    slots: int = 0
    trouble: str = ""
    """Why the last try failed; empty when it did not."""


@dataclass(frozen=True, slots=True)
class PlaceInterest:
    """What a person of a school looked at lately."""

    school_id: str
    department: str
    category: str
    first: date
    last: date
    centres: tuple[str, ...] = ()
    """Empty: every centre of the department."""


def polls_for(centres: Sequence[Centre], category: str, since: datetime, until: datetime) -> list[Poll]:
    """All polls that together show [since, until): one a centre and local day, in the order of `urgency_key`."""
    found = []
    for centre in centres:
        day, last = local_day(since, centre.department), local_day(until - timedelta(seconds=1), centre.department)
        while day <= last:
            found.append(Poll(day, centre.id, category, centre.department))
            day += timedelta(days=1)
    return sorted(found, key=urgency_key)


def urgency_key(poll: Poll) -> tuple[bool, date, str, str, str]:
    """Sort key, the worthiest poll first: working days before days off, then the nearest day; the rest only for a fixed order."""
    off = not is_working_day(poll.day, poll.department)
    return off, poll.day, poll.centre_id, poll.category, poll.department


def is_due(poll: Poll, seen: PollRecord | None, now: datetime, fresh: timedelta) -> bool:
    """Whether a poll is worth repeating at `now`, when its answer counts as fresh for `fresh`.

    `seen`: what the last ones gave; None: never polled, so due. One that failed rests five seconds. An empty working day
    stays fresh ten times as long, an empty day off 360 times.
    """
    if seen is None:
        return True
    if (seen.seen_at is None or seen.tried_at > seen.seen_at) and now - seen.tried_at < AFTER_FAILURE:
        return False
    if seen.seen_at is None:
        return True
    if seen.slots == 0:
        fresh *= EMPTY_FACTOR if is_working_day(poll.day, poll.department) else IDLE_EMPTY_FACTOR
    return now - seen.seen_at >= fresh
