"""All rules answer; here their answers are put together. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.quota import pace_day, paced
from resapermis_scheduling_rules.domain.snapshot import Action, EvaluationSnapshot
from resapermis_scheduling_rules.rules import ACTION_RULES, LINE_RULES, SLOT_RULES

Rule = Callable[[EvaluationSnapshot], Verdict]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What all rules answer about one slot, line or action: each verdict, and whether all allow."""

    allowed: bool
    verdicts: Sequence[Verdict]
    opens_at: datetime | None = None
    """When all of it opens by itself; None when it is open or time does not open it."""


def _all(verdicts: Sequence[Verdict]) -> bool:
    return all(verdict.allowed for verdict in verdicts)


def slot(snapshot: EvaluationSnapshot) -> Judgement:
    """The SLOT_RULES' verdicts on a slot in a search, where nobody is named; with when it opens."""
    verdicts = [rule(snapshot) for rule in SLOT_RULES]
    return Judgement(_all(verdicts), verdicts, opens_at(snapshot, verdicts, SLOT_RULES))


def line(snapshot: EvaluationSnapshot) -> Judgement:
    """The LINE_RULES' verdicts on a line of an action."""
    verdicts = [rule(snapshot) for rule in LINE_RULES]
    return Judgement(_all(verdicts), verdicts)


def explained(snapshot: EvaluationSnapshot) -> Judgement:
    """As `line`, with the moment at which it opens by time alone."""
    judged = line(snapshot)
    return Judgement(judged.allowed, judged.verdicts, opens_at(snapshot, judged.verdicts, LINE_RULES))


def action(asked: Action) -> Judgement:
    """The ACTION_RULES' verdicts on an action as a whole (R-GROUP, R-BASKET and the like)."""
    verdicts = [rule(asked) for rule in ACTION_RULES]
    return Judgement(_all(verdicts), verdicts)


def opens_at(snapshot: EvaluationSnapshot, verdicts: Sequence[Verdict], rules: Sequence[Rule]) -> datetime | None:
    """Say the first moment at which time alone opens it; None when it is open, or when time alone does not.

    All that refuses now refuses until the last of its openings. What closes by then (a word of RdvPermis that is no
    longer fresh bares a restriction, say) has an opening of its own, or none. Openings only move forward, and each rule has few.
    """
    at: datetime | None = None
    while True:
        openings = [verdict.opens_at for verdict in verdicts if not verdict.allowed]
        known = [opening for opening in openings if opening is not None]
        if len(known) < len(openings):
            return None
        if not known:
            return at
        at = max(known)
        later = replace(snapshot, now=at)
        verdicts = [rule(later) for rule in rules]


def quota_limit(snapshot: EvaluationSnapshot) -> int:
    """How many slots of this threshold basket may count, itself: the paced limit less what was booked without us."""
    limit = paced(
        snapshot.quota.limit, pace_day(snapshot.slot.month, snapshot.slot.department, snapshot.now), snapshot.parameters
    )
    return max(0, limit - snapshot.quota.elsewhere)
