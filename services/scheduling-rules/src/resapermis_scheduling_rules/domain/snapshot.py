"""One slot that a school wants, with everything a rule about it looks at; and a booking action as a whole."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from resapermis_scheduling_rules.domain.availability import NOTHING_KNOWN, LineAvailability
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import Quota
from resapermis_scheduling_rules.domain.restrictions import Restriction
from resapermis_scheduling_rules.domain.slots import School, Slot, Status


class Purpose(StrEnum):
    """The act for which a verdict is asked; rules differ by it."""

    SEARCH = "search"
    HOLD = "hold"
    VALIDATE = "validate"
    REPLACE = "replace"
    SWAP = "swap"
    CANCEL = "cancel"

    @property
    def takes(self) -> bool:
        """Whether it takes a slot that the school does not have yet."""
        return self in {Purpose.SEARCH, Purpose.HOLD}

    @property
    def changes(self) -> bool:
        """Whether it changes a booking that exists: replaces its candidate, swaps or cancels it."""
        return self in {Purpose.REPLACE, Purpose.SWAP, Purpose.CANCEL}

    @property
    def names(self) -> bool:
        """Whether every line must name its candidate by now."""
        return self in {Purpose.VALIDATE, Purpose.REPLACE, Purpose.SWAP}


@dataclass(frozen=True, slots=True)
class Candidate:
    """What mandate, basket and RdvPermis state about the candidate of a line; an id, never a name."""

    id: str
    mandate_active: bool
    mandate_category: str
    mandate_gearbox: str
    busy: bool
    eligible: bool | None = None
    """RdvPermis' own word; None where it was not asked."""
    eligibility_code: str = ""
    eligible_seen_at: datetime | None = None

    def rdvpermis_word(self, now: datetime, parameters: Parameters) -> bool | None:
        """RdvPermis' own eligibility while it is fresh (`eligibility_fresh_seconds`); None when it stated none, or is older."""
        if self.eligible is None or self.eligible_seen_at is None:
            return None
        fresh = now - self.eligible_seen_at < timedelta(seconds=parameters.eligibility_fresh_seconds)
        return self.eligible if fresh else None


@dataclass(frozen=True, slots=True)
class EvaluationSnapshot:
    """One slot that a school wants, with everything a rule about it looks at."""

    now: datetime
    purpose: Purpose
    school: School
    slot: Slot
    parameters: Parameters
    quota: Quota
    asked: int = 1
    """Lines of the action that count for the same threshold."""
    candidate: Candidate | None = None
    namesakes: int = 0
    """Other lines of the action that name the same candidate."""
    trainer_id: str = ""
    vehicle_id: str = ""
    situation: LineAvailability = NOTHING_KNOWN
    """Conflicts, trainer and vehicle, from the school's own records."""
    restrictions: tuple[Restriction, ...] = ()
    """Of the candidate in the slot's category."""
    passed_kinds: tuple[str, ...] = ()
    """Kinds of test of this category that the candidate has passed."""
    changeable: bool | None = None
    """RdvPermis' estModifiable of the booking; None where it was not asked."""

    @property
    def status(self) -> Status:
        """How the slot stands for the school that asks (`Slot.status_for`)."""
        return self.slot.status_for(self.school.id, threshold_reached=self.quota.rdvpermis_says_reached)

    @property
    def added(self) -> int:
        """Lines that the action adds to the threshold; 0 unless it takes slots: what the school has is counted already."""
        return self.asked if self.purpose.takes else 0

    @property
    def rdvpermis_word(self) -> bool | None:
        """RdvPermis' own eligibility of the candidate while it is fresh; None without one, or where nobody is named."""
        return None if self.candidate is None else self.candidate.rdvpermis_word(self.now, self.parameters)


@dataclass(frozen=True, slots=True)
class Action:
    """One booking action as a whole: its number of lines, and what of the school limits it."""

    purpose: Purpose
    lines: int
    lines_in_basket: int
    parameters: Parameters
    replacements_left: int | None = None
    """At RdvPermis this month, where known."""
    replacements_per_month: int | None = None
