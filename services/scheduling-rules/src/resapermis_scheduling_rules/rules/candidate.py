"""Rules about the candidate of a line."""

from resapermis_rules import statements
from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.rules.facts import LEAVES, UNNAMED


def named(snapshot: EvaluationSnapshot) -> Verdict:
    """R-NAMED: from validation on every line names its candidate; at any time a candidate stands on one line only.

    Source: RdvPermis charter 3.2. A hold may be unnamed.
    """
    is_named = snapshot.candidate is not None
    facts = {"named": str(is_named).lower(), "otherLinesOfCandidate": str(snapshot.namesakes)}
    return statements.named(named=is_named, needed=snapshot.purpose.names, other_lines=snapshot.namesakes, facts=facts)


def mandate(snapshot: EvaluationSnapshot) -> Verdict:
    """R-MANDATE: the school has an active mandate of the candidate, at hold, at validation and at every later change.

    Source: RdvPermis charter 3.1. An unnamed line has nobody to ask about; R-NAMED stops it at validation. A mandate that
    has ended keeps nobody in a booking: cancelling needs none.
    """
    if snapshot.candidate is None:
        return statements.MANDATE.allows(UNNAMED)
    stated = statements.mandate(active=snapshot.candidate.mandate_active)
    return statements.MANDATE.allows(stated.facts) if snapshot.purpose is Purpose.CANCEL else stated


def one_active(snapshot: EvaluationSnapshot) -> Verdict:
    """R-ONE-ACTIVE: a candidate has one upcoming booking of a category.

    Source: RdvPermis, CANDIDAT_DEJA_INSCRIT. Basket states whether another live line or booking exists; who leaves a
    booking may have any.
    """
    if snapshot.candidate is None:
        return statements.ONE_ACTIVE.allows(UNNAMED)
    if snapshot.purpose is Purpose.CANCEL:
        return statements.ONE_ACTIVE.allows(LEAVES)
    busy = snapshot.candidate.busy
    return statements.one_active(busy=busy, facts={"busy": str(busy).lower()})
