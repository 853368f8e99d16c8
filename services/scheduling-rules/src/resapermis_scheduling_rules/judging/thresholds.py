"""What schools are told of their thresholds, each once a month and place: 80 % taken, all taken, RdvPermis' differs.

Told when lines are counted, when RdvPermis was read, and when trainers or hours change what the FTE is.
"""

from collections.abc import Collection
from datetime import datetime

from resapermis_kit.db import Tx
from resapermis_kit.outbox import Outbox
from resapermis_scheduling_rules import events
from resapermis_scheduling_rules.domain import Parameters, Place, Quota, Rulebook, Standing, local_day, month_of
from resapermis_scheduling_rules.store import people, schools

DIFFERS = 0
"""Not a share of a threshold: that RdvPermis' figure differs was said."""
Key = tuple[str, Place]
"""A school's threshold."""


async def tell(tx: Tx, outbox: Outbox, keys: Collection[Key], now: datetime) -> None:
    """Say what is new of these thresholds. A school that never asked anything here has seen no limit either."""
    if not keys:
        return
    ids = {school_id for school_id, _ in keys}
    known = await schools.several(tx, ids)
    seen = await schools.thresholds_of(tx, ids, now)
    ftes = await people.computed_ftes(tx, ids)
    counts = await schools.counts(tx, keys)
    rulebook = Rulebook(await schools.approved_parameters(tx))
    for (school_id, place), count in sorted(counts.items(), key=str):
        if school_id not in known:
            continue
        school, seen_at = known[school_id]
        standing = Standing(school, seen.get(school_id, {}), seen_at, ftes.get(school_id, {}))
        parameters = rulebook.at(now, place.department, place.category)
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
    places |= {place for place in await schools.seen_thresholds(tx, school_id, now) if place.month >= month}
    await tell(tx, outbox, {(school_id, place) for place in places}, now)
