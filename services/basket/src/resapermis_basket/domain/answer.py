"""What RdvPermis answers: about lines, and what that makes of them; about candidates and baskets, before an opening."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from resapermis_basket.domain.line import NO_REFUSAL, Changing, Line, Refusal, State, give_back_later, move


class AnswerOutcome(StrEnum):
    """Whether RdvPermis did what a line asked for."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """RdvPermis' answer about one line of a hold or a validation."""

    outcome: AnswerOutcome
    refusal: Refusal = NO_REFUSAL
    """Why refused; on a line held without its candidate, why the candidate was not."""
    named: bool | None = True
    """Whether a line that was held has its candidate; None: not known yet."""
    basket_id: str = ""
    expires_at: datetime | None = None
    exam_id: str = ""


UNKNOWN = Answer(AnswerOutcome.UNKNOWN)


def held(line: Line, answer: Answer, now: datetime) -> Line:
    """Apply the answer to a line that was asked for; our hold never ends later than theirs."""
    if answer.outcome is AnswerOutcome.UNKNOWN:
        return replace(line, basket_id=answer.basket_id)
    if answer.outcome is AnswerOutcome.REFUSED:
        return move(line, State.REFUSED, now, answer.refusal)
    ends = [moment for moment in (line.expires_at, answer.expires_at) if moment is not None]
    kept: dict[str, Any] = {"basket_id": answer.basket_id, "expires_at": min(ends)}
    if not answer.named:
        kept |= {"candidate_id": None, "rdvpermis_candidate_id": ""}
    if answer.named is None:
        kept |= {
            "changing": Changing.NAME,
            "wanted_candidate_id": line.candidate_id,
            "wanted_rdvpermis_id": line.rdvpermis_candidate_id,
            "next_poll_at": now,
        }
    return move(line, State.HELD, now, answer.refusal, **kept)


def validated(line: Line, answer: Answer, now: datetime) -> Line:
    """Apply the answer to a line under validation. A rejected line may still lie in their basket: it is owed."""
    if answer.outcome is AnswerOutcome.UNKNOWN:
        return line
    if answer.outcome is AnswerOutcome.REFUSED:
        return give_back_later(move(line, State.REJECTED, now, answer.refusal), now)
    booked = replace(move(line, State.BOOKED, now), exam_id=answer.exam_id)
    return booked if booked.exam_id else replace(booked, next_poll_at=now)


def refuse_all_or_nothing(lines: Sequence[Line], refusal: Refusal, now: datetime) -> list[Line]:
    """All or nothing, before RdvPermis is asked: once one line is refused, nobody is asked for the others."""
    if all(line.state is not State.REFUSED for line in lines):
        return list(lines)
    return [move(line, State.REFUSED, now, refusal) if line.state is State.ASKING else line for line in lines]


def give_back_all_or_nothing(lines: Sequence[Line], refusal: Refusal, now: datetime) -> list[Line]:
    """All or nothing: once one line is refused, what the others got goes back. Lines in doubt stay so."""
    if all(line.state is not State.REFUSED for line in lines):
        return list(lines)
    return [
        give_back_later(move(line, State.RELEASED, now, refusal), now) if line.state is State.HELD else line
        for line in lines
    ]


ELIGIBILITY_LASTS = timedelta(minutes=5)
"""So long RdvPermis' answer about a candidate is passed on to the rules."""
BASKET_MARGIN = timedelta(minutes=3)
"""A basket that ends sooner is not begun with, for a hold in it would end as soon: the hold opens its own."""


@dataclass(frozen=True, slots=True)
class Eligibility:
    """RdvPermis' answer to whether a candidate may take a slot of a category."""

    category: str
    rdvpermis_candidate_id: str
    eligible: bool
    code: str
    """RdvPermis' own of its refusal, verbatim; "" where it refuses nothing."""
    seen_at: datetime


Eligibilities = Mapping[tuple[str, str], Eligibility]
"""By (category, RdvPermis' candidate id)."""


@dataclass(frozen=True, slots=True)
class PreparedBasket:
    """An empty basket at RdvPermis, for one hold of one person."""

    id: str
    expires_at: datetime
