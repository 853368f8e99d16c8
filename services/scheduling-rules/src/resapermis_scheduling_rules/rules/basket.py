"""Rules about a booking action as a whole."""

from resapermis_scheduling_rules.domain import Action, Purpose, Verdict

SOURCE = "RdvPermis charter 3.2, basket limits"


def group(action: Action) -> Verdict:
    """R-GROUP: one booking action, hold or validation, takes one to four slots.

    Source: RdvPermis charter 3.2. Parameter `group`, effective-dated, never above four.
    """
    limit = action.parameters.group
    allowed = 1 <= action.lines <= limit
    facts = {"asked": str(action.lines), "limit": str(limit)}
    return Verdict("R-GROUP", allowed, facts, SOURCE, remedy="" if allowed else "ask_fewer")


def basket(action: Action) -> Verdict:
    """R-BASKET: a school's basket holds at most `basket` lines at once; validation adds none.

    Source: RdvPermis charter 3.2. Parameter `basket`, effective-dated, never above RdvPermis' own 36.
    """
    asked = 0 if action.purpose is Purpose.VALIDATE else action.lines
    limit = action.parameters.basket
    allowed = asked == 0 or action.lines_in_basket + asked <= limit
    facts = {"inBasket": str(action.lines_in_basket), "asked": str(asked), "limit": str(limit)}
    return Verdict("R-BASKET", allowed, facts, SOURCE, remedy="" if allowed else "validate_or_release")


def hold_ttl(action: Action) -> Verdict:
    """R-HOLD-TTL: a hold lapses unless validated in time; said beforehand, enforced by basket.

    Source: RdvPermis charter 3.2. Parameter `hold_ttl_seconds`; RdvPermis' dateHeureExpiration if earlier.
    """
    return Verdict("R-HOLD-TTL", True, {"seconds": str(action.parameters.hold_ttl_seconds)}, SOURCE)
