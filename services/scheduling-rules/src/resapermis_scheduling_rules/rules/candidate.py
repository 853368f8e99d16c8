"""Rules about the candidate of a line."""

from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose, Verdict

NAMED_SOURCE = "RdvPermis charter 3.2: every booking is nominative"
MANDATE_SOURCE = "RdvPermis charter 3.1, mandates"
ONE_ACTIVE_SOURCE = "RdvPermis: one upcoming booking a candidate and category (CANDIDAT_DEJA_INSCRIT)"
UNNAMED = {"candidate": "unnamed"}
LEAVES = {"candidate": "leaves"}


def named(snapshot: EvaluationSnapshot) -> Verdict:
    """R-NAMED: from validation on every line names its candidate; at any time a candidate stands on one line only.

    Source: RdvPermis charter 3.2. A hold may be unnamed.
    """
    missing = snapshot.candidate is None and snapshot.purpose.names
    facts = {"named": str(snapshot.candidate is not None).lower(), "otherLinesOfCandidate": str(snapshot.namesakes)}
    allowed = not missing and snapshot.namesakes == 0
    remedy = "" if allowed else "name_candidate" if missing else "choose_another_candidate"
    return Verdict("R-NAMED", allowed, facts, NAMED_SOURCE, remedy=remedy)


def mandate(snapshot: EvaluationSnapshot) -> Verdict:
    """R-MANDATE: the school has an active mandate of the candidate, at hold, at validation and at every later change.

    Source: RdvPermis charter 3.1. An unnamed line has nobody to ask about; R-NAMED stops it at validation. A mandate that
    has ended keeps nobody in a booking: cancelling needs none.
    """
    if snapshot.candidate is None:
        return Verdict("R-MANDATE", True, UNNAMED, MANDATE_SOURCE)
    active = snapshot.candidate.mandate_active
    facts = {"active": str(active).lower()}
    if active or snapshot.purpose is Purpose.CANCEL:
        return Verdict("R-MANDATE", True, facts, MANDATE_SOURCE)
    return Verdict("R-MANDATE", False, facts, MANDATE_SOURCE, remedy="ask_mandate")


def one_active(snapshot: EvaluationSnapshot) -> Verdict:
    """R-ONE-ACTIVE: a candidate has one upcoming booking of a category.

    Source: RdvPermis, CANDIDAT_DEJA_INSCRIT. Basket states whether another live line or booking exists; who leaves a
    booking may have any.
    """
    if snapshot.candidate is None:
        return Verdict("R-ONE-ACTIVE", True, UNNAMED, ONE_ACTIVE_SOURCE)
    if snapshot.purpose is Purpose.CANCEL:
        return Verdict("R-ONE-ACTIVE", True, LEAVES, ONE_ACTIVE_SOURCE)
    busy = snapshot.candidate.busy
    facts = {"busy": str(busy).lower()}
    return Verdict(
        "R-ONE-ACTIVE", not busy, facts, ONE_ACTIVE_SOURCE, remedy="choose_another_candidate" if busy else ""
    )
