"""Lines, and what may become of them. Nothing here waits, reads a clock or imports what is ours."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

LARGEST_GROUP = 4
"""RdvPermis charter 3.2: no booking action exceeds four slots. The database says it too (line.position)."""


class State(StrEnum):
    """Where a line stands in its life."""

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
    # lives is not thrown away because a question got lost.
    _S.CONFIRMING: frozenset({_S.BOOKED, _S.REJECTED, _S.HELD}),
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
    """The slot's message as scheduling-rules said it, kept for showing."""

    @property
    def local_day(self) -> date:
        """Day of the exam at its centre."""
        return self.starts_at.astimezone(ZoneInfo(self.time_zone)).date()


def unseen_slot(slot_id: str, snapshot: bytes) -> Slot:
    """A slot that no look ever brought; only refused lines have one."""
    never = datetime(1970, 1, 1, tzinfo=UTC)
    return Slot(slot_id, "", "", "", never, never, "UTC", "", snapshot)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: the code's word, and the whole refusal as the message that is shown."""

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
    next_look_at: datetime | None = None
    """When to read at RdvPermis what became of it; None: nothing is in doubt."""
    looks: int = 0
    owed: bool = False
    """The line has ended and RdvPermis still has it in our basket: to be given back."""
    version: int = 0

    @property
    def live(self) -> bool:
        """Its slot and candidate are taken."""
        return self.state in LIVE


def move(line: Line, to: State, now: datetime, refusal: Refusal = NO_REFUSAL) -> Line:
    """Bring a line into another state; ValueError when its life does not go that way."""
    if to not in NEXT.get(line.state, frozenset()):
        raise ValueError(f"a line never goes from {line.state} to {to}")
    return replace(
        settled(line),
        state=to,
        since=now,
        ended_at=None if to in LIVE else now,
        refusal=refusal,
    )


def settled(line: Line) -> Line:
    """The same line with nothing in doubt."""
    return replace(
        line,
        changing=Changing.NOTHING,
        wanted_candidate_id=None,
        wanted_rdvpermis_id="",
        next_look_at=None,
        looks=0,
    )


def intend(line: Line, changing: Changing, look_at: datetime) -> Line:
    """Write down what RdvPermis is about to be asked; `look_at` is when to read the outcome if no answer came."""
    return replace(line, changing=changing, next_look_at=look_at, looks=0)


def owe(line: Line, now: datetime) -> Line:
    """The ended line, to be given back at RdvPermis as soon as may be."""
    return replace(line, owed=True, next_look_at=now)


@dataclass(frozen=True, slots=True)
class Change:
    """A line before (None: it is new) and after."""

    before: Line | None
    after: Line

    @property
    def before_state(self) -> State | None:
        """The state it came from."""
        return self.before.state if self.before is not None else None


Key = tuple[str, str, str]
"""What is counted for a school: (department, month, category)."""
BASKET: Key = ("", "", "")
"""The key that counts the lines in a school's basket. Sorts first: its row is the school's turn-taking."""


def key_of(slot: Slot) -> Key:
    """The threshold a slot counts for."""
    return (slot.department, slot.month, slot.category)


def counts(line: Line | None) -> Counter[Key]:
    """What one line takes."""
    taken: Counter[Key] = Counter()
    if line is not None and line.state in COUNTED:
        taken[key_of(line.slot)] += 1
    if line is not None and line.state in IN_BASKET:
        taken[BASKET] += 1
    return taken


def deltas(changes: Iterable[Change]) -> dict[Key, int]:
    """By how much the counters move, in lock order; keys that do not move are left out."""
    total: Counter[Key] = Counter()
    for change in changes:
        total.update(counts(change.after))
        total.subtract(counts(change.before))
    return {key: total[key] for key in sorted(total) if total[key]}


def in_lock_order(lines: Iterable[Line]) -> list[Line]:
    """Lines in the one order in which anybody locks them: by slot, so that crossing groups queue and never deadlock."""
    return sorted(lines, key=lambda line: (line.slot.id, line.id))


def admit(wanted: Sequence[Line], granted: Mapping[Key, int]) -> tuple[list[Line], list[Line]]:
    """Divide lines, first come first, into those the granted counters suffice for and the rest."""
    left = dict(granted)
    admitted, rest = [], []
    for line in wanted:
        keys = list(counts(line))
        if all(left.get(key, 0) > 0 for key in keys):
            for key in keys:
                left[key] -= 1
            admitted.append(line)
        else:
            rest.append(line)
    return admitted, rest


class Outcome(StrEnum):
    """What RdvPermis said about one line."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """RdvPermis' answer about one line of a hold or a validation."""

    outcome: Outcome
    refusal: Refusal = NO_REFUSAL
    """Why refused; on a line held without its candidate, why the candidate was not."""
    named: bool | None = True
    """Whether a line that was held has its candidate; None: not known yet."""
    basket_id: str = ""
    expires_at: datetime | None = None
    exam_id: str = ""


UNKNOWN = Answer(Outcome.UNKNOWN)


def held(line: Line, answer: Answer, now: datetime) -> Line:
    """Apply the answer to a line that was asked for; our hold never ends later than theirs."""
    if answer.outcome is Outcome.UNKNOWN:
        return replace(line, basket_id=answer.basket_id)
    if answer.outcome is Outcome.REFUSED:
        return move(line, State.REFUSED, now, answer.refusal)
    ends = [moment for moment in (line.expires_at, answer.expires_at) if moment is not None]
    kept = replace(
        move(line, State.HELD, now, answer.refusal),
        basket_id=answer.basket_id,
        expires_at=min(ends),
    )
    if answer.named:
        return kept
    unnamed = replace(kept, candidate_id=None, rdvpermis_candidate_id="")
    if answer.named is False:
        return unnamed
    return replace(
        unnamed,
        changing=Changing.NAME,
        wanted_candidate_id=line.candidate_id,
        wanted_rdvpermis_id=line.rdvpermis_candidate_id,
        next_look_at=now,
    )


def validated(line: Line, answer: Answer, now: datetime) -> Line:
    """Apply the answer to a line under validation. A rejected line may still lie in their basket: it is owed."""
    if answer.outcome is Outcome.UNKNOWN:
        return line
    if answer.outcome is Outcome.REFUSED:
        return owe(move(line, State.REJECTED, now, answer.refusal), now)
    booked = replace(move(line, State.BOOKED, now), exam_id=answer.exam_id)
    return booked if booked.exam_id else replace(booked, next_look_at=now)


def fail_together(lines: Sequence[Line], refusal: Refusal, now: datetime) -> list[Line]:
    """All or nothing, before RdvPermis is asked: once one line is refused, nobody is asked for the others."""
    if all(line.state is not State.REFUSED for line in lines):
        return list(lines)
    return [move(line, State.REFUSED, now, refusal) if line.state is State.ASKING else line for line in lines]


def give_back_together(lines: Sequence[Line], refusal: Refusal, now: datetime) -> list[Line]:
    """All or nothing: once one line is refused, what the others got goes back. Lines in doubt stay so."""
    if all(line.state is not State.REFUSED for line in lines):
        return list(lines)
    return [owe(move(line, State.RELEASED, now, refusal), now) if line.state is State.HELD else line for line in lines]


@dataclass(frozen=True, slots=True)
class SeenBasket:
    """A basket as read at RdvPermis."""

    id: str
    expires_at: datetime
    candidates: Mapping[str, str]
    """RdvPermis' candidate id ("" unnamed) by slot id."""


@dataclass(frozen=True, slots=True)
class SeenExam:
    """An exam as read at RdvPermis."""

    id: str
    slot_id: str
    rdvpermis_candidate_id: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at RdvPermis brought: baskets of the school, its coming exams that are not cancelled."""

    baskets: Sequence[SeenBasket] = ()
    exams: Sequence[SeenExam] = ()

    def basket_with(self, line: Line) -> SeenBasket | None:
        """Their basket that has the line's slot: the one we know, or any where a crash lost its id."""
        known = [basket for basket in self.baskets if line.slot.id in basket.candidates]
        return next((basket for basket in known if line.basket_id in {"", basket.id}), None)

    def exam_of(self, line: Line) -> SeenExam | None:
        """The line's exam."""
        mine = (exam for exam in self.exams if exam.id == line.exam_id or exam.slot_id == line.slot.id)
        return next(mine, None)


def in_doubt(line: Line) -> bool:
    """Something was asked of RdvPermis whose outcome is not known."""
    return line.state in {State.ASKING, State.CONFIRMING} or line.changing is not Changing.NOTHING


def needs_exams(line: Line) -> bool:
    """Whether its doubt is settled by reading exams (else baskets suffice)."""
    return line.state in {State.CONFIRMING, State.BOOKED}


def needs_baskets(line: Line) -> bool:
    """Whether its doubt is settled by reading baskets."""
    return line.state in IN_BASKET


def settle(line: Line, sight: Sight, lost: Refusal, gone: Refusal, now: datetime) -> Line:
    """Say what became of a line from what was read; what was asked and is not there did not happen.

    `lost`: the refusal for what did not happen; `gone`: for a hold that RdvPermis no longer has. Asks nothing twice.
    """
    if line.state is State.ASKING:
        return _settle_asking(line, sight, lost, now)
    if line.state is State.CONFIRMING:
        return _settle_confirming(line, sight, lost, now)
    if line.state is State.HELD:
        return _settle_held(line, sight, lost, gone, now)
    if line.state is State.BOOKED:
        return _settle_booked(line, sight, lost, now)
    return settled(line)


def _settle_asking(line: Line, sight: Sight, lost: Refusal, now: datetime) -> Line:
    basket = sight.basket_with(line)
    if basket is None:
        return held(line, Answer(Outcome.REFUSED, lost), now)
    named = line.candidate_id is None or basket.candidates[line.slot.id] == line.rdvpermis_candidate_id
    refusal = NO_REFUSAL if named else lost
    return held(line, Answer(Outcome.DONE, refusal, named, basket.id, basket.expires_at), now)


def _settle_confirming(line: Line, sight: Sight, lost: Refusal, now: datetime) -> Line:
    exam = sight.exam_of(line)
    if exam is not None:
        return validated(line, Answer(Outcome.DONE, exam_id=exam.id), now)
    if sight.basket_with(line) is not None:
        return move(line, State.HELD, now, lost)
    return move(line, State.REJECTED, now, lost)


def _settle_held(line: Line, sight: Sight, lost: Refusal, gone: Refusal, now: datetime) -> Line:
    basket = sight.basket_with(line)
    if basket is None:
        if line.changing is Changing.RELEASE:
            return move(line, State.RELEASED, now)
        return move(line, State.WITHDRAWN, now, gone)
    if line.changing is not Changing.NAME:
        return replace(settled(line), refusal=lost if line.changing is Changing.RELEASE else line.refusal)
    if basket.candidates[line.slot.id] == line.wanted_rdvpermis_id:
        return named(line)
    return replace(settled(line), refusal=lost)


def _settle_booked(line: Line, sight: Sight, lost: Refusal, now: datetime) -> Line:
    exam = sight.exam_of(line)
    if line.changing is Changing.CANCEL:
        return move(line, State.CANCELLED, now) if exam is None else replace(settled(line), refusal=lost)
    if line.changing is Changing.REPLACE:
        if exam is not None and exam.rdvpermis_candidate_id == line.wanted_rdvpermis_id:
            return move(line, State.REPLACED, now)
        return replace(settled(line), refusal=lost)
    return line if exam is None else replace(settled(line), exam_id=exam.id)


def named(line: Line) -> Line:
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
        version=0,
    )


LONGEST_PAUSE_SECONDS = 60.0


def pause_seconds(looks: int, first: float) -> float:
    """How long to wait before looking again after `looks` looks without an answer: doubling, at most a minute."""
    return float(min(first * 2 ** min(looks, 16), LONGEST_PAUSE_SECONDS))
