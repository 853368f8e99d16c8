"""All rules answer; here their answers are put together. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from resapermis_scheduling_rules.domain import Action, Case, Verdict, pace_day, paced
from resapermis_scheduling_rules.rules import ACTION_RULES, LINE_RULES, SLOT_RULES


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdicts on one slot or line."""

    allowed: bool
    verdicts: Sequence[Verdict]
    opens_at: datetime | None = None
    """When all of it opens by itself; None when it is open or time does not open it."""


def _all(verdicts: Sequence[Verdict]) -> bool:
    return all(verdict.allowed for verdict in verdicts)


def slot(case: Case) -> Judgement:
    """Judge a slot in a search, where nobody is named yet."""
    verdicts = [rule(case) for rule in SLOT_RULES]
    return Judgement(_all(verdicts), verdicts, opens_at(case, verdicts))


def line(case: Case) -> Judgement:
    """Judge a line of an action."""
    verdicts = [rule(case) for rule in LINE_RULES]
    return Judgement(_all(verdicts), verdicts)


def action(asked: Action) -> Judgement:
    """Judge an action as a whole."""
    verdicts = [rule(asked) for rule in ACTION_RULES]
    return Judgement(_all(verdicts), verdicts)


def opens_at(case: Case, verdicts: Sequence[Verdict]) -> datetime | None:
    """Say when the slot opens by itself: at the last opening of those that refuse, if nothing else closes by then."""
    openings = [verdict.opens_at for verdict in verdicts if not verdict.allowed]
    known = [opening for opening in openings if opening is not None]
    if not known or len(known) < len(openings):
        return None
    last = max(known)
    later = replace(case, now=last)
    return last if all(rule(later).allowed for rule in SLOT_RULES) else None


def quota_limit(case: Case) -> int:
    """How many slots of this threshold basket may count, itself: the paced limit less what was booked without us."""
    limit = paced(case.quota.limit, pace_day(case.slot.month, case.slot.department, case.now), case.parameters)
    return max(0, limit - case.quota.elsewhere)
