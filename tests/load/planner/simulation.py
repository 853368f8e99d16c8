"""Planners in a world: what they poll, how old answers are, how soon a slot is found, what each token pays.

Tokens are egress' own budget (`resapermis_auth_gateway.egress.budget`), which refuses what goes beyond; people's acts
spend from the same tokens. Time is counted, nothing waits.
"""

import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from planner.world import BEGINS, Day, World
from resapermis_auth_gateway.egress.budget import Budget, Reservation
from resapermis_auth_gateway.egress.budget import Limits as CallLimits
from resapermis_scheduling_rules.domain.polls import HORIZON_DAYS, PlaceInterest, Poll, PollRecord
from resapermis_scheduling_rules.mirror.poll_schedule import PollReason, PollSchedule
from resapermis_scheduling_rules.mirror.tokens import Tokens
from resapermis_scheduling_rules.watchlist.poll_demand import poll_demands_of

ROUND_SECONDS, POLLS_A_ROUND = 3.0, 100
SAMPLE_SECONDS = 60.0
WARM_UP_SECONDS = 1800.0
ANSWER_SECONDS = 0.2
WATCHED_SECONDS = 600
"""The service remembers so long what a person looked at."""
ASKED_A_ROUND = 20


class PollPlanner(Protocol):
    """What is measured: it chooses, and learns how each poll ended."""

    def choose(
        self, at: float, interests: Sequence[PlaceInterest], budget: "Purse", most: int
    ) -> list[tuple[str, Poll]]:
        """(school, poll), at most `most`."""

    def ended(self, at: float, school: str, poll: Poll, slots: int | None) -> None:
        """A poll was answered with so many slots; None: refused for want of budget."""


@dataclass
class Purse:
    """Every token at RdvPermis, and what was really spent."""

    world: World
    budgets: dict[int, Budget] = field(default_factory=dict)
    calls: dict[str, deque[float]] = field(default_factory=dict)
    most_in_a_minute: Counter[str] = field(default_factory=Counter)
    background: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    def __post_init__(self) -> None:
        """One budget a kind of token."""
        for calls in set(self.world.calls.values()):
            self.budgets[calls] = Budget(CallLimits(employee=calls, school=600))

    def spend(self, school: str, at: float, calls: int, *, urgent: bool) -> bool:
        """Ask RdvPermis, or be refused by our own budget."""
        budget = self.budgets[self.world.calls[school]]
        reserved = budget.reserve(f"employe-{school}", school, calls, at, urgent=urgent)
        if not isinstance(reserved, Reservation):
            self.refused += not urgent
            return False
        for _ in range(calls):
            reserved.left -= 1
            budget.ended(reserved, at + ANSWER_SECONDS, asked=True)
        minute = self.calls.setdefault(school, deque())
        minute.extend([at] * calls)
        while minute[0] <= at - 60:
            minute.popleft()
        self.most_in_a_minute[school] = max(self.most_in_a_minute[school], len(minute))
        if not urgent:
            self.background[school] += calls
        return True

    def left(self, school: str, at: float) -> int:
        """What egress answers to GetBudget."""
        return self.budgets[self.world.calls[school]].left(f"employe-{school}", school, at, urgent=True)


class ByPollSchedule:
    """The service's own planner."""

    def __init__(self, world: World) -> None:
        """The demands of `world` are known from the start."""
        self._world, self._tokens = world, Tokens()
        self._schedule = PollSchedule(world.publications)
        demands = poll_demands_of(world.offers, world.homes, world.favourites, world.saved, [])
        self._schedule.set_demands(demands, BEGINS)

    def choose(self, at: float, interests: Sequence[PlaceInterest], budget: Purse, most: int) -> list[tuple[str, Poll]]:
        """As `mirror.planner.Planner.round` does it."""
        now = BEGINS + timedelta(seconds=at)
        self._schedule.watch(interests, now)
        chosen = self._schedule.next(now, self._tokens, most)
        unknown = self._tokens.to_ask(ASKED_A_ROUND)
        for school in unknown:
            calls = self._world.calls.get(school)
            left = budget.left(school, at) if calls else 0
            self._tokens.update(
                school, now.timestamp(), connected=calls is not None, calls_left=left, calls_per_minute=calls or 0
            )
        if unknown and len(chosen) < most:
            chosen += self._schedule.next(now, self._tokens, most - len(chosen), again=True)
        return chosen

    def ended(self, at: float, school: str, poll: Poll, slots: int | None) -> None:
        """As `mirror.planner.Planner._poll` learns it."""
        now = BEGINS + timedelta(seconds=at)
        if slots is None:
            self._tokens.refused(school, now.timestamp(), reconnect=False)
        else:
            self._tokens.seen(school)
            self._schedule.learn(poll, PollRecord(now, now, slots))
        self._schedule.ended(poll, now)


class RoundRobin:
    """Every day of every centre in turn, paid by the schools at home there in turn."""

    def __init__(self, world: World) -> None:
        """One order for ever."""
        self._polls = [
            Poll(BEGINS.date() + timedelta(days=ahead), centre.id, category, department)
            for ahead in range(HORIZON_DAYS)
            for (department, category), centres in world.offers.items()
            for centre in centres
        ]
        self._payers: dict[str, deque[str]] = {}
        for school, home in world.homes.items():
            if school in world.calls:
                self._payers.setdefault(home, deque()).append(school)
        self._next = 0

    def choose(self, at: float, interests: Sequence[PlaceInterest], budget: Purse, most: int) -> list[tuple[str, Poll]]:
        """The next ones in line."""
        del at, interests, budget
        chosen: list[tuple[str, Poll]] = []
        for _ in range(len(self._polls)):
            if len(chosen) == most:
                break
            poll = self._polls[self._next]
            self._next = (self._next + 1) % len(self._polls)
            payers = self._payers.get(poll.department)
            if payers:
                payers.rotate(-1)
                chosen.append((payers[0], poll))
        return chosen

    def ended(self, at: float, school: str, poll: Poll, slots: int | None) -> None:
        """It learns nothing."""


@dataclass
class Measured:
    """What one planner did."""

    ages: dict[str, Counter[int]] = field(default_factory=dict)
    """Class → seconds (to 5) → how often seen so, of working days."""
    found_after: dict[str, list[float]] = field(default_factory=dict)
    """Class → seconds from a slot's coming until it was seen."""
    polls: int = 0
    purse: Purse | None = None


def simulate(world: World, make: Callable[[World], PollPlanner], hours: float) -> Measured:
    """Run one planner through the world."""
    run = Run(world, make(world))
    at = 0.0
    while at < hours * 3600:
        run.step(at)
        at += ROUND_SECONDS
    return run.end(at)


class Run:
    """One planner on its way through the world."""

    def __init__(self, world: World, planner: PollPlanner) -> None:
        """Nothing was seen yet."""
        self._world, self._planner = world, planner
        self._purse, self._measured, self._classes = Purse(world), Measured(), Classes(world)
        self._measured.purse = self._purse
        self._dice = random.Random(3)  # noqa: S311 - people who act the same in every run
        self._slots, self._appearing = dict(world.slots), deque(world.appearing)
        self._seen_at: dict[Day, float] = {}
        self._unseen: dict[Day, list[tuple[float, str]]] = {}
        self._sampled = 0.0

    def step(self, at: float) -> None:
        """One round."""
        active = [one for one in self._world.sessions if one.begins <= at < one.ends + WATCHED_SECONDS]
        interests = [one.interest for one in active]
        self._classes.watch(interests)
        self._let_slots_come(at)
        for one in active:
            if one.interest.school_id in self._world.calls and at < one.ends:
                self._act(one.interest.school_id, at)
        for school, poll in self._planner.choose(at, interests, self._purse, POLLS_A_ROUND):
            self._poll(school, poll, at)
        if at >= WARM_UP_SECONDS and at - self._sampled >= SAMPLE_SECONDS:
            self._sampled = at
            for place, why in self._classes.all():
                age = at - self._seen_at.get(place, 0.0)
                self._measured.ages.setdefault(why, Counter())[int(age // 5) * 5] += 1

    def end(self, at: float) -> Measured:
        """What was never found waited until now."""
        for waiting in self._unseen.values():
            for came, why in waiting:
                self._measured.found_after.setdefault(why, []).append(at - came)
        return self._measured

    def _let_slots_come(self, at: float) -> None:
        while self._appearing and self._appearing[0][0] <= at:
            came, place = self._appearing.popleft()
            self._slots[place] = self._slots.get(place, 0) + 1
            if came >= WARM_UP_SECONDS:
                self._unseen.setdefault(place, []).append((came, self._classes.of(place)))

    def _act(self, school: str, at: float) -> None:
        """About once a minute, a hold or a validation."""
        if self._dice.random() < ROUND_SECONDS / 60:
            self._purse.spend(school, at, self._dice.choice([2, 4, 6]), urgent=True)

    def _poll(self, school: str, poll: Poll, at: float) -> None:
        place = (poll.centre_id, poll.category, poll.day)
        if school not in self._world.calls or not self._purse.spend(school, at, 1, urgent=False):
            self._planner.ended(at, school, poll, None)
            return
        self._measured.polls += 1
        self._seen_at[place] = at
        self._planner.ended(at, school, poll, self._slots.get(place, 0))
        for came, why in self._unseen.pop(place, ()):
            self._measured.found_after.setdefault(why, []).append(at - came)


class Classes:
    """Of each working day of each centre, for whom it matters most now."""

    def __init__(self, world: World) -> None:
        """Whoever is not connected counts as well."""
        demands = poll_demands_of(world.offers, world.homes, world.favourites, world.saved, [])
        self._why = {place: demands[place[0], place[1]].why for place in world.slots if (place[0], place[1]) in demands}
        self._by_department: dict[tuple[str, str], list[str]] = {
            place: [centre.id for centre in centres] for place, centres in world.offers.items()
        }
        self._watched: set[Day] = set()

    def watch(self, interests: Sequence[PlaceInterest]) -> None:
        """What people look at."""
        self._watched = {
            (centre, one.category, one.first + timedelta(days=n))
            for one in set(interests)
            for centre in one.centres or self._by_department.get((one.department, one.category), ())
            for n in range((one.last - one.first).days + 1)
        }

    def of(self, place: Day) -> str:
        """The class of a day."""
        return (PollReason.WATCHED if place in self._watched else self._why.get(place, PollReason.REST)).name.lower()

    def all(self) -> Iterator[tuple[Day, str]]:
        """Every day that matters to somebody, with its class."""
        for place in self._why:
            yield place, self.of(place)
