"""Which poll is the latest, of all that somebody wants. Pure: demands, answers and times are arguments.

Every poll has a time after which its answer is old: short while a person looks at it, longer for favourites and saved
searches, half an hour for the rest. The next poll is always the one that is late by the largest factor, so that under any
load all classes are late alike and none starves. Polls that are old after the same time stand in one queue, by when they
were last answered: choosing the next few costs the same however many there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum
from heapq import heapify, heappop, heappush
from zoneinfo import ZoneInfo

from resapermis_places.table import zone_of
from resapermis_scheduling_rules.domain.days import is_working_day
from resapermis_scheduling_rules.domain.polls import HORIZON_DAYS, PlaceInterest, Poll, PollRecord
from resapermis_scheduling_rules.mirror.tokens import Tokens


class PollReason(IntEnum):
    """For whom a poll is wanted, the most urgent first; OLD_AFTER says how soon each is old."""

    WATCHED = 0
    FAVOURITE = 1
    SAVED = 2
    REST = 3


OLD_AFTER: Mapping[PollReason, float] = {
    PollReason.WATCHED: 90,
    PollReason.FAVOURITE: 240,
    PollReason.SAVED: 240,
    PollReason.REST: 1800,
}
"""Seconds after which an answer is old, on a working day that has slots."""
EMPTY_FACTOR, OFF_FACTOR = 1.5, 60
"""How many times longer an empty working day, or a day off, stays fresh: exams come to the first and rarely to the second."""
PUBLICATION_FACTOR = 10
"""How many times sooner a working day is old around the hour at which new slots go on line, empty or not."""
BEFORE_PUBLICATION, AFTER_PUBLICATION = timedelta(minutes=1), timedelta(minutes=15)
NEVER_SEEN = 1.0
"""A poll that was never answered begins as late as this, so that the many of a new centre do not starve what people watch."""
SOONEST = 0.25
"""Where nothing is old, a poll is repeated after this part of its time: what may be asked anyway is not left unused."""
RESTS = 5.0
"""Seconds that a poll waits after it failed or when nobody could pay for it."""
CentreGroup = tuple[str, str]
"""(centre, category group)."""


@dataclass(frozen=True, slots=True)
class PollDemand:
    """That a centre is to be polled on all days: for whom, and whose tokens may pay."""

    department: str
    why: PollReason
    payers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Publication:
    """When new slots of a department and category group go on line."""

    minutes: int = 900
    weekday: int = 0
    """ISO; 0: any."""

    def is_near(self, now: datetime, zone: str) -> bool:
        """Whether they come about now, on the clock of `zone`."""
        local = now.astimezone(ZoneInfo(zone))
        if self.weekday not in {0, local.isoweekday()}:
            return False
        at = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(minutes=self.minutes)
        return at - BEFORE_PUBLICATION <= local <= at + AFTER_PUBLICATION


@dataclass(frozen=True, slots=True)
class PollQueue:
    """Polls that are always equally urgent when equally old."""

    why: PollReason
    empty: bool
    off: bool
    zone: str
    publication: Publication

    def old_after(self, near: bool) -> float:  # noqa: FBT001 - of a publication
        """Seconds after which an answer is old, by its urgency, what it found and whether publication is near."""
        seconds = OLD_AFTER[self.why]
        if self.off:
            return seconds * OFF_FACTOR
        if near:
            return seconds / PUBLICATION_FACTOR
        return seconds * EMPTY_FACTOR if self.empty else seconds


@dataclass(slots=True)
class _State:
    queue: PollQueue
    since: float
    """When it was last answered, seconds; for one that never was, as if."""
    slots: int
    """Of the last answer; before it, a working day is taken to have some, a day off none."""
    answered: bool = False
    free: bool = True
    """Neither under way nor resting."""
    rests_until: float = 0.0


@dataclass
class PollSchedule:
    """All polls that somebody wants, and when each was last answered."""

    publications: Mapping[tuple[str, str], Publication] = field(default_factory=dict)
    """By (department, category group)."""
    _demands: dict[CentreGroup, PollDemand] = field(default_factory=dict)
    _watched: dict[CentreGroup, dict[tuple[date, date], set[str]]] = field(default_factory=dict)
    _states: dict[Poll, _State] = field(default_factory=dict)
    _queues: dict[PollQueue, list[tuple[float, Poll]]] = field(default_factory=dict)
    _resting: list[tuple[float, Poll]] = field(default_factory=list)
    _unpaid: list[Poll] = field(default_factory=list)
    _today: date | None = None

    def set_demands(self, demands: Mapping[CentreGroup, PollDemand], now: datetime) -> None:
        """Set what is wanted whoever watches; what is no longer wanted is forgotten."""
        today = now.date()
        changed = [centre for centre, demand in demands.items() if self._differs(centre, demand)]
        gone = self._demands.keys() - demands.keys()
        rolled = today != self._today
        self._demands, self._today = dict(demands), today
        for centre in demands if rolled else changed:
            self._arrange(centre, now.timestamp())
        if gone or rolled:
            last = today + timedelta(days=HORIZON_DAYS)
            for poll in [
                poll
                for poll in self._states
                if not today <= poll.day < last or (poll.centre_id, poll.category) not in self._demands
            ]:
                del self._states[poll]

    def watch(self, interests: Iterable[PlaceInterest], now: datetime) -> None:
        """Set what people watch now; their schools pay for it."""
        watched: dict[CentreGroup, dict[tuple[date, date], set[str]]] = {}
        open_ = self._by_department()
        for one in interests:
            for centre_id in one.centres or open_.get((one.department, one.category), ()):
                days = watched.setdefault((centre_id, one.category), {})
                days.setdefault((one.first, one.last), set()).add(one.school_id)
        before, self._watched = self._watched, watched
        for centre in before.keys() | watched.keys():
            if centre in self._demands and before.get(centre, {}).keys() != watched.get(centre, {}).keys():
                self._arrange(centre, now.timestamp())

    def learn(self, poll: Poll, seen: PollRecord) -> None:
        """A poll was answered, here or by somebody else."""
        state = self._states.get(poll)
        if state is None or seen.seen_at is None:
            return
        at = seen.seen_at.timestamp()
        if at > state.since or not state.answered:
            state.since, state.slots, state.answered = at, seen.slots, True
            self._place(poll, state)

    def ended(self, poll: Poll, now: datetime) -> None:
        """A chosen poll is over: what it brought was learnt; when it failed it rests."""
        self._rest(poll, now.timestamp() + RESTS)

    def next(self, now: datetime, tokens: Tokens, most: int, *, again: bool = False) -> list[tuple[str, Poll]]:
        """Choose (school whose token pays, poll), at most `most`, the latest first; they are under way until `ended`.

        What nobody could pay rests, unless more is known of tokens now: `again`.
        """
        at = now.timestamp()
        if again:
            for poll in self._unpaid:
                self._wake(poll)
        self._unpaid = []
        while self._resting and self._resting[0][0] <= at:
            until, poll = heappop(self._resting)
            if poll in self._states and self._states[poll].rests_until == until:
                self._wake(poll)
        near = {key: key[1].is_near(now, key[0]) for key in {(queue.zone, queue.publication) for queue in self._queues}}
        old = {queue: queue.old_after(near[queue.zone, queue.publication]) for queue in self._queues}
        heads: list[tuple[float, int, PollQueue]] = []
        for number, queue in enumerate(self._queues):
            self._offer(heads, queue, number, at, old[queue])
        chosen: list[tuple[str, Poll]] = []
        while heads and len(chosen) < most:
            _, number, queue = heappop(heads)
            _, poll = heappop(self._queues[queue])
            payer = tokens.choose(self._payers(poll), at)
            self._states[poll].free = False
            if payer is None:
                self._rest(poll, at + RESTS)
                self._unpaid.append(poll)
            else:
                chosen.append((payer, poll))
            self._offer(heads, queue, number, at, old[queue])
        return chosen

    def why(self, poll: Poll) -> PollReason | None:
        """For whom a poll is wanted; None: for nobody."""
        state = self._states.get(poll)
        return None if state is None else state.queue.why

    def age(self, poll: Poll, now: datetime) -> float | None:
        """Seconds since a poll was last answered; None: it never was, or nobody wants it."""
        state = self._states.get(poll)
        return max(0.0, now.timestamp() - state.since) if state is not None and state.answered else None

    @property
    def places(self) -> Sequence[CentreGroup]:
        """The centres, by category group, that somebody wants polled."""
        return list(self._demands)

    def _offer(
        self, heads: list[tuple[float, int, PollQueue]], queue: PollQueue, number: int, at: float, old: float
    ) -> None:
        """Put a queue's next poll beside the others', unless it is quite fresh; what moved elsewhere is dropped."""
        waiting = self._queues[queue]
        while waiting:
            since, poll = waiting[0]
            state = self._states.get(poll)
            if state is not None and state.free and state.queue == queue and state.since == since:
                late = (at - since) / old
                if late >= SOONEST:
                    heappush(heads, (-late, number, queue))
                return
            heappop(waiting)

    def _payers(self, poll: Poll) -> Iterable[str]:
        centre = (poll.centre_id, poll.category)
        watching = [
            schools for (first, last), schools in self._watched.get(centre, {}).items() if first <= poll.day <= last
        ]
        return self._demands[centre].payers.union(*watching)

    def _differs(self, centre: CentreGroup, demand: PollDemand) -> bool:
        before = self._demands.get(centre)
        return before is None or (before.why, before.department) != (demand.why, demand.department)

    def _by_department(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for (centre_id, category), demand in self._demands.items():
            found.setdefault((demand.department, category), []).append(centre_id)
        return found

    def _arrange(self, centre: CentreGroup, at: float) -> None:
        """Put all days of a centre where they belong now."""
        assert self._today is not None  # noqa: S101 - `set_demands` comes first
        demand, (centre_id, category) = self._demands[centre], centre
        for ahead in range(HORIZON_DAYS):
            poll = Poll(self._today + timedelta(days=ahead), centre_id, category, demand.department)
            state = self._states.get(poll)
            slots = state.slots if state is not None else int(is_working_day(poll.day, poll.department))
            queue = self._queue(poll, demand, slots)
            if state is None:
                state = self._states[poll] = _State(queue, at - NEVER_SEEN * queue.old_after(near=False), slots)
                self._push(queue, state.since, poll)
            elif state.queue != queue:
                state.queue = queue
                if state.free:
                    self._push(queue, state.since, poll)

    def _queue(self, poll: Poll, demand: PollDemand, slots: int) -> PollQueue:
        watched = self._watched.get((poll.centre_id, poll.category), {})
        why = PollReason.WATCHED if any(first <= poll.day <= last for first, last in watched) else demand.why
        off = not is_working_day(poll.day, poll.department) and slots == 0
        publication = self.publications.get((poll.department, poll.category), Publication())
        return PollQueue(why, slots == 0, off, zone_of(poll.department), publication)

    def _place(self, poll: Poll, state: _State) -> None:
        state.queue = self._queue(poll, self._demands[poll.centre_id, poll.category], state.slots)
        if state.free:
            self._push(state.queue, state.since, poll)

    def _push(self, queue: PollQueue, since: float, poll: Poll) -> None:
        waiting = self._queues.setdefault(queue, [])
        heappush(waiting, (since, poll))
        if len(waiting) > 4 * len(self._states) + 64:  # moved entries pile up where nothing is chosen
            self._queues[queue] = [one for one in waiting if self._is_here(one, queue)]
            heapify(self._queues[queue])

    def _is_here(self, entry: tuple[float, Poll], queue: PollQueue) -> bool:
        state = self._states.get(entry[1])
        return state is not None and state.queue == queue and state.since == entry[0]

    def _wake(self, poll: Poll) -> None:
        state = self._states.get(poll)
        if state is not None:
            state.free, state.rests_until = True, 0.0
            self._place(poll, state)

    def _rest(self, poll: Poll, until: float) -> None:
        state = self._states.get(poll)
        if state is not None:
            state.rests_until = until
            heappush(self._resting, (until, poll))
