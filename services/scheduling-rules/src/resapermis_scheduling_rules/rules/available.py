"""R-AVAILABLE: nobody is in two places at once."""

from resapermis_scheduling_rules.domain.availability import Whose
from resapermis_scheduling_rules.domain.days import instant
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose, Verdict

SOURCE = (
    "RdvPermis charter 3.2, availability; parameters exam_minutes, available_margin_minutes, travel_kmh, travel_detour"
)
_REMEDIES = {
    Whose.CANDIDATE: "choose_another_slot",
    Whose.TRAINER: "choose_another_trainer",
    Whose.VEHICLE: "choose_another_vehicle",
    Whose.SCHOOL: "choose_another_slot",
}


def available(snapshot: EvaluationSnapshot) -> Verdict:
    """R-AVAILABLE: candidate, accompanying trainer, vehicle and school are free during the exam, margin and drive included.

    Source: RdvPermis charter 3.2. Declared unavailability and other bookings, as the school keeps them. Each conflict is
    stated: whose, what, when.
    """
    if snapshot.purpose is Purpose.CANCEL:
        return Verdict("R-AVAILABLE", True, {"conflicts": "0"}, SOURCE)
    found = snapshot.situation.conflicts
    facts = {"conflicts": str(len(found))}
    if not found:
        return Verdict("R-AVAILABLE", True, facts, SOURCE)
    first = found[0]
    facts |= {
        "whose": ",".join(sorted({conflict.whose for conflict in found})),
        "what": first.what,
        "id": first.id,
        "startsAt": instant(first.starts_at),
        "endsAt": instant(first.ends_at),
        "travelMinutes": str(first.travel_minutes),
    }
    return Verdict("R-AVAILABLE", False, facts, SOURCE, remedy=_REMEDIES[first.whose])
