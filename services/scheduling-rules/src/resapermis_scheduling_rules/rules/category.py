"""R-CATEGORY: slot, mandate, vehicle and kind of test fit each other."""

from resapermis_scheduling_rules.domain.case import Case, Purpose, Verdict
from resapermis_scheduling_rules.rules.candidate import LEAVES, UNNAMED

SOURCE = "RdvPermis charter 3.2: the slot fits the candidate's licence category"
CIRCULATION, PLATEAU = "CIRCULATION", "PLATEAU"
_REMEDIES = {
    "category": "choose_another_slot",
    "kind": "pass_plateau_first",
    "vehicle": "choose_another_vehicle",
    "vehicle_category": "choose_another_vehicle",
    "gearbox": "choose_another_vehicle",
}


def category(case: Case) -> Verdict:
    """R-CATEGORY: category group, kind of test, vehicle category and gearbox fit; a refusal names the field.

    Source: RdvPermis charter 3.2 (CRENEAU_DE_GROUPE_DIFFERENT). Slots say no gearbox: the assigned vehicle's counts, where
    one is assigned. Where parameter `plateau` is 1, the circulation test comes after a passed plateau, unless RdvPermis
    itself says that the candidate may take this slot: it may have been passed elsewhere.
    """
    if case.purpose is Purpose.CANCEL:
        return Verdict("R-CATEGORY", True, LEAVES | {"slot": case.slot.category}, SOURCE)
    facts = {"slot": case.slot.category, "kind": case.slot.kind}
    facts |= UNNAMED if case.candidate is None else {}
    if case.candidate is not None:
        facts |= {"mandate": case.candidate.mandate_category, "gearbox": case.candidate.mandate_gearbox}
    if case.parameters.plateau:
        facts["passedKinds"] = ",".join(sorted(case.passed_kinds))
    vehicle = case.situation.vehicle
    if case.vehicle_id:
        facts["vehicle"] = "unknown" if vehicle is None else "known"
    if vehicle is not None:
        facts |= {"vehicleCategories": ",".join(vehicle.categories), "vehicleGearbox": vehicle.gearbox}
    wrong = [field for field, fits in _fields(case).items() if not fits]
    if not wrong:
        return Verdict("R-CATEGORY", True, facts, SOURCE)
    facts |= {"field": wrong[0], "fields": ",".join(wrong)}
    return Verdict("R-CATEGORY", False, facts, SOURCE, remedy=_REMEDIES[wrong[0]])


def _fields(case: Case) -> dict[str, bool]:
    """Whether each field fits, in the order in which a person would mend them."""
    candidate, vehicle, slot = case.candidate, case.situation.vehicle, case.slot
    asked = candidate is not None
    after_plateau = asked and bool(case.parameters.plateau) and slot.kind == CIRCULATION
    return {
        "category": candidate is None or slot.category == candidate.mandate_category,
        "kind": not after_plateau or PLATEAU in case.passed_kinds or case.rdvpermis_word is True,
        "vehicle": not case.vehicle_id or vehicle is not None,
        "vehicle_category": vehicle is None or slot.category in vehicle.categories,
        "gearbox": vehicle is None or candidate is None or candidate.mandate_gearbox in {"", vehicle.gearbox},
    }
