"""What schools are told of their thresholds, each once a month and place: 80 % taken, all taken, RdvPermis' differs.

Told when lines are counted, when RdvPermis was read, and when trainers or hours change what the FTE is.
"""

from collections.abc import Collection
from datetime import datetime

from resapermis_kit.database.transaction import Tx
from resapermis_kit.events.outbox import Outbox
from resapermis_scheduling_rules import events
from resapermis_scheduling_rules.domain.days import local_day, month_of
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import Quota
from resapermis_scheduling_rules.school import queries as schools
from resapermis_scheduling_rules.school import queries as standings
from resapermis_scheduling_rules.school.queries import Key

DIFFERS = 0
"""Not a share of a threshold: that RdvPermis' figure differs was said."""


async def tell(tx: Tx, outbox: Outbox, keys: Collection[Key], now: datetime) -> None:
    """Say what is new of these thresholds. A school that never asked anything here has seen no limit either."""
    if not keys:
        return
    found = await standings.counted(tx, keys, now)
    for (school_id, place), count in sorted(found.counts.items(), key=str):
        standing = found.standings.get(school_id)
        if standing is None:
            continue
        parameters = found.rulebook.at(now, place.department, place.category)
        quota = standing.quota(place, count, parameters)
        said = set(await schools.first_to_say(tx, school_id, place, sorted(to_say(quota, parameters))))
        if said - {DIFFERS}:
            await outbox.add(tx, now, *events.threshold_reached(school_id, place, quota.counted, quota.limit))
        if DIFFERS in said and quota.own_limit is not None and quota.rdvpermis_limit is not None:
            told = events.threshold_differs(school_id, place, quota.own_limit, quota.rdvpermis_limit)
            await outbox.add(tx, now, *told)


def to_say(quota: Quota, parameters: Parameters) -> set[int]:
    """What a school is to hear of a threshold as it stands: shares of it, and that RdvPermis' figure differs."""
    known = quota.own_limit is not None or quota.rdvpermis_limit is not None
    shares = {parameters.warn_percent, 100} if known and quota.counted else set()
    reached = {share for share in shares if quota.counted * 100 >= quota.limit * share}
    return reached | ({DIFFERS} if quota.difference is not None else set())


async def tell_all(tx: Tx, outbox: Outbox, school_id: str, home: str, now: datetime) -> None:
    """Say what is new of every threshold of a school from this month on: its trainers or hours changed."""
    month = month_of(local_day(now, home))
    places = set(await schools.usage(tx, school_id, month))
    places |= await schools.seen_places(tx, school_id, month)
    await tell(tx, outbox, {(school_id, place) for place in places}, now)
