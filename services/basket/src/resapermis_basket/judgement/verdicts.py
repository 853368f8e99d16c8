"""Rules that basket itself states: where scheduling-rules was not asked, knows no slot, or the database refused."""

from collections.abc import Iterable
from datetime import datetime

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket.domain.line import Line

CHARTER_LIMITS = "RdvPermis charter 3.2, basket limits"
CHARTER = "RdvPermis charter 3.2"
MANDATES = "RdvPermis charter 3.1"
CONFLICTS = "RdvPermis charter 3.2, planning conflicts"
NOMINATIVE = "RdvPermis charter 3.2: every booking is nominative"


def group_limit(asked: int, limit: int) -> Verdict:
    """R-GROUP: one booking action takes at most `limit` slots.

    Source: RdvPermis charter 3.2.
    """
    facts = {"asked": str(asked), "limit": str(limit)}
    return Verdict(rule="R-GROUP", allowed=1 <= asked <= limit, facts=facts, source=CHARTER_LIMITS, remedy="ask_fewer")


def named(line: Line) -> Verdict:
    """R-NAMED: every line names its candidate before validation.

    Source: RdvPermis charter 3.2. The constraint basket_line_nominative_check enforces it too.
    """
    return Verdict(
        rule="R-NAMED",
        allowed=line.candidate_id is not None,
        facts={"line": str(line.id), "slot": line.slot.id},
        source=NOMINATIVE,
        remedy="name_candidate",
    )


def past(line: Line, now: datetime) -> Verdict:
    """R-PAST: a slot that has begun is frozen; nobody cancels, replaces or swaps it.

    Source: RdvPermis charter 3.2, restrictions on past slots.
    """
    starts_at = line.slot.starts_at
    facts = {"startsAt": starts_at.isoformat()}
    return Verdict(rule="R-PAST", allowed=now < starts_at, facts=facts, source=CHARTER)


def mandate(*, active: bool) -> Verdict:
    """R-MANDATE: the school has an active mandate of the candidate for the slot's category.

    Source: RdvPermis charter 3.1.
    """
    facts = {"active": str(active).lower()}
    return Verdict(
        rule="R-MANDATE", allowed=active, facts=facts, source=MANDATES, remedy="" if active else "ask_mandate"
    )


def one_active(*, busy: bool) -> Verdict:
    """R-ONE-ACTIVE: one upcoming booking a candidate and category.

    Source: RdvPermis charter 3.2.
    """
    remedy = "choose_another_candidate" if busy else ""
    return Verdict(rule="R-ONE-ACTIVE", allowed=not busy, source=CHARTER, remedy=remedy)


def replacements(allowance: rdv.GetReplacementsResponse) -> Verdict:
    """R-REPLACE: replacements this month stay within RdvPermis' allowance.

    Source: RdvPermis API, nombre-de-remplacement.
    """
    facts = {"left": str(allowance.left), "perMonth": str(allowance.per_month)}
    return Verdict(rule="R-REPLACE", allowed=allowance.left > 0, facts=facts, source=CHARTER)


def line_resources_busy() -> Verdict:
    """R-AVAILABLE: trainer and vehicle are at one place at a time; here by the database's own constraint.

    Source: RdvPermis charter 3.2.
    """
    return Verdict(
        rule="R-AVAILABLE",
        allowed=False,
        facts={"whose": "trainer_or_vehicle", "what": "booking"},
        source=CONFLICTS,
        remedy="choose_another_trainer_or_vehicle",
    )


def against(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those that refuse."""
    return [verdict for verdict in verdicts if not verdict.allowed]


def about(verdict: Verdict, **what: str) -> Verdict:
    """A copy that names what it is about ("slot", "line"), for a list that mixes several."""
    copy = Verdict()
    copy.CopyFrom(verdict)
    copy.facts.update(what)
    return copy
