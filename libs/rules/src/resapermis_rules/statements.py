"""The rules that more than one service states, each once: id, source, decision and remedy, on plain values.

scheduling-rules judges by them what it was asked about; basket where scheduling-rules was not asked, knows no slot, or
basket's own database refused. Where the two look at different things, they pass the facts to show.
"""

from collections.abc import Mapping
from datetime import datetime

from resapermis_rules.verdict import Statement, Verdict

GROUP = Statement("R-GROUP", "RdvPermis charter 3.2, basket limits")
REPLACE = Statement("R-REPLACE", "RdvPermis API, nombre-de-remplacement")
PAST = Statement("R-PAST", "RdvPermis charter 3.2, past slots are frozen")
NAMED = Statement("R-NAMED", "RdvPermis charter 3.2: every booking is nominative")
MANDATE = Statement("R-MANDATE", "RdvPermis charter 3.1, mandates")
ONE_ACTIVE = Statement(
    "R-ONE-ACTIVE", "RdvPermis: one upcoming booking a candidate and category (CANDIDAT_DEJA_INSCRIT)"
)
AVAILABLE = Statement(
    "R-AVAILABLE",
    "RdvPermis charter 3.2, availability; parameters exam_minutes, available_margin_minutes, travel_kmh, travel_detour",
)
TRAINER_OR_VEHICLE = "trainer_or_vehicle"
"""Whose conflict it is where only the database knows that there is one."""
_REMEDIES_OF_CONFLICTS: Mapping[str, str] = {
    "candidate": "choose_another_slot",
    "trainer": "choose_another_trainer",
    "vehicle": "choose_another_vehicle",
    "school": "choose_another_slot",
    TRAINER_OR_VEHICLE: "choose_another_trainer_or_vehicle",
}


def group(asked: int, limit: int) -> Verdict:
    """R-GROUP: one booking action, hold or validation, takes at least one slot and at most `limit`.

    Source: RdvPermis charter 3.2, basket limits: never more than four. Parameter `group` may lower it.
    """
    facts = {"asked": str(asked), "limit": str(limit)}
    return GROUP.judges(facts, allowed=1 <= asked <= limit, remedy="ask_fewer")


def replacements(lines: int, left: int | None, per_month: int) -> Verdict:
    """R-REPLACE: candidates of `lines` bookings are replaced while so many replacements are left this month.

    Source: RdvPermis API, nombre-de-remplacement (remplacementsRestants, remplacementsParMois). None left unknown: where
    RdvPermis was not asked, it decides at the act.
    """
    facts = {"perMonth": str(per_month), "left": "unknown" if left is None else str(left)}
    return REPLACE.judges(facts, allowed=left is None or lines <= left, remedy="cancel_or_swap")


def past(starts_at: datetime, now: datetime, *, booked: bool, facts: Mapping[str, str]) -> Verdict:
    """R-PAST: a slot that has begun may be neither held, replanned, replaced nor cancelled. `booked`: the school has it booked.

    Source: RdvPermis charter 3.2, restrictions on past slots. Not even RdvPermis' estModifiable reopens one.
    """
    return PAST.judges(facts, allowed=now < starts_at, remedy="see_bookings" if booked else "choose_another_slot")


def named(*, named: bool, needed: bool, other_lines: int, facts: Mapping[str, str]) -> Verdict:
    """R-NAMED: once it is `needed`, a line names its candidate; at any time a candidate stands on no `other_lines`.

    Source: RdvPermis charter 3.2: every booking is nominative. A hold may be unnamed. basket's constraint
    basket_line_nominative_check enforces it too.
    """
    missing = needed and not named
    remedy = "name_candidate" if missing else "choose_another_candidate"
    return NAMED.judges(facts, allowed=not missing and other_lines == 0, remedy=remedy)


def mandate(*, active: bool) -> Verdict:
    """R-MANDATE: the school has an active mandate of the candidate for the slot's category.

    Source: RdvPermis charter 3.1, mandates.
    """
    return MANDATE.judges({"active": str(active).lower()}, allowed=active, remedy="ask_mandate")


def one_active(*, busy: bool, facts: Mapping[str, str]) -> Verdict:
    """R-ONE-ACTIVE: a candidate has one upcoming booking of a category. `busy`: another live line or booking names them.

    Source: RdvPermis, CANDIDAT_DEJA_INSCRIT.
    """
    return ONE_ACTIVE.judges(facts, allowed=not busy, remedy="choose_another_candidate")


def available(whose: str | None, facts: Mapping[str, str]) -> Verdict:
    """R-AVAILABLE: candidate, trainer, vehicle and school are at one place at a time.

    `whose`: who or what is not free (candidate, trainer, vehicle, school, `TRAINER_OR_VEHICLE`), of several the one to
    mend first; None while all are.
    Source: RdvPermis charter 3.2, availability; how much time lies between two exams is the parameters'.
    """
    return AVAILABLE.judges(facts, allowed=whose is None, remedy="" if whose is None else _REMEDIES_OF_CONFLICTS[whose])
