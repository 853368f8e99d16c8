"""What a school's lines count for, and the one order in which anything is locked."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from resapermis_basket.domain.lines import COUNTED, IN_BASKET, Change, Line, Slot

Key = tuple[str, str, str]
"""What is counted for a school: (department, month, category)."""
BASKET: Key = ("", "", "")
"""The key that counts the lines in a school's basket. Sorts first: its row is the school's turn-taking."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many replacements RdvPermis leaves a school in a month, as read at `seen_at`."""

    left: int
    per_month: int
    seen_at: datetime


def key_of(slot: Slot) -> Key:
    """The threshold a slot counts for."""
    return (slot.department, slot.month, slot.category)


def counts(line: Line | None) -> Counter[Key]:
    """What one line takes."""
    return Counter(_keys(line))


def _keys(line: Line | None) -> list[Key]:
    """The counters of which one line takes one each."""
    keys = []
    if line is not None and line.state in COUNTED:
        keys.append(key_of(line.slot))
    if line is not None and line.state in IN_BASKET:
        keys.append(BASKET)
    return keys


def deltas(changes: Iterable[Change]) -> dict[Key, int]:
    """By how much the counters move, in lock order; keys that do not move are left out."""
    total: dict[Key, int] = {}
    for change in changes:
        for line, by in ((change.after, 1), (change.before, -1)):
            for key in _keys(line):
                total[key] = total.get(key, 0) + by
    return {key: total[key] for key in sorted(total) if total[key]}


def in_lock_order(lines: Iterable[Line]) -> list[Line]:
    """Lines in the one order in which anybody locks them: by slot, so that crossing groups queue and never deadlock."""
    return sorted(lines, key=lambda line: (line.slot.id, line.id))


def admit(wanted: Sequence[Line], granted: Mapping[Key, int]) -> tuple[list[Line], list[Line]]:
    """Divide lines, first come first, into those the granted counters suffice for and the rest."""
    left = dict(granted)
    admitted, rest = [], []
    for line in wanted:
        keys = _keys(line)
        if all(left.get(key, 0) > 0 for key in keys):
            for key in keys:
                left[key] -= 1
            admitted.append(line)
        else:
            rest.append(line)
    return admitted, rest
