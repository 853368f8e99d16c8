"""scheduling.v1: thin; what it says is decided in rules/, what it knows is gathered in facts.py and looks.py."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1.scheduling_pb2_grpc import SchedulingServiceServicer
from resapermis_kit.auth import caller, current_token
from resapermis_kit.clock import Clock
from resapermis_kit.db import transaction
from resapermis_kit.errors import Failure
from resapermis_scheduling_rules import judge, wire
from resapermis_scheduling_rules.domain import (
    Action,
    Case,
    Place,
    Purpose,
    Slot,
    local_day,
    month_of,
    next_month,
)
from resapermis_scheduling_rules.facts import REMEMBERED, Facts
from resapermis_scheduling_rules.looks import SEEN, Asker, Looker, reason
from resapermis_scheduling_rules.plan import Interest, Look, Seen, is_due, looks_for
from resapermis_scheduling_rules.rules.slot import unknown
from resapermis_scheduling_rules.store import mirror as store
from resapermis_scheduling_rules.store import schools
from resapermis_scheduling_rules.store.mirror import Page

INTEREST_PAUSE = timedelta(minutes=1)
THRESHOLD_SECONDS = 1.0
"""How long a page of thresholds waits for RdvPermis' own figures."""


def asker() -> Asker:
    """The person who asks, for their school."""
    person = caller().school()
    return Asker(person.school_id, current_token.get(), person.account_id)


@dataclass(frozen=True, slots=True)
class Window:
    """What was looked at for a search."""

    oldest_seen_at: datetime | None = None
    incomplete: bool = False
    reason: str = SEEN


class SchedulingServicer(SchedulingServiceServicer):
    """Slots as last seen, and the rules' answers."""

    def __init__(
        self, engine: AsyncEngine, facts: Facts, looker: Looker, now: Clock, *, first_look_seconds: float
    ) -> None:
        """`first_look_seconds`: how long a search waits when nothing of its window was ever seen."""
        self._engine, self._facts, self._looker, self._now = engine, facts, looker, now
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")  # one question, one round trip
        self._first_look_seconds = first_look_seconds
        self._noted: dict[Interest, datetime] = {}

    async def SearchSlots(self, request: pb.SearchSlotsRequest, context: Any) -> pb.SearchSlotsResponse:
        """Answer from the mirror, and look again at what is stale."""
        del context
        who, now = asker(), self._now()
        page = wire.page_of(request, now)
        window = await self._look(page, who, look_now=request.look_now)
        standing = await self._facts.standing(who)
        month = month_of(local_day(page.since, page.department))
        if page.department == standing.school.department:
            self._facts.refresh_threshold(standing, month, page.category, who)
        async with transaction(self._reader) as tx:
            found = await store.page_of_slots(tx, page)
            usage = await schools.usage(tx, who.school_id, month)
        parameters = await self._facts.parameters_at(page.department, page.category)
        response = pb.SearchSlotsResponse(incomplete=window.incomplete, incomplete_reason=window.reason)
        if window.oldest_seen_at is not None:
            response.oldest_seen_at.FromDatetime(window.oldest_seen_at)
        if len(found) == page.limit:
            found.pop()
            response.next_cursor = wire.cursor(found[-1])
        for slot in found:
            place = Place(slot.department, slot.month, slot.category)
            quota = standing.quota(place, usage.get(place, 0), parameters)
            case = Case(now, Purpose.SEARCH, standing.school, slot, parameters, quota)
            judged = judge.slot(case)
            entry = response.slots.add(
                slot=wire.slot(slot, case.status, parameters),
                allowed=judged.allowed,
                verdicts=wire.verdicts([one for one in judged.verdicts if not one.allowed]),
            )
            if judged.opens_at is not None:
                entry.opens_at.FromDatetime(judged.opens_at)
        place = Place(page.department, month, page.category)
        quota = standing.quota(place, usage.get(place, 0), parameters)
        response.threshold.CopyFrom(wire.threshold(place, quota, parameters, now))
        return response

    async def Evaluate(self, request: pb.EvaluateRequest, context: Any) -> pb.EvaluateResponse:
        """Judge lines and action by all rules, from the mirror: one query, and none for what is remembered."""
        del context
        who, now = asker(), self._now()
        if len(request.lines) > wire.LONGEST_ACTION:
            raise wire.too_many("lines", wire.LONGEST_ACTION)
        purpose = wire.purpose_of(request.purpose)
        ids = [wire.word(line.slot_id, f"lines[{n}].slot_id") for n, line in enumerate(request.lines)]
        standing = await self._facts.standing(who)
        rules = await self._facts.rulebook()
        async with transaction(self._reader) as tx:
            known = await store.slots_by_id(tx, ids)
        usage = wire.usage_of(request.usage)
        asked = Counter(_place(known[slot_id]) for slot_id in ids if slot_id in known)
        named = Counter(line.candidate_id for line in request.lines if line.candidate_id)
        response = pb.EvaluateResponse(limits=wire.limits(rules.at(now)))
        for line in request.lines:
            slot = known.get(line.slot_id)
            if slot is None:
                said = [unknown(line.slot_id)]
                response.lines.add(slot_id=line.slot_id, allowed=False, verdicts=wire.verdicts(said))
                continue
            place = _place(slot)
            parameters = rules.at(now, place.department, place.category)
            case = Case(
                now=now,
                purpose=purpose,
                school=standing.school,
                slot=slot,
                parameters=parameters,
                quota=standing.quota(place, usage.get(place, 0), parameters),
                asked=asked[place],
                candidate=wire.candidate_of(line),
                namesakes=max(0, named[line.candidate_id] - 1),
            )
            judged = judge.line(case)
            response.lines.add(
                slot_id=line.slot_id,
                allowed=judged.allowed,
                verdicts=wire.verdicts(judged.verdicts),
                slot=wire.slot(slot, case.status, parameters),
                quota_limit=judge.quota_limit(case),
                month=place.month,
            )
        action = judge.action(Action(purpose, len(request.lines), max(0, request.lines_in_basket), rules.at(now)))
        response.action_verdicts.extend(wire.verdicts(action.verdicts))
        response.allowed = action.allowed and all(line.allowed for line in response.lines)
        return response

    async def ListCentres(self, request: pb.ListCentresRequest, context: Any) -> pb.ListCentresResponse:
        """Open centres of a department for a category."""
        del context
        department, category = wire.word(request.department, "department"), wire.word(request.category, "category")
        offer = await self._facts.offer(department, category, asker())
        return pb.ListCentresResponse(centres=[wire.centre(one) for one in offer.centres])

    async def ListThresholds(self, request: pb.ListThresholdsRequest, context: Any) -> pb.ListThresholdsResponse:
        """Thresholds of the school's department for this month and the next two, and of wherever it took something."""
        del context
        who, now = asker(), self._now()
        standing = await self._facts.standing(who)
        home = standing.school.department
        months = [month_of(local_day(now, home))]
        months += [next_month(months[0]), next_month(next_month(months[0]))]
        async with transaction(self._reader) as tx:
            counted = await schools.usage(tx, who.school_id, months[0])
            categories = await store.categories_of(tx, home)
        usage = wire.usage_of(request.usage) or counted
        places = {Place(home, month, category) for month in months for category in categories}
        places |= {place for place in usage if place.month >= months[0]}
        asked = [
            self._facts.refresh_threshold(standing, place.month, place.category, who)
            for place in places
            if place.department == home
        ]
        waiting = [task for task in asked if task is not None]
        if waiting:
            await asyncio.wait(waiting, timeout=THRESHOLD_SECONDS)
            standing = await self._facts.standing(who)
        rules = await self._facts.rulebook()
        response = pb.ListThresholdsResponse()
        for place in sorted(places, key=lambda one: (one.month, one.department != home, one.department, one.category)):
            parameters = rules.at(now, place.department, place.category)
            quota = standing.quota(place, usage.get(place, 0), parameters)
            response.thresholds.append(wire.threshold(place, quota, parameters, now))
        return response

    async def _look(self, page: Page, who: Asker, *, look_now: bool) -> Window:
        """Refresh what is stale of a window; wait only where nothing was ever seen, or a person asks for it."""
        try:
            offer = await self._facts.offer(page.department, page.category, who)
        except Failure as failure:
            return Window(incomplete=True, reason=reason(failure))
        centres = [one for one in offer.centres if not page.centre_ids or one.id in page.centre_ids]
        wanted = looks_for(centres, page.category, page.since, page.until) if page.until > page.since else []
        async with transaction(self._reader) as tx:
            seen = await store.looks_seen(tx, wanted)
        answered = [one.seen_at for one in seen.values() if one.seen_at is not None]
        why, under_way = SEEN, False
        if page.after is None and wanted:  # later pages show the same looks
            self._note_interest(page, who)
            tasks, why = self._looker.start(await self._due(wanted, seen, page, look_now=look_now), who)
            if tasks:
                patience = self._first_look_seconds if look_now or not answered else 0
                done, pending = await asyncio.wait(tasks, timeout=patience)
                under_way = bool(pending)
                why = next((task.result() for task in done if task.result()), why)
                if under_way:
                    why = why or self._looker.trouble(who)
                if done:
                    self._facts.forget_standing(who.school_id)  # the looks may have shown a threshold as reached
                    async with transaction(self._reader) as tx:
                        seen = await store.looks_seen(tx, wanted)
                    answered = [one.seen_at for one in seen.values() if one.seen_at is not None]
        why = why or next((one.trouble for one in seen.values() if one.trouble), SEEN)
        unseen = len(answered) < len(wanted)
        return Window(min(answered, default=None), under_way or unseen or bool(why), why)

    async def _due(self, wanted: Sequence[Look], seen: dict[Look, Seen], page: Page, *, look_now: bool) -> list[Look]:
        parameters = await self._facts.parameters_at(page.department, page.category)
        fresh = timedelta(seconds=0 if look_now else parameters.look_stale_seconds)
        return [look for look in wanted if is_due(look, seen.get(look), self._now(), fresh)]

    def _note_interest(self, page: Page, who: Asker) -> None:
        """Tell the planner behind the answer what people look at, once a minute: it remembers for ten."""
        days = (local_day(page.since, page.department), local_day(page.until, page.department))
        interest, now = Interest(who.school_id, page.department, page.category, *days), self._now()
        noted = self._noted.get(interest)
        if noted is not None and now - noted < INTEREST_PAUSE:
            return
        if len(self._noted) >= REMEMBERED:
            self._noted.clear()
        self._noted[interest] = now

        async def write() -> None:
            async with transaction(self._engine) as tx:
                await store.note_interest(tx, interest, now)

        self._facts.behind(interest, write)


def _place(slot: Slot) -> Place:
    return Place(slot.department, slot.month, slot.category)
