"""A school's trainers and vehicles as its administrator keeps them (R-28). Pure.

A trainer is RdvPermis' employee id and *terms*: from a day on, where and what they teach. A term is never changed by what
happens later; a new one ends it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

WARN_DAYS = (30, 7, 1, 0)
"""A licence or authorisation that ends is warned of this many days before; 0: it has ended."""


@dataclass(frozen=True, slots=True)
class Term:
    """Where and what a trainer teaches from a day on."""

    trainer_id: str
    department: str
    categories: tuple[str, ...]
    active_from: datetime
    active_until: datetime | None = None
    authorised_until: datetime | None = None
    """End of the teaching authorisation; None where it is not known."""

    def active(self, at: datetime) -> bool:
        """Whether the term has begun at `at` and has not ended."""
        return self.active_from <= at and (self.active_until is None or at < self.active_until)

    def may_accompany(self, at: datetime) -> bool:
        """Active and authorised; an authorisation whose end nobody knows is believed."""
        return self.active(at) and (self.authorised_until is None or at < self.authorised_until)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A school's vehicle: its label for people, the categories it is equipped for, its gearbox; a retired one is not offered."""

    id: str
    label: str
    categories: tuple[str, ...]
    gearbox: str
    retired: bool = False


def terms_with(terms: Iterable[Term], new: Term) -> list[Term]:
    """All terms of a trainer once `new` is set: what was in force on its first day ends then, what was planned after goes."""
    kept = [
        replace(term, active_until=new.active_from)
        if term.active_until is None or term.active_until > new.active_from
        else term
        for term in terms
        if term.active_from < new.active_from
    ]
    return [*sorted(kept, key=lambda term: term.active_from), new]


def departments_at(terms: Iterable[Term], at: datetime) -> Mapping[str, str]:
    """Where each trainer who is active teaches."""
    return {term.trainer_id: term.department for term in terms if term.active(at)}


@dataclass(frozen=True, slots=True)
class EndingAuthorisation:
    """A licence (no trainer) or a trainer's authorisation that ends."""

    school_id: str
    trainer_id: str
    ends_at: datetime


def due_warnings(ends_at: datetime, now: datetime) -> Sequence[int]:
    """Which warnings are due: all whose time has come, the nearest to the end last. Only that one is published."""
    return [days for days in WARN_DAYS if now >= ends_at - timedelta(days=days)]
