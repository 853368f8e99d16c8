"""What reading at RdvPermis makes of lines in doubt. What was asked and is not there did not happen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from resapermis_basket.domain.answer import Answer, AnswerOutcome, held, validated
from resapermis_basket.domain.line import (
    IN_BASKET,
    NO_REFUSAL,
    Changing,
    Line,
    Refusal,
    State,
    move,
    settled,
    with_wanted_candidate,
)


@dataclass(frozen=True, slots=True)
class SeenBasket:
    """A basket as read at RdvPermis: its id, when it ends, and the candidate on each of its slots."""

    id: str
    expires_at: datetime
    candidates: Mapping[str, str]
    """RdvPermis' candidate id ("" unnamed) by slot id."""


@dataclass(frozen=True, slots=True)
class SeenExam:
    """An exam as read at RdvPermis: its id, slot and candidate."""

    id: str
    slot_id: str
    rdvpermis_candidate_id: str


@dataclass(frozen=True, slots=True)
class RdvPermisReading:
    """What was read at RdvPermis: baskets of the school, its coming exams that are not cancelled."""

    baskets: Sequence[SeenBasket] = ()
    exams: Sequence[SeenExam] = ()
    partners: Mapping[UUID, Line] = field(default_factory=dict)
    """Lines with which others would change places, by their own id."""

    def basket_with(self, line: Line) -> SeenBasket | None:
        """Their basket that has the line's slot: the one we know, or any where a crash lost its id."""
        known = [basket for basket in self.baskets if line.slot.id in basket.candidates]
        return next((basket for basket in known if line.basket_id in {"", basket.id}), None)

    def exam_of(self, line: Line) -> SeenExam | None:
        """The exam that the line is: by its exam id, else by its slot; None where RdvPermis lists none."""
        mine = (exam for exam in self.exams if exam.id == line.exam_id or exam.slot_id == line.slot.id)
        return next(mine, None)

    def changed_places(self, line: Line) -> bool | None:
        """Whether a swap under way happened; None: not to be known from this reading.

        One of the two exams suffices, where the other has been cancelled there since.
        """
        partner = self.partners.get(line.partner_id) if line.partner_id is not None else None
        if partner is None:
            return None
        seen = [(exam, one) for one in (line, partner) if (exam := self.exam_of(one)) is not None]
        return bool(seen) and all(exam.rdvpermis_candidate_id == one.wanted_rdvpermis_id for exam, one in seen)


def needs_exams(line: Line) -> bool:
    """Whether its doubt is settled by reading exams (else baskets suffice)."""
    return line.state in {State.CONFIRMING, State.BOOKED}


def needs_baskets(line: Line) -> bool:
    """Whether its doubt is settled by reading baskets."""
    return line.state in IN_BASKET


@dataclass(frozen=True, slots=True)
class SettlingRefusals:
    """Why not, where reading shows it."""

    lost: Refusal
    """What was asked did not happen."""
    slot_gone: Refusal
    """A hold whose basket RdvPermis has, without its slot."""
    basket_gone: Refusal
    """A hold whose basket RdvPermis no longer has."""


def settle(line: Line, reading: RdvPermisReading, why: SettlingRefusals, now: datetime) -> Line:
    """Say what became of a line from what was read; what was asked and is not there did not happen. Asks nothing twice."""
    if line.state is State.ASKING:
        return _settle_asking(line, reading, why.lost, now)
    if line.state is State.CONFIRMING:
        return _settle_confirming(line, reading, why.lost, now)
    if line.state is State.HELD:
        return _settle_held(line, reading, why, now)
    if line.state is State.BOOKED:
        return _settle_booked(line, reading, why.lost, now)
    return settled(line)


def _settle_asking(line: Line, reading: RdvPermisReading, lost: Refusal, now: datetime) -> Line:
    basket = reading.basket_with(line)
    if basket is None:
        return held(line, Answer(AnswerOutcome.REFUSED, lost), now)
    named = line.candidate_id is None or basket.candidates[line.slot.id] == line.rdvpermis_candidate_id
    refusal = NO_REFUSAL if named else lost
    return held(line, Answer(AnswerOutcome.DONE, refusal, named, basket.id, basket.expires_at), now)


def _settle_confirming(line: Line, reading: RdvPermisReading, lost: Refusal, now: datetime) -> Line:
    exam = reading.exam_of(line)
    if exam is not None:
        return validated(line, Answer(AnswerOutcome.DONE, exam_id=exam.id), now)
    if reading.basket_with(line) is not None:
        return move(line, State.HELD, now, lost)
    return move(line, State.REJECTED, now, lost)


def _settle_held(line: Line, reading: RdvPermisReading, why: SettlingRefusals, now: datetime) -> Line:
    basket, lost = reading.basket_with(line), why.lost
    if basket is None:
        if line.changing is Changing.RELEASE:
            return move(line, State.RELEASED, now)
        if any(one.id == line.basket_id for one in reading.baskets):
            return move(line, State.WITHDRAWN, now, why.slot_gone)
        return move(line, State.EXPIRED, now, why.basket_gone)
    if line.changing is not Changing.NAME:
        return replace(settled(line), refusal=lost if line.changing is Changing.RELEASE else line.refusal)
    if basket.candidates[line.slot.id] == line.wanted_rdvpermis_id:
        return with_wanted_candidate(line)
    return replace(settled(line), refusal=lost)


def _settle_booked(line: Line, reading: RdvPermisReading, lost: Refusal, now: datetime) -> Line:
    exam = reading.exam_of(line)
    if line.changing is Changing.CANCEL:
        return move(line, State.CANCELLED, now) if exam is None else replace(settled(line), refusal=lost)
    if line.changing is Changing.REPLACE:
        if exam is not None and exam.rdvpermis_candidate_id == line.wanted_rdvpermis_id:
            return move(line, State.REPLACED, now)
        return replace(settled(line), refusal=lost)
    if line.changing is Changing.SWAP:
        happened = reading.changed_places(line)
        if happened is None:
            return line
        return move(line, State.SWAPPED, now) if happened else replace(settled(line), refusal=lost)
    return line if exam is None else replace(settled(line), exam_id=exam.id)


LONGEST_PAUSE_SECONDS = 60.0


def pause_seconds(polls: int, first: float) -> float:
    """Seconds to wait before the next poll, after `polls` without an answer: doubling, at most a minute."""
    return float(min(first * 2 ** min(polls, 16), LONGEST_PAUSE_SECONDS))
