"""Rules about a booking action as a whole."""

from resapermis_rules import statements
from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.snapshot import Action, Purpose

SOURCE = "RdvPermis charter 3.2, basket limits"


def group(action: Action) -> Verdict:
    """R-GROUP: one booking action, hold or validation, takes one to four slots.

    Source: RdvPermis charter 3.2. Parameter `group`, effective-dated, never above four.
    """
    return statements.group(action.lines, action.parameters.group)


def basket(action: Action) -> Verdict:
    """R-BASKET: a school's basket holds at most `basket` lines at once; only a hold adds any.

    Source: RdvPermis charter 3.2. Parameter `basket`, effective-dated, never above RdvPermis' own 36.
    """
    asked = action.lines if action.purpose.takes else 0
    limit = action.parameters.basket
    allowed = asked == 0 or action.lines_in_basket + asked <= limit
    facts = {"inBasket": str(action.lines_in_basket), "asked": str(asked), "limit": str(limit)}
    return Verdict("R-BASKET", allowed, facts, SOURCE, remedy="" if allowed else "validate_or_release")


def hold_ttl(action: Action) -> Verdict:
    """R-HOLD-TTL: a hold lapses unless validated in time; shown beforehand, enforced by basket.

    Source: RdvPermis charter 3.2. Parameter `hold_ttl_seconds`; RdvPermis' dateHeureExpiration if earlier.
    """
    return Verdict("R-HOLD-TTL", True, {"seconds": str(action.parameters.hold_ttl_seconds)}, SOURCE)


def replacements(action: Action) -> Verdict:
    """R-REPLACE: candidates are replaced so many times a month as RdvPermis allows, and never more than `replacements`.

    Source: RdvPermis API, remplacementsParMois and remplacementsRestants; parameter `replacements`, effective-dated, where
    lower. Where RdvPermis was not asked, it decides at the act.
    """
    most, per_month, left = action.parameters.replacements, action.replacements_per_month, action.replacements_left
    limit = most if per_month is None else min(most, per_month)
    if action.purpose is not Purpose.REPLACE:
        return statements.REPLACE.allows({"perMonth": str(limit)})
    if left is not None:
        used = 0 if per_month is None else max(0, per_month - left)
        left = max(0, min(left, limit - used))
    return statements.replacements(action.lines, left, limit)
