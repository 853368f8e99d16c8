"""What a parameter would do to the bookings there are, were it in force now; shown before anybody proposes it."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import malformed
from resapermis_scheduling_rules.domain.parameters import NAMES, Parameter, Rulebook
from resapermis_scheduling_rules.domain.slots import Slot
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.domain.standing import SchoolStanding
from resapermis_scheduling_rules.evaluation import judge
from resapermis_scheduling_rules.mirror import queries as mirror
from resapermis_scheduling_rules.parameters import queries as parameter_queries
from resapermis_scheduling_rules.school import queries as schools


@dataclass(frozen=True, slots=True)
class ComingBooking:
    """A line that is live or booked and yet to come."""

    standing: SchoolStanding
    slot: Slot
    taken: int
    """Lines that count for the same threshold."""


async def preview(engine: AsyncEngine, changed: Parameter, now: datetime) -> str:
    """As JSON: coming bookings and holds, and those refused after the change but not before, by rule and school."""
    if changed.name not in NAMES:
        raise malformed("name", f"one of {', '.join(sorted(NAMES))}")
    async with transaction(engine) as tx:
        rulebook = Rulebook(await parameter_queries.approved_parameters(tx))
        booked = await _booked(tx, now)
    after = rulebook.with_value(changed)
    newly = [(one, refusing_rules(one, after, now) - refusing_rules(one, rulebook, now)) for one in booked]
    return summarise([(one, rules) for one, rules in newly if rules], len(booked))


async def _booked(tx: Tx, now: datetime) -> list[ComingBooking]:
    coming = await schools.coming_lines(tx, now)
    slots = await mirror.slots_by_id(tx, [slot_id for _, slot_id in coming])
    known = [(school_id, slots[slot_id]) for school_id, slot_id in coming if slot_id in slots]
    if not known:
        return []
    found = await schools.counted(tx, {(school_id, slot.place) for school_id, slot in known}, now)
    return [
        ComingBooking(found.standings[school_id], slot, found.counts[school_id, slot.place])
        for school_id, slot in known
        if school_id in found.standings
    ]


def refusing_rules(one: ComingBooking, rulebook: Rulebook, now: datetime) -> set[str]:
    """Rules about slot and school that refuse a booking, were it validated now."""
    place, school = one.slot.place, one.standing.school
    parameters = rulebook.at(now, place.department, place.category)
    quota = one.standing.quota(place, one.taken, parameters)
    judged = judge.slot(EvaluationSnapshot(now, Purpose.VALIDATE, school, one.slot, parameters, quota))
    return {verdict.rule for verdict in judged.verdicts if not verdict.allowed}


def summarise(newly: Sequence[tuple[ComingBooking, set[str]]], lines: int) -> str:
    """Counts, largest first; the school's own ids name it."""
    by_rule = Counter(rule for _, rules in newly for rule in rules)
    by_school = Counter(one.standing.school.id for one, _ in newly)
    return json.dumps(
        {
            "lines": lines,
            "newly_refused": len(newly),
            "by_rule": dict(_ordered(by_rule)),
            "by_school": dict(_ordered(by_school)),
        }
    )


def _ordered(counted: Counter[str]) -> Iterable[tuple[str, int]]:
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))
