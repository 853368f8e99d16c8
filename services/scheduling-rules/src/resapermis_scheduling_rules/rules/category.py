"""R-CATEGORY: slot, mandate, vehicle and kind of test fit each other."""

from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.rules.facts import LEAVES, UNNAMED

SOURCE = "RdvPermis charter 3.2: the slot fits the candidate's licence category"
CIRCULATION, PLATEAU = "CIRCULATION", "PLATEAU"
_REMEDIES = {
    "category": "choose_another_slot",
    "kind": "pass_plateau_first",
    "vehicle": "choose_another_vehicle",
    "vehicle_category": "choose_another_vehicle",
    "gearbox": "choose_another_vehicle",
}


def category(snapshot: EvaluationSnapshot) -> Verdict:
    """R-CATEGORY: category group, kind of test, vehicle category and gearbox fit; a refusal names the field.

    Source: RdvPermis charter 3.2 (CRENEAU_DE_GROUPE_DIFFERENT). Slots state no gearbox: the assigned vehicle's counts, where
    one is assigned. Where parameter `plateau` is 1, the circulation test comes after a passed plateau, unless RdvPermis
    itself states that the candidate may take this slot: it may have been passed elsewhere.
    """
    if snapshot.purpose is Purpose.CANCEL:
        return Verdict("R-CATEGORY", True, LEAVES | {"slot": snapshot.slot.category}, SOURCE)
    facts = {"slot": snapshot.slot.category, "kind": snapshot.slot.kind}
    facts |= UNNAMED if snapshot.candidate is None else {}
    if snapshot.candidate is not None:
        facts |= {"mandate": snapshot.candidate.mandate_category, "gearbox": snapshot.candidate.mandate_gearbox}
    if snapshot.parameters.plateau:
        facts["passedKinds"] = ",".join(sorted(snapshot.passed_kinds))
    vehicle = snapshot.situation.vehicle
    if snapshot.vehicle_id:
        facts["vehicle"] = "unknown" if vehicle is None else "known"
    if vehicle is not None:
        facts |= {"vehicleCategories": ",".join(vehicle.categories), "vehicleGearbox": vehicle.gearbox}
    wrong = [field for field, fits in _fields(snapshot).items() if not fits]
    if not wrong:
        return Verdict("R-CATEGORY", True, facts, SOURCE)
    facts |= {"field": wrong[0], "fields": ",".join(wrong)}
    return Verdict("R-CATEGORY", False, facts, SOURCE, remedy=_REMEDIES[wrong[0]])


def _fields(snapshot: EvaluationSnapshot) -> dict[str, bool]:
    """Whether each field fits, in the order in which a person would mend them."""
    candidate, vehicle, slot = snapshot.candidate, snapshot.situation.vehicle, snapshot.slot
    asked = candidate is not None
    after_plateau = asked and bool(snapshot.parameters.plateau) and slot.kind == CIRCULATION
    return {
        "category": candidate is None or slot.category == candidate.mandate_category,
        "kind": not after_plateau or PLATEAU in snapshot.passed_kinds or snapshot.rdvpermis_word is True,
        "vehicle": not snapshot.vehicle_id or vehicle is not None,
        "vehicle_category": vehicle is None or slot.category in vehicle.categories,
        "gearbox": vehicle is None or candidate is None or candidate.mandate_gearbox in {"", vehicle.gearbox},
    }
