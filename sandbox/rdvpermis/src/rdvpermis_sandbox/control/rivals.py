"""Other schools that book at a pace of the checker's choice."""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from rdvpermis_sandbox.domain import rules
from rdvpermis_sandbox.domain.model import Exam, Slot
from rdvpermis_sandbox.domain.state import State


@dataclass(slots=True)
class Rivals:
    """How many schools book, how fast in all, and where; `booked` counts, `owed` is what a step left over."""

    schools: int = 0
    per_minute: float = 0
    department: str | None = None
    group: str = "B"
    booked: int = 0
    owed: float = 0


def take(state: State, slot: Slot, now: datetime) -> Exam | None:
    """The department's last school books the slot; None when it is taken."""
    state.touch(now)
    if state.taken(slot):
        return None
    last = [school for school in state.world.schools.values() if school.department == slot.department][-1]
    return rules.book(state, slot, last.id, None, now)


def step(state: State, rivals: Rivals, seconds: float, rng: Random, now: datetime) -> int:
    """Book what rivals book within `seconds`; return how many slots."""
    if not rivals.schools:
        return 0
    rivals.owed += rivals.per_minute * seconds / 60
    count, rivals.owed = int(rivals.owed), rivals.owed % 1
    if not count:
        return 0
    free = [
        slot
        for slot in state.world.slots.values()
        if slot.group == rivals.group
        and rivals.department in {None, slot.department}
        and slot.published <= now < slot.starts_utc
        and not state.taken(slot)
    ]
    schools = list(state.world.schools.values())[-rivals.schools :]
    for slot in rng.sample(free, min(count, len(free))):
        rules.book(state, slot, rng.choice(schools).id, None, now)
        rivals.booked += 1
    return min(count, len(free))
