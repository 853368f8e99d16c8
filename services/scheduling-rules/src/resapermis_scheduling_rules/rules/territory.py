"""Rules about where a school is licensed, and whether it is."""

from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.days import instant
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose

TERRITORY_SOURCE = "RdvPermis charter 3.2, territorial priority"
LICENSED_SOURCE = "Code de la route R213-1, school licence"


def territory(snapshot: EvaluationSnapshot) -> Verdict:
    """R-TERRITORY: until a slot opens to all, only schools licensed in its department take it.

    Source: RdvPermis charter 3.2. Parameter `territory_hours` after publication, effective-dated. A booking that is changed
    was taken already.
    """
    opens = snapshot.slot.opens_to_all_at(snapshot.parameters)
    facts = {
        "slotDepartment": snapshot.slot.department,
        "schoolDepartment": snapshot.school.department,
        "opensToAllAt": instant(opens),
    }
    allowed = snapshot.school.department == snapshot.slot.department or snapshot.now >= opens
    if allowed or snapshot.purpose.changes:
        return Verdict("R-TERRITORY", True, facts, TERRITORY_SOURCE)
    return Verdict("R-TERRITORY", False, facts, TERRITORY_SOURCE, opens_at=opens, remedy="wait")


def licensed(snapshot: EvaluationSnapshot) -> Verdict:
    """R-LICENSED: the school's licence is in force, and the accompanying trainer's authorisation at the exam.

    Source: Code de la route R213-1 (school), R212-1 (trainer). Where no end is known, RdvPermis, which let the school sign in,
    and the school, which named the trainer, are believed. A trainer whom the school does not have active for this
    category on that day is refused. What is cancelled needs no licence.
    """
    until, trainer = snapshot.school.licensed_until, snapshot.situation.trainer
    facts = {"licensedUntil": "unknown" if until is None else instant(until)}
    if snapshot.trainer_id:
        facts["trainer"] = "unknown" if trainer is None else "known"
    if trainer is not None:
        ends = trainer.authorised_until
        facts["trainerAuthorisedUntil"] = "unknown" if ends is None else instant(ends)
    if snapshot.purpose is Purpose.CANCEL:
        return Verdict("R-LICENSED", True, facts, LICENSED_SOURCE)
    if until is not None and snapshot.now >= until:
        return Verdict("R-LICENSED", False, facts | {"whose": "school"}, LICENSED_SOURCE, remedy="renew_licence")
    if snapshot.trainer_id and not _may_accompany(snapshot):
        remedy = "choose_another_trainer"
        return Verdict("R-LICENSED", False, facts | {"whose": "trainer"}, LICENSED_SOURCE, remedy=remedy)
    return Verdict("R-LICENSED", True, facts, LICENSED_SOURCE)


def _may_accompany(snapshot: EvaluationSnapshot) -> bool:
    trainer = snapshot.situation.trainer
    if trainer is None:
        return False
    ends = trainer.authorised_until
    return ends is None or max(snapshot.now, snapshot.slot.starts_at) < ends
