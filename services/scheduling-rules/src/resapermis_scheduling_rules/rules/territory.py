"""Rules about where a school is licensed, and whether it is."""

from resapermis_scheduling_rules.domain import Case, Verdict, instant

TERRITORY_SOURCE = "RdvPermis charter 3.2, territorial priority"
LICENSED_SOURCE = "Code de la route R213-1, school licence"


def territory(case: Case) -> Verdict:
    """R-TERRITORY: until a slot opens to all, only schools licensed in its department take it.

    Source: RdvPermis charter 3.2. Parameter `territory_hours` after publication, effective-dated.
    """
    opens = case.slot.opens_to_all_at(case.parameters)
    facts = {
        "slotDepartment": case.slot.department,
        "schoolDepartment": case.school.department,
        "opensToAllAt": instant(opens),
    }
    allowed = case.school.department == case.slot.department or case.now >= opens
    if allowed:
        return Verdict("R-TERRITORY", True, facts, TERRITORY_SOURCE)
    return Verdict("R-TERRITORY", False, facts, TERRITORY_SOURCE, opens_at=opens, remedy="wait")


def licensed(case: Case) -> Verdict:
    """R-LICENSED: a school whose licence has lapsed takes nothing new.

    Source: Code de la route R213-1. Where no end of the licence is known, RdvPermis, which let it sign in, is believed.
    """
    until = case.school.licensed_until
    if until is None:
        return Verdict("R-LICENSED", True, {"licensedUntil": "unknown"}, LICENSED_SOURCE)
    lapsed = case.now >= until
    return Verdict(
        "R-LICENSED",
        not lapsed,
        {"licensedUntil": instant(until)},
        LICENSED_SOURCE,
        remedy="renew_licence" if lapsed else "",
    )
