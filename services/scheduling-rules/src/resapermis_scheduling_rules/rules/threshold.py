"""Rules about how many slots a school may take in a month."""

from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.days import month_start
from resapermis_scheduling_rules.domain.parameters import plain_number
from resapermis_scheduling_rules.domain.quota import pace_day, pace_opens_on, paced
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot

THRESHOLD_SOURCE = "RdvPermis charter 3.2, trainer threshold"
PACE_SOURCE = "DSR, 23 June 2023: API bookings below the web's, the share rising through the month"


def _facts(snapshot: EvaluationSnapshot, limit: int) -> dict[str, str]:
    quota = snapshot.quota
    facts = {
        "department": snapshot.slot.department,
        "month": snapshot.slot.month,
        "category": snapshot.slot.category,
        "taken": str(quota.counted),
        "asked": str(snapshot.added),
        "limit": str(limit),
    }
    if quota.rdvpermis_limit is not None:
        facts["rdvpermisLimit"] = str(quota.rdvpermis_limit)
    return facts


def threshold(snapshot: EvaluationSnapshot) -> Verdict:
    """R-THRESHOLD: booked, held and asked stay within floor(department rate × FTE), or RdvPermis' own figure if lower.

    Source: RdvPermis charter 3.2. Parameter `threshold_rate`, effective-dated. Counted by the month of the exam.
    """
    quota = snapshot.quota
    facts = _facts(snapshot, quota.limit) | {"rate": plain_number(quota.rate)}
    facts["fte"] = "unknown" if quota.fte is None else plain_number(quota.fte)
    within = quota.counted + snapshot.added <= quota.limit
    if quota.rdvpermis_says_reached and snapshot.added:
        within = False
        facts["rdvpermis"] = "SEUIL_ATTEINT"
    if within:
        return Verdict("R-THRESHOLD", True, facts, THRESHOLD_SOURCE)
    nobody_counted = not quota.fte and not quota.rdvpermis_limit
    remedy = "declare_trainers" if nobody_counted else "choose_another_month"
    return Verdict("R-THRESHOLD", False, facts, THRESHOLD_SOURCE, remedy=remedy)


def api_pace(snapshot: EvaluationSnapshot) -> Verdict:
    """R-API-PACE: by each day of the month only a share of the threshold may be taken through a program.

    Source: DSR, 23 June 2023. Parameters `pace_first_percent` on the 1st, evenly to all on `pace_full_day`; before the
    month begins, the share of its 1st. It opens at local midnight of the first day whose share suffices.
    """
    quota, slot = snapshot.quota, snapshot.slot
    day = pace_day(slot.month, slot.department, snapshot.now)
    limit = paced(quota.limit, day, snapshot.parameters)
    wanted = quota.counted + snapshot.added
    facts = _facts(snapshot, limit) | {"threshold": str(quota.limit)}
    if snapshot.added == 0 or wanted <= limit:
        return Verdict("R-API-PACE", True, facts, PACE_SOURCE)
    opens_on = pace_opens_on(quota.limit, wanted, snapshot.parameters)
    if opens_on is None:
        return Verdict("R-API-PACE", False, facts, PACE_SOURCE, remedy="choose_another_month")
    opens = month_start(slot.month, slot.department, opens_on)
    return Verdict("R-API-PACE", False, facts, PACE_SOURCE, opens_at=opens, remedy="wait")
