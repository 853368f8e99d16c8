"""scheduling.v1: thin; what it says is decided in rules/, what it knows is gathered in facts.py and looks.py."""

import asyncio
from collections import Counter
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1.scheduling_pb2_grpc import SchedulingServiceServicer
from resapermis_kit.clock import Clock
from resapermis_kit.db import transaction
from resapermis_scheduling_rules import judge, wire
from resapermis_scheduling_rules.atlas import Atlases
from resapermis_scheduling_rules.domain import (
    Action,
    Case,
    Place,
    Slot,
    local_day,
    month_of,
    next_month,
)
from resapermis_scheduling_rules.facts import Facts
from resapermis_scheduling_rules.freshness import Freshness
from resapermis_scheduling_rules.looks import Looker, asker
from resapermis_scheduling_rules.rules.slot import unknown
from resapermis_scheduling_rules.searching import Searching
from resapermis_scheduling_rules.store import mirror as store
from resapermis_scheduling_rules.store import schools

THRESHOLD_SECONDS = 1.0
"""How long a page of thresholds waits for RdvPermis' own figures."""


class SchedulingServicer(SchedulingServiceServicer):
    """Slots as last seen, and the rules' answers."""

    def __init__(
        self, engine: AsyncEngine, facts: Facts, looker: Looker, now: Clock, *, first_look_seconds: float
    ) -> None:
        """`first_look_seconds`: how long a search waits when nothing of its window was ever seen."""
        self._facts, self._now = facts, now
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")  # one question, one round trip
        freshness = Freshness(engine, facts, looker, now, first_look_seconds=first_look_seconds)
        self._searching = Searching(engine, facts, Atlases(engine, now), freshness, now)

    async def SearchSlots(self, request: pb.SearchSlotsRequest, context: Any) -> pb.SearchSlotsResponse:
        """Answer from the mirror, and look again at what is stale."""
        del context
        return await self._searching.slots(request)

    async def ListCentres(self, request: pb.ListCentresRequest, context: Any) -> pb.ListCentresResponse:
        """Open centres of a department for a category, nearest first."""
        del context
        return await self._searching.centres(request)

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


def _place(slot: Slot) -> Place:
    return Place(slot.department, slot.month, slot.category)
