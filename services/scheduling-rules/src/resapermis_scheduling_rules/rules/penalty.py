"""R-PENALTY: after an absence, a late cancellation or a failure a candidate waits."""

from resapermis_scheduling_rules.domain.case import Case, Purpose, Verdict
from resapermis_scheduling_rules.domain.days import day_start, days_later, instant, local_day
from resapermis_scheduling_rules.domain.penalties import Bar, after_cancellation, next_possible
from resapermis_scheduling_rules.rules.candidate import UNNAMED

SOURCE = "Sécurité routière: absence 40 d, late cancellation 30 d, failure by mark up to 35 d; force majeure lifts"


def penalty(case: Case) -> Verdict:
    """R-PENALTY: a candidate who was absent, cancelled late or failed takes no new slot before the bar ends.

    Source: Sécurité routière; parameters `absence_days`, `late_cancel_bar_days`, `failure_…_days`, effective-dated. Bars that
    RdvPermis publishes count beside ours; its fresh word that the candidate may take this slot goes before all of them.
    For a cancellation it says what would follow.
    """
    if case.purpose is Purpose.CANCEL:
        return Verdict("R-PENALTY", True, _consequence(case), SOURCE)
    if case.candidate is None:
        return Verdict("R-PENALTY", True, UNNAMED, SOURCE)
    standing = [bar for bar in case.bars if bar.bars(case.slot.kind, case.now)]
    if not standing:
        return Verdict("R-PENALTY", True, {"bars": ""}, SOURCE)
    facts = {"bars": ",".join(bar.reason for bar in _in_order(standing))}
    if case.rdvpermis_word is True:
        return Verdict("R-PENALTY", True, facts | {"rdvpermis": "eligible"}, SOURCE)
    longest = _in_order(standing)[0]
    facts |= {
        "reason": longest.reason,
        "since": instant(longest.since),
        "fromRdvpermis": str(longest.from_rdvpermis).lower(),
    }
    opens = next_possible([bar for bar in case.bars if bar.kind in {"", case.slot.kind}], case.now)
    if opens is None:
        return Verdict("R-PENALTY", False, facts, SOURCE, remedy="choose_another_candidate")
    return Verdict("R-PENALTY", False, facts | {"until": instant(opens)}, SOURCE, opens_at=opens, remedy="wait")


def _in_order(bars: list[Bar]) -> list[Bar]:
    """The longest first; bars for good before all."""
    return sorted(bars, key=lambda bar: (bar.until is not None, -(bar.until or bar.since).timestamp(), bar.reason))


def _consequence(case: Case) -> dict[str, str]:
    """What a cancellation now would bar, and until when it would not."""
    slot, department, parameters = case.slot, case.slot.department, case.parameters
    barred = after_cancellation(case.now, slot.starts_at, department, parameters)
    first_late = days_later(slot.starts_at, -parameters.late_cancel_days, department)
    facts = {
        "late": str(barred is not None).lower(),
        "freeUntil": instant(day_start(local_day(first_late, department), department)),
        "barredDays": str(parameters.late_cancel_bar_days if barred is not None else 0),
    }
    if barred is not None and barred.until is not None:
        facts["barredUntil"] = instant(barred.until)
    return facts
