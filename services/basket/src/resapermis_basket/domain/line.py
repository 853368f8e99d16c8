"""A line and its life: states, the only ways from one to another, what it counts for, and the one order of locks."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

LARGEST_GROUP = 4
"""RdvPermis charter 3.2: no booking action exceeds four slots. The database says it too (line.position)."""


class State(StrEnum):
    """A line's state, as stored and as on the wire: asked, held, being confirmed, booked, done, or one of its ends."""

    ASKING = "asking"
    HELD = "held"
    REFUSED = "refused"
    EXPIRED = "expired"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"
    CONFIRMING = "confirming"
    REJECTED = "rejected"
    BOOKED = "booked"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    SWAPPED = "swapped"
    DONE = "done"


_S = State
LIVE = frozenset({_S.ASKING, _S.HELD, _S.CONFIRMING, _S.BOOKED})
"""States in which the slot and the candidate are taken."""
IN_BASKET = LIVE - {_S.BOOKED}
COUNTED = LIVE | {_S.DONE}
"""States that count against the month's threshold."""
NEXT: Mapping[State, frozenset[State]] = {
    _S.ASKING: frozenset({_S.HELD, _S.REFUSED}),
    _S.HELD: frozenset({_S.CONFIRMING, _S.EXPIRED, _S.RELEASED, _S.WITHDRAWN}),
    # Back to held when RdvPermis was surely not asked to validate, or its basket still has the line: a hold that
    # lives is not thrown away because a question got lost. Expired when their basket is gone, which ends the hold.
    _S.CONFIRMING: frozenset({_S.BOOKED, _S.REJECTED, _S.HELD, _S.EXPIRED}),
    _S.BOOKED: frozenset({_S.CANCELLED, _S.REPLACED, _S.SWAPPED, _S.DONE}),
}
FIRST = frozenset({_S.ASKING, _S.REFUSED, _S.BOOKED})
"""States a line may be made in; booked for the line that replaces another."""


class Changing(StrEnum):
    """What was asked of RdvPermis about a line, its outcome not being known yet."""

    NOTHING = ""
    NAME = "name"
    RELEASE = "release"
    CANCEL = "cancel"
    REPLACE = "replace"
    SWAP = "swap"


class ExamOutcome(StrEnum):
    """How an exam ended, as found in RdvPermis' list of standings."""

    PASSED = "passed"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Result:
    """How an exam went, as RdvPermis published it."""

    outcome: ExamOutcome
    points: int | None
    """Of 31; None where RdvPermis does not say it."""
    found_at: datetime


@dataclass(frozen=True, slots=True)
class Slot:
    """What is public about an exam slot, as it was when asked for."""

    id: str
    department: str
    category: str
    month: str
    """Month it counts for, e.g. "2026-12"."""
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    centre_name: str
    snapshot: bytes
    """The slot's message as scheduling-rules answered it, kept for showing."""
    centre_id: str = ""
    kind: str = ""
    """"CIRCULATION" or "PLATEAU"."""

    @property
    def local_day(self) -> date:
        """Calendar day of the exam on its centre's clock."""
        return self.day_of(self.starts_at)

    def day_of(self, moment: datetime) -> date:
        """Calendar day of a moment on the centre's clock."""
        return moment.astimezone(ZoneInfo(self.time_zone)).date()


def unseen_slot(slot_id: str, snapshot: bytes) -> Slot:
    """A slot that no poll ever brought; only refused lines have one."""
    never = datetime(1970, 1, 1, tzinfo=UTC)
    return Slot(slot_id, "", "", "", never, never, "UTC", "", snapshot)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: the code's name, and the whole refusal as the message that is shown."""

    reason: str
    message: bytes


NO_REFUSAL = Refusal("", b"")


@dataclass(frozen=True, slots=True)
class Line:
    """One slot that a school asked for, from its asking to its end."""

    id: UUID
    group_id: UUID
    position: int
    school_id: str
    account_id: str
    slot: Slot
    state: State
    since: datetime
    candidate_id: UUID | None = None
    rdvpermis_candidate_id: str = ""
    """RdvPermis' opaque id of the candidate: without it its baskets and exams could not be read."""
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    basket_id: str = ""
    exam_id: str = ""
    refusal: Refusal = NO_REFUSAL
    changing: Changing = Changing.NOTHING
    wanted_candidate_id: UUID | None = None
    """Whom a naming or replacement under way would put here; reserved like candidate_id."""
    wanted_rdvpermis_id: str = ""
    next_poll_at: datetime | None = None
    """When to read at RdvPermis what became of it; None: nothing is in doubt."""
    polls: int = 0
    owed: bool = False
    """The line has ended and RdvPermis still has it in our basket: to be given back."""
    trainer_id: str = ""
    """RdvPermis' employee id of the candidate's trainer at the exam; "" while nobody is chosen."""
    vehicle_id: str = ""
    found_elsewhere: bool = False
    """Booked at RdvPermis without us: the only lines that may be booked without a candidate known to us."""
    partner_id: UUID | None = None
    """The line a swap under way would change places with."""
    result: Result | None = None
    version: int = 0

    @property
    def live(self) -> bool:
        """Whether no other live line may have its slot or its candidate (states in LIVE)."""
        return self.state in LIVE


_SETTLED: Mapping[str, Any] = {
    "changing": Changing.NOTHING,
    "wanted_candidate_id": None,
    "wanted_rdvpermis_id": "",
    "partner_id": None,
    "next_poll_at": None,
    "polls": 0,
}


def move(line: Line, to: State, now: datetime, refusal: Refusal = NO_REFUSAL, **more: Any) -> Line:
    """Bring a line into another state, with `more` of its fields; ValueError when its life does not go that way."""
    if to not in NEXT.get(line.state, frozenset()):
        raise ValueError(f"a line never goes from {line.state} to {to}")
    ended_at = None if to in LIVE else now
    return replace(line, **{**_SETTLED, **more}, state=to, since=now, ended_at=ended_at, refusal=refusal)


def settled(line: Line) -> Line:
    """The same line with nothing in doubt."""
    return replace(line, **_SETTLED)


def begin_change(line: Line, changing: Changing, poll_at: datetime) -> Line:
    """Write down what RdvPermis is about to be asked; `poll_at` is when to read the outcome if no answer came."""
    return replace(line, changing=changing, next_poll_at=poll_at, polls=0)


def give_back_later(line: Line, now: datetime) -> Line:
    """The ended line, to be given back at RdvPermis as soon as may be."""
    return replace(line, owed=True, next_poll_at=now)


@dataclass(frozen=True, slots=True)
class Change:
    """A line before (None: it is new) and after."""

    before: Line | None
    after: Line

    @property
    def before_state(self) -> State | None:
        """State of the line before; None for a new line."""
        return self.before.state if self.before is not None else None


def in_doubt(line: Line) -> bool:
    """Something was asked of RdvPermis whose outcome is not known."""
    return line.state in {State.ASKING, State.CONFIRMING} or line.changing is not Changing.NOTHING


def with_wanted_candidate(line: Line) -> Line:
    """The line with the wanted candidate on it (or none, where none was wanted)."""
    return replace(
        settled(line),
        candidate_id=line.wanted_candidate_id,
        rdvpermis_candidate_id=line.wanted_rdvpermis_id,
        refusal=NO_REFUSAL,
    )


def replacement(old: Line, line_id: UUID, group_id: UUID, account_id: str, now: datetime) -> Line:
    """The booked line that takes the place of `old` (as it was before, wanting its new candidate)."""
    return replace(
        settled(old),
        id=line_id,
        group_id=group_id,
        position=0,
        account_id=account_id,
        state=State.BOOKED,
        since=now,
        candidate_id=old.wanted_candidate_id,
        rdvpermis_candidate_id=old.wanted_rdvpermis_id,
        ended_at=None,
        refusal=NO_REFUSAL,
        found_elsewhere=False,
        version=0,
    )


Key = tuple[str, str, str]
"""What is counted for a school: (department, month, category)."""
BASKET: Key = ("", "", "")
"""The key that counts the lines in a school's basket. Sorts first: locking its row locks the school."""


def key_of(slot: Slot) -> Key:
    """The counter that a slot moves: school's department, exam's month and category group."""
    return (slot.department, slot.month, slot.category)


def counts(line: Line | None) -> Counter[Key]:
    """One of its slot's threshold while the line is in COUNTED, one of the basket while it is in IN_BASKET; empty for None."""
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


@dataclass(frozen=True)
class Group:
    """One booking action: at most four lines, one basket at RdvPermis."""

    id: UUID
    school_id: str
    account_id: str
    session_id: str
    all_or_nothing: bool
    request_caller: str
    request_id: str
    created_at: datetime


def group_of_replacement(line: Line) -> Group:
    """The group of a line that replaces another, whose own group may have its four lines already."""
    return Group(line.group_id, line.school_id, line.account_id, "", False, "", "", line.since)


def by_school(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """Lines put together by school, in the order of the schools' ids."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.school_id, []).append(line)
    return dict(sorted(found.items()))


def inseparable(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines apart, but those that change places with each other together: neither can be written alone."""
    found: dict[frozenset[UUID], list[Line]] = {}
    for line in lines:
        found.setdefault(frozenset({line.id, line.partner_id or line.id}), []).append(line)
    return list(found.values())
