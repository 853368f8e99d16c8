"""R-PENALTY: after an absence, a late cancellation or a failure a candidate waits."""

from resapermis_places.days import day_start, local_day
from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.days import days_later, instant
from resapermis_scheduling_rules.domain.restrictions import Restriction, after_cancellation, next_possible
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.rules.facts import UNNAMED

SOURCE = "Sécurité routière: absence 40 d, late cancellation 30 d, failure by mark up to 35 d; force majeure lifts"


def penalty(snapshot: EvaluationSnapshot) -> Verdict:
    """R-PENALTY: a candidate who was absent, cancelled late or failed takes no new slot before the restriction ends.

    Source: Sécurité routière; parameters `absence_days`, `late_cancel_restriction_days`, `failure_…_days`, effective-dated. Restrictions that
    RdvPermis publishes count beside ours; its fresh word that the candidate may take this slot goes before all of them.
    For a cancellation it shows what would follow.
    """
    if snapshot.purpose is Purpose.CANCEL:
        return Verdict("R-PENALTY", True, _consequence(snapshot), SOURCE)
    if snapshot.candidate is None:
        return Verdict("R-PENALTY", True, UNNAMED, SOURCE)
    standing = [
        restriction for restriction in snapshot.restrictions if restriction.restricts(snapshot.slot.kind, snapshot.now)
    ]
    if not standing:
        return Verdict("R-PENALTY", True, {"restrictions": ""}, SOURCE)
    facts = {"restrictions": ",".join(restriction.reason for restriction in _in_order(standing))}
    if snapshot.rdvpermis_word is True:
        return Verdict("R-PENALTY", True, facts | {"rdvpermis": "eligible"}, SOURCE)
    longest = _in_order(standing)[0]
    facts |= {
        "reason": longest.reason,
        "since": instant(longest.since),
        "fromRdvpermis": str(longest.from_rdvpermis).lower(),
    }
    opens = next_possible(
        [restriction for restriction in snapshot.restrictions if restriction.kind in {"", snapshot.slot.kind}],
        snapshot.now,
    )
    if opens is None:
        return Verdict("R-PENALTY", False, facts, SOURCE, remedy="choose_another_candidate")
    return Verdict("R-PENALTY", False, facts | {"until": instant(opens)}, SOURCE, opens_at=opens, remedy="wait")


def _in_order(restrictions: list[Restriction]) -> list[Restriction]:
    """The longest first; restrictions for good before all."""
    return sorted(
        restrictions,
        key=lambda restriction: (
            restriction.until is not None,
            -(restriction.until or restriction.since).timestamp(),
            restriction.reason,
        ),
    )


def _consequence(snapshot: EvaluationSnapshot) -> dict[str, str]:
    """What a cancellation now would restrict, and until when it would not."""
    slot, department, parameters = snapshot.slot, snapshot.slot.department, snapshot.parameters
    restriction = after_cancellation(snapshot.now, slot.starts_at, department, parameters)
    first_late = days_later(slot.starts_at, -parameters.late_cancel_days, department)
    facts = {
        "late": str(restriction is not None).lower(),
        "freeUntil": instant(day_start(local_day(first_late, department), department)),
        "restrictedDays": str(parameters.late_cancel_restriction_days if restriction is not None else 0),
    }
    if restriction is not None and restriction.until is not None:
        facts["restrictedUntil"] = instant(restriction.until)
    return facts
