"""How old what a search answers is, and what of it is polled again."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cachetools import TTLCache
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.clock import Clock
from resapermis_places.days import local_day
from resapermis_scheduling_rules.domain.polls import PlaceInterest, Poll, PollRecord, is_due, polls_for, urgency_key
from resapermis_scheduling_rules.domain.slots import Centre
from resapermis_scheduling_rules.mirror import queries
from resapermis_scheduling_rules.mirror.poller import Poller
from resapermis_scheduling_rules.parameters.queries import Rulebooks
from resapermis_scheduling_rules.peers import REMEMBERED, SEEN, Asker, SingleFlight, TtlCache
from resapermis_scheduling_rules.school.schools import Schools
from resapermis_scheduling_rules.search.criteria import SearchCriteria

MOST_POLLS = 600
"""Polls that one search may cause at all, its nearest centres first; the planner sees to the rest."""
MOST_PLACES = 5
"""Departments that one search is noted as watching."""
INTEREST_PAUSE = timedelta(minutes=1)
BATCH_SECONDS = 0.5
"""How long what people look at waits for more of it before it is written."""
COVERAGE_SECONDS = 1.0
"""How long the account of a window's polls is remembered, unless one of its polls lands."""


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """How one day of a window is known, over all its centres."""

    day: date
    polls: int
    """Those that a person's search polls again, when asked to."""
    oldest_seen_at: datetime | None
    unseen: bool
    """Some were never answered."""


@dataclass(frozen=True, slots=True)
class Window:
    """How old a search's answer is: its oldest poll, whether it lacks something, and why; and each of its days."""

    oldest_seen_at: datetime | None = None
    incomplete: bool = False
    reason: str = SEEN
    days: Sequence[DayCoverage] = ()
    polls_left: int = 0
    """Polls that the asker's school may still cause within this minute."""


@dataclass(frozen=True, slots=True)
class PollCoverage:
    """How the polls stand that together show a window."""

    any: bool
    """False where there is nothing to poll."""
    doubtful: Sequence[tuple[Poll, PollRecord | None]]
    """Those that may be due, the worthiest first, with what the last poll gave; of all others it is known that they are not."""
    oldest_seen_at: datetime | None
    unseen: bool
    """Some were never answered."""
    trouble: str
    days: Sequence[DayCoverage]


class Freshness:
    """Polls again what is stale of a search's window, and notes what people look at."""

    def __init__(
        self,
        engine: AsyncEngine,
        schools: Schools,
        rulebooks: Rulebooks,
        poller: Poller,
        single_flight: SingleFlight,
        now: Clock,
        *,
        first_poll_seconds: float,
    ) -> None:
        """`first_poll_seconds`: how long a search waits when nothing of its window was ever seen."""
        self._engine, self._poller, self._now = engine, poller, now
        self._schools, self._rulebooks, self._single_flight = schools, rulebooks, single_flight
        self._first_poll_seconds = first_poll_seconds
        self._coverages: TtlCache[PollCoverage] = TtlCache(now, COVERAGE_SECONDS)
        self._noted: TTLCache[PlaceInterest, None] = TTLCache(
            REMEMBERED, INTEREST_PAUSE.total_seconds(), lambda: now().timestamp()
        )
        self._unwritten: list[tuple[PlaceInterest, datetime]] = []

    async def of(self, wanted: SearchCriteria, centres: Sequence[Centre], who: Asker, *, poll_now: bool) -> Window:
        """Refresh what is stale of a window; wait only where nothing was ever seen, or a person asks for it."""
        coverage = await self._coverage(wanted, centres, poll_now=poll_now)
        why, under_way = SEEN, False
        if wanted.after is None and coverage.any:  # later pages show the same polls
            self._note_interest(wanted, centres, who)
            tasks, why = self._poller.start(await self._due(coverage, wanted.category, poll_now=poll_now), who)
            if tasks:
                patience = self._first_poll_seconds if poll_now or coverage.oldest_seen_at is None else 0
                done, pending = await asyncio.wait(tasks, timeout=patience)
                under_way = bool(pending)
                why = next((task.result() for task in done if task.result()), why)
                if under_way:
                    why = why or self._poller.trouble(who)
                if done:
                    self._schools.forget(who.school_id)  # the polls may have shown a threshold as reached
                    coverage = await self._coverage(wanted, centres, poll_now=poll_now)
        why = why or coverage.trouble
        incomplete = under_way or coverage.unseen or bool(why)
        return Window(coverage.oldest_seen_at, incomplete, why, coverage.days, self._poller.polls_left(who.school_id))

    async def _coverage(self, wanted: SearchCriteria, centres: Sequence[Centre], *, poll_now: bool) -> PollCoverage:
        ids = tuple(centre.id for centre in centres)
        ended_polls = self._poller.ended_polls(ids, wanted.category)
        days = tuple(
            local_day(at, wanted.department or centres[0].department) if centres else None
            for at in (wanted.since, wanted.until)
        )
        key = (ids, ended_polls, wanted.category, days, wanted.weekdays, poll_now)
        return await self._coverages.get(key, lambda: self._read(wanted, centres, poll_now=poll_now))

    async def _read(self, wanted: SearchCriteria, centres: Sequence[Centre], *, poll_now: bool) -> PollCoverage:
        """Count the polls, and name those alone that may be due; all of them where some were never tried."""
        many = max(1, MOST_POLLS // max(1, (wanted.until - wanted.since).days + 1))
        near, far = centres[:many], centres[many:]
        days = {department: _days(wanted, department) for department in {one.department for one in centres}}
        every_day = sorted(set().union(*days.values()))
        expected = sum(len(days[centre.department]) for centre in near)
        fresh = timedelta(0) if poll_now else await self._least_fresh(near, wanted.category)
        known = await queries.count_polls(
            self._engine,
            wanted.category,
            near,
            far,
            every_day,
            self._now() + timedelta(seconds=COVERAGE_SECONDS) - fresh,
        )
        doubtful: Sequence[tuple[Poll, PollRecord | None]]
        if known.tried == expected == len(near) * len(every_day):
            doubtful = sorted(known.doubtful, key=lambda one: urgency_key(one[0]))
            answered, oldest = known.answered, known.oldest_seen_at
        else:  # some were never tried, or the day is another somewhere
            polls = self._polls(wanted, near)
            seen = await queries.polls_seen(self._engine, wanted.category, polls)
            doubtful = [(poll, seen.get(poll)) for poll in polls]
            moments = [one.seen_at for one in seen.values() if one.seen_at is not None]
            answered, oldest = len(moments), min(moments, default=None)
        return PollCoverage(
            expected > 0,
            doubtful,
            min((at for at in (oldest, known.far_oldest_seen_at) if at is not None), default=None),
            answered + known.far_answered < expected + len(far) * len(every_day),
            next((last.trouble for _, last in doubtful if last is not None and last.trouble), SEEN),
            [_coverage_of(day, near, far, days, known.by_day.get(day, (0, None))) for day in every_day],
        )

    async def _least_fresh(self, centres: Sequence[Centre], category: str) -> timedelta:
        """The shortest time for which a poll stays fresh at any of these."""
        departments = {centre.department for centre in centres}
        seconds = [(await self._rulebooks.parameters_at(one, category)).poll_stale_seconds for one in departments]
        return timedelta(seconds=min(seconds, default=0))

    def _polls(self, wanted: SearchCriteria, centres: Sequence[Centre]) -> list[Poll]:
        if wanted.until <= wanted.since:
            return []
        polls = polls_for(centres, wanted.category, wanted.since, wanted.until)
        return [poll for poll in polls if not wanted.weekdays or poll.day.isoweekday() in wanted.weekdays]

    async def _due(self, coverage: PollCoverage, category: str, *, poll_now: bool) -> list[Poll]:
        stale: dict[str, timedelta] = {}
        now, due = self._now(), []
        for poll, seen in coverage.doubtful:
            fresh = stale.get(poll.department)
            if fresh is None:
                parameters = await self._rulebooks.parameters_at(poll.department, category)
                fresh = timedelta(seconds=0 if poll_now else parameters.poll_stale_seconds)
                stale[poll.department] = fresh
            if is_due(poll, seen, now, fresh):
                due.append(poll)
        return due

    def _note_interest(self, wanted: SearchCriteria, centres: Sequence[Centre], who: Asker) -> None:
        """Give the planner, behind the answer, what people look at, once a minute: it remembers for ten."""
        narrow = bool(wanted.centre_ids) or wanted.within_km is not None
        places: dict[str, list[str]] = {}
        for centre in centres:
            places.setdefault(centre.department, []).append(centre.id)
        for department, ids in list(places.items())[:MOST_PLACES]:
            days = (local_day(wanted.since, department), local_day(wanted.until, department))
            here = tuple(sorted(ids)) if narrow else ()
            self._note(PlaceInterest(who.school_id, department, wanted.category, *days, here))

    def _note(self, interest: PlaceInterest) -> None:
        if interest in self._noted:
            return
        self._noted[interest] = None
        self._unwritten.append((interest, self._now()))
        self._single_flight.in_background("interests", self._write_interests)

    async def _write_interests(self) -> None:
        """All that came in a moment together: a commit each, beside the answers, was a tenth of a search's CPU."""
        await asyncio.sleep(BATCH_SECONDS)
        while self._unwritten:
            noted, self._unwritten = self._unwritten, []
            await queries.note_interests(self._engine, noted)


def _days(wanted: SearchCriteria, department: str) -> list[date]:
    """Days of a window on a department's clock."""
    if wanted.until <= wanted.since:
        return []
    first = local_day(wanted.since, department)
    last = local_day(wanted.until - timedelta(seconds=1), department)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if not wanted.weekdays or day.isoweekday() in wanted.weekdays]


def _coverage_of(
    day: date,
    near: Sequence[Centre],
    far: Sequence[Centre],
    days: Mapping[str, Sequence[date]],
    known: tuple[int, datetime | None],
) -> DayCoverage:
    """A day at those centres whose clock has it in the window; `known`: how many were answered, and the oldest answer."""
    answered, oldest = known
    polls = sum(day in days[centre.department] for centre in near)
    others = sum(day in days[centre.department] for centre in far)
    return DayCoverage(day, polls, oldest, answered < polls + others)
