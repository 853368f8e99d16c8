"""R-AVAILABLE: nobody is in two places at once."""

from resapermis_rules import statements
from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.days import instant
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose


def available(snapshot: EvaluationSnapshot) -> Verdict:
    """R-AVAILABLE: candidate, accompanying trainer, vehicle and school are free during the exam, margin and drive included.

    Source: RdvPermis charter 3.2. Declared unavailability and other bookings, as the school keeps them. Each conflict is
    stated: whose, what, when.
    """
    if snapshot.purpose is Purpose.CANCEL:
        return statements.AVAILABLE.allows({"conflicts": "0"})
    found = snapshot.situation.conflicts
    facts = {"conflicts": str(len(found))}
    if not found:
        return statements.available(None, facts)
    first = found[0]
    facts |= {
        "whose": ",".join(sorted({conflict.whose for conflict in found})),
        "what": first.what,
        "id": first.id,
        "startsAt": instant(first.starts_at),
        "endsAt": instant(first.ends_at),
        "travelMinutes": str(first.travel_minutes),
    }
    return statements.available(first.whose, facts)
