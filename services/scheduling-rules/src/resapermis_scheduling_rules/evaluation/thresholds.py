"""What is published of schools' thresholds, each once a month and place: 80 % taken, all taken, RdvPermis' differs.

Published when lines are counted, when RdvPermis was read, and when trainers or hours change what the FTE is.
"""

import asyncio
from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events.outbox import Outbox
from resapermis_places.days import local_day, month_of
from resapermis_scheduling_rules import events, wire
from resapermis_scheduling_rules.domain.days import next_month
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import Quota, ThresholdKey
from resapermis_scheduling_rules.evaluation.wire import held_of, usage_of
from resapermis_scheduling_rules.mirror.centres import categories_of
from resapermis_scheduling_rules.parameters.queries import Rulebooks
from resapermis_scheduling_rules.peers import asker
from resapermis_scheduling_rules.school import queries
from resapermis_scheduling_rules.school.queries import Key
from resapermis_scheduling_rules.school.schools import Schools

THRESHOLD_SECONDS = 1.0
"""How long a page of thresholds waits for RdvPermis' own figures."""
DIFFERS = 0
"""Not a share of a threshold: that RdvPermis' figure differs was published."""


async def announce(outbox: Outbox, tx: Tx, keys: Collection[Key], now: datetime) -> None:
    """Say what is new of these thresholds. A school that never asked anything here has seen no limit either."""
    if not keys:
        return
    found = await queries.counted(tx, keys, now)
    for (school_id, place), count in sorted(found.counts.items(), key=str):
        standing = found.standings.get(school_id)
        if standing is None:
            continue
        parameters = found.rulebook.at(now, place.department, place.category)
        quota = standing.quota(place, count, parameters)
        new = set(await queries.first_to_publish(tx, school_id, place, sorted(to_publish(quota, parameters))))
        if new - {DIFFERS}:
            await outbox.add(tx, now, *events.threshold_reached(school_id, place, quota.counted, quota.limit))
        if DIFFERS in new and quota.own_limit is not None and quota.rdvpermis_limit is not None:
            differs = events.threshold_differs(school_id, place, quota.own_limit, quota.rdvpermis_limit)
            await outbox.add(tx, now, *differs)


def to_publish(quota: Quota, parameters: Parameters) -> set[int]:
    """What is to be published of a threshold as it stands: shares of it, and that RdvPermis' figure differs."""
    known = quota.own_limit is not None or quota.rdvpermis_limit is not None
    shares = {parameters.warn_percent, 100} if known and quota.counted else set()
    reached = {share for share in shares if quota.counted * 100 >= quota.limit * share}
    return reached | ({DIFFERS} if quota.difference is not None else set())


class Thresholds:
    """Answers what a school may take, has taken and has left."""

    def __init__(self, engine: AsyncEngine, schools: Schools, rulebooks: Rulebooks, now: Clock) -> None:
        """`engine` answers questions of one statement without a transaction around them."""
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._schools, self._rulebooks, self._now = schools, rulebooks, now

    async def get(self, request: pb.ListThresholdsRequest) -> pb.ListThresholdsResponse:
        """This month's thresholds and the next two's: of the school's department, where its trainers teach, where it took something."""
        who, now = asker(), self._now()
        standing = await self._schools.standing(who)
        home = standing.school.department
        months = [month_of(local_day(now, home))]
        months += [next_month(months[0]), next_month(next_month(months[0]))]
        async with transaction(self._reader) as tx:
            counted = await queries.usage(tx, who.school_id, months[0])
            categories = await categories_of(tx, home)
        usage, held = usage_of(request.usage) or counted, held_of(request.usage)
        places = {ThresholdKey(home, month, category) for month in months for category in categories}
        places |= {
            ThresholdKey(department, month, category) for month in months for department, category in standing.ftes
        }
        places |= {place for place in usage if place.month >= months[0]}
        asked = [
            self._schools.refresh_threshold(standing, place.month, place.category, who)
            for place in places
            if place.department == home
        ]
        wanted = sorted({(place.month, place.category) for place in places if place.department == home})
        asked += [self._schools.refresh_replacements(*one, who) for one in wanted]
        waiting = [task for task in asked if task is not None]
        if waiting:
            await asyncio.wait(waiting, timeout=THRESHOLD_SECONDS)
            standing = await self._schools.standing(who)
        rules = await self._rulebooks.get()
        replacements = {one: self._schools.replacements(*one, who) for one in wanted}
        response = pb.ListThresholdsResponse()
        for place in sorted(places, key=lambda one: (one.month, one.department != home, one.department, one.category)):
            parameters = rules.at(now, place.department, place.category)
            quota = standing.quota(place, usage.get(place, 0), parameters)
            threshold = wire.threshold(place, quota, parameters, now, held.get(place, 0))
            allowance = replacements.get((place.month, place.category)) if place.department == home else None
            if allowance is not None:
                threshold.replacements_left, threshold.replacements_per_month = allowance.left, allowance.per_month
            response.thresholds.append(threshold)
        return response
