"""Rules about the candidate of a line."""

from resapermis_scheduling_rules.domain import Case, Purpose, Verdict

NAMED_SOURCE = "RdvPermis charter 3.2: every booking is nominative"
MANDATE_SOURCE = "RdvPermis charter 3.1, mandates"
CATEGORY_SOURCE = "RdvPermis charter 3.2: the slot fits the candidate's licence category"
ONE_ACTIVE_SOURCE = "RdvPermis: one upcoming booking a candidate and category (CANDIDAT_DEJA_INSCRIT)"
_UNNAMED = {"candidate": "unnamed"}


def named(case: Case) -> Verdict:
    """R-NAMED: at validation every line names its candidate; at any time a candidate stands on one line only.

    Source: RdvPermis charter 3.2. A hold may be unnamed.
    """
    missing = case.candidate is None and case.purpose is Purpose.VALIDATE
    facts = {"named": str(case.candidate is not None).lower(), "otherLinesOfCandidate": str(case.namesakes)}
    allowed = not missing and case.namesakes == 0
    remedy = "" if allowed else "name_candidate" if missing else "choose_another_candidate"
    return Verdict("R-NAMED", allowed, facts, NAMED_SOURCE, remedy=remedy)


def mandate(case: Case) -> Verdict:
    """R-MANDATE: the school has an active mandate of the candidate, at hold and again at validation.

    Source: RdvPermis charter 3.1. An unnamed line has nobody to ask about; R-NAMED stops it at validation.
    """
    if case.candidate is None:
        return Verdict("R-MANDATE", True, _UNNAMED, MANDATE_SOURCE)
    active = case.candidate.mandate_active
    facts = {"active": str(active).lower()}
    return Verdict("R-MANDATE", active, facts, MANDATE_SOURCE, remedy="" if active else "ask_mandate")


def category(case: Case) -> Verdict:
    """R-CATEGORY: the slot's category group is the mandate's.

    Source: RdvPermis charter 3.2 (CRENEAU_DE_GROUPE_DIFFERENT). Gearbox and kind of test are shown beside it; slots do
    not say a gearbox.
    """
    if case.candidate is None:
        return Verdict("R-CATEGORY", True, _UNNAMED | {"slot": case.slot.category}, CATEGORY_SOURCE)
    facts = {
        "field": "category",
        "slot": case.slot.category,
        "kind": case.slot.kind,
        "mandate": case.candidate.mandate_category,
        "gearbox": case.candidate.mandate_gearbox,
    }
    fits = case.slot.category == case.candidate.mandate_category
    return Verdict("R-CATEGORY", fits, facts, CATEGORY_SOURCE, remedy="" if fits else "choose_another_slot")


def one_active(case: Case) -> Verdict:
    """R-ONE-ACTIVE: a candidate has one upcoming booking of a category.

    Source: RdvPermis, CANDIDAT_DEJA_INSCRIT. Basket says whether another live line or booking exists.
    """
    if case.candidate is None:
        return Verdict("R-ONE-ACTIVE", True, _UNNAMED, ONE_ACTIVE_SOURCE)
    busy = case.candidate.busy
    facts = {"busy": str(busy).lower()}
    return Verdict(
        "R-ONE-ACTIVE", not busy, facts, ONE_ACTIVE_SOURCE, remedy="choose_another_candidate" if busy else ""
    )
