"""Our bookings reconciled with RdvPermis' own list: what was done there without us (R-31).

RdvPermis is the referee. Compared slot by slot, because a slot is what both sides name alike: a swap may cross the
candidates of two exams or the places of two.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from resapermis_basket.domain.line import Change, Line, Slot, State, in_doubt, move, replacement


@dataclass(frozen=True, slots=True)
class FoundExam:
    """A coming exam as RdvPermis lists it."""

    id: str
    slot: Slot
    rdvpermis_candidate_id: str
    """"" where it names nobody."""


@dataclass(frozen=True)
class OutsideChanges:
    """What was done at RdvPermis without us."""

    gone: Sequence[Line] = ()
    found: Sequence[FoundExam] = ()
    replaced: Sequence[tuple[Line, FoundExam]] = ()
    swapped: Sequence[tuple[Line, FoundExam]] = ()
    known_better: Sequence[tuple[Line, FoundExam]] = ()
    """The same booking, of which its exam's id or its candidate was not known to us."""

    def slots_apart(self) -> list[frozenset[str]]:
        """Slots whose changes can be written by themselves; those of bookings that changed places are together."""
        crossed = frozenset(line.slot.id for line, _ in self.swapped)
        lines = [*self.gone, *(line for line, _ in [*self.replaced, *self.known_better])]
        single = [*(line.slot.id for line in lines), *(exam.slot.id for exam in self.found)]
        return [*([crossed] if crossed else []), *(frozenset({slot_id}) for slot_id in single)]

    def of_slots(self, slots: Collection[str]) -> "OutsideChanges":
        """Those of these slots."""
        return OutsideChanges(
            [line for line in self.gone if line.slot.id in slots],
            [exam for exam in self.found if exam.slot.id in slots],
            *(
                [pair for pair in pairs if pair[0].slot.id in slots]
                for pairs in (self.replaced, self.swapped, self.known_better)
            ),
        )


NOTHING = OutsideChanges([], [], [], [], [])


def comparable(line: Line, from_: datetime) -> bool:
    """A booking of ours that nothing is asked about and that has not begun: others are never touched."""
    return (
        line.state is State.BOOKED and not in_doubt(line) and line.next_poll_at is None and line.slot.starts_at > from_
    )


def compare(ours: Iterable[Line], theirs: Iterable[FoundExam], from_: datetime) -> OutsideChanges:
    """`ours`: comparable lines; `theirs`: every coming exam of the same categories but those of lines left out."""
    lines = {line.slot.id: line for line in ours if comparable(line, from_)}
    exams = {exam.slot.id: exam for exam in theirs if exam.slot.starts_at > from_}
    both = [(lines[slot_id], exams[slot_id]) for slot_id in sorted(lines.keys() & exams.keys())]
    other = [
        (line, exam)
        for line, exam in both
        if line.rdvpermis_candidate_id
        not in {"", exam.rdvpermis_candidate_id}  # who named nobody is named, not replaced
    ]
    now_named = {line.rdvpermis_candidate_id: exam.rdvpermis_candidate_id for line, exam in other}
    crossed = [
        (line, exam)
        for line, exam in other
        if exam.rdvpermis_candidate_id and now_named.get(exam.rdvpermis_candidate_id) == line.rdvpermis_candidate_id
    ]
    return OutsideChanges(
        gone=[lines[slot_id] for slot_id in sorted(lines.keys() - exams.keys())],
        found=[exams[slot_id] for slot_id in sorted(exams.keys() - lines.keys())],
        replaced=[pair for pair in other if pair not in crossed],
        swapped=crossed,
        known_better=[
            (line, exam)
            for line, exam in both
            if line.rdvpermis_candidate_id in {"", exam.rdvpermis_candidate_id}
            and (line.exam_id != exam.id or (line.candidate_id is None and exam.rdvpermis_candidate_id))
        ],
    )


def changes_for(
    outside: OutsideChanges,
    candidates: Mapping[str, UUID],
    busy: Collection[tuple[UUID, str]],
    school_id: str,
    new_id: Callable[[], UUID],
    now: datetime,
) -> list[Change]:
    """What our lines become.

    `candidates`: ours by RdvPermis' id. `busy`: (candidate, category) on live lines that none of this ends; a booking
    found for one of them stays without its candidate of ours until the other line has ended.
    """
    changes = [Change(line, move(line, State.CANCELLED, now)) for line in outside.gone]
    taken = set(busy)

    def named(line: Line, exam: FoundExam) -> Line:
        candidate_id = candidates.get(exam.rdvpermis_candidate_id)
        key = (candidate_id, line.slot.category) if candidate_id is not None else None
        if key is None or key in taken:
            candidate_id = None
        else:
            taken.add(key)
        return replace(
            line,
            candidate_id=candidate_id,
            rdvpermis_candidate_id=exam.rdvpermis_candidate_id,
            exam_id=exam.id,
        )

    for state, pairs in ((State.SWAPPED, outside.swapped), (State.REPLACED, outside.replaced)):
        for old, exam in pairs:
            heir = replacement(old, new_id(), new_id(), "", now)
            changes.append(Change(old, move(old, state, now)))
            changes.append(Change(None, replace(named(heir, exam), found_elsewhere=True)))
    changes += [Change(None, named(_found(exam, school_id, new_id, now), exam)) for exam in outside.found]
    for line, exam in outside.known_better:
        after = replace(line, exam_id=exam.id) if line.candidate_id is not None else named(line, exam)
        if after != line:
            changes.append(Change(line, after))
    return changes


def _found(exam: FoundExam, school_id: str, new_id: Callable[[], UUID], now: datetime) -> Line:
    return Line(
        id=new_id(),
        group_id=new_id(),
        position=0,
        school_id=school_id,
        account_id="",
        slot=exam.slot,
        state=State.BOOKED,
        since=now,
        found_elsewhere=True,
    )
