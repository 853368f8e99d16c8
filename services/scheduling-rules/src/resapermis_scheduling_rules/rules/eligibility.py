"""R-RDVPERMIS: what RdvPermis itself states of a candidate and a slot wins."""

from collections.abc import Mapping

from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.days import instant
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.rules.facts import LEAVES, UNNAMED

SOURCE = "RdvPermis API, candidats/recherche: eligibilite"
SEE_RDVPERMIS = "see_rdvpermis"
REMEDIES: Mapping[str, str] = {
    "CANDIDAT_INCONNU": "check_candidate",
    "EMAIL_DEJA_ATTRIBUE": "check_email",
    "EMAIL_MANQUANT": "check_email",
    "CANDIDAT_SANS_DEMANDE_ACTIVE": "apply_for_licence",
    "CANDIDAT_DEJA_SOUS_MANDAT": "ask_mandate",
    "CANDIDAT_DEJA_SOUS_MON_MANDAT": "see_mandate",
    "CRENEAU_INCONNU": "search_again",
    "CRENEAU_NON_DISPONIBLE": "choose_another_slot",
    "CRENEAU_DEJA_RESERVE": "choose_another_slot",
    "CRENEAU_NON_RESERVABLE_SEUIL_ATTEINT": "choose_another_month",
    "CRENEAU_NON_RESERVABLE_PLAFOND_ATTEINT": "wait_for_pace",
    "CRENEAU_DE_GROUPE_DIFFERENT": "choose_another_slot",
    "CRENEAU_PAS_DANS_LE_PANIER": "hold_again",
    "PANIER_PLEIN": "validate_or_release",
    "PANIER_INCONNU": "hold_again",
    "ACTION_INTERDITE": SEE_RDVPERMIS,
    "EMPLOYE_AUTO_ECOLE_INEXISTANT": "check_employee",
    "EMPLOYE_N_APPARTIENT_PAS_A_AUTO_ECOLE": "check_employee",
    "AUTO_ECOLE_NA_AUCUNE_DECLARATION": "declare_trainers",
    "PARAMETRE_INVALIDE": SEE_RDVPERMIS,
    "CENTRE_INCONNU": "search_again",
    "CANDIDAT_DEJA_DANS_PANIER": "see_basket",
    "CANDIDAT_SOUS_PENALITE": "wait_for_penalty",
    "CANDIDAT_DEJA_INSCRIT": "choose_another_candidate",
    "CANDIDAT_PAS_SOUS_MANDAT": "ask_mandate",
    "CANDIDAT_EN_ATTENTE_DE_RESULTAT": "wait_for_result",
    "CANDIDAT_AYANT_DEJA_OBTENU_SON_EXAMEN": "choose_another_candidate",
    "EXAMEN_INCONNU": "see_bookings",
    "EXAMEN_DEJA_ANNULE": "see_bookings",
    "EXAMEN_NON_MODIFIABLE": SEE_RDVPERMIS,
    "EXAMEN_NON_NOMINATIF": "name_candidate",
    "PERMUTATION_IMPOSSIBLE": "choose_another_booking",
    "NOMBRE_DE_REMPLACEMENTS_AUTORISES_ATTEINT": "cancel_or_swap",
}
"""What to do about each refusal of RdvPermis, by its own word. One that nobody knows is shown as such."""
OURS: Mapping[str, str] = {
    "RDVPERMIS_CANDIDATE_UNKNOWN": "check_candidate",
    "RDVPERMIS_EMAIL": "check_email",
    "RDVPERMIS_NO_APPLICATION": "apply_for_licence",
    "RDVPERMIS_MANDATE_ELSEWHERE": "ask_mandate",
    "RDVPERMIS_MANDATE_ALREADY_OURS": "see_mandate",
    "RDVPERMIS_SLOT_GONE": "choose_another_slot",
    "RDVPERMIS_THRESHOLD": "choose_another_month",
    "RDVPERMIS_CAP": "wait_for_pace",
    "RDVPERMIS_OTHER_GROUP": "choose_another_slot",
    "RDVPERMIS_BASKET_FULL": "validate_or_release",
    "RDVPERMIS_BASKET_GONE": "hold_again",
    "RDVPERMIS_CANDIDATE_ALREADY": "choose_another_candidate",
    "RDVPERMIS_CANDIDATE_PENALTY": "wait_for_penalty",
    "RDVPERMIS_CANDIDATE_NO_MANDATE": "ask_mandate",
    "RDVPERMIS_CANDIDATE_RESULT": "wait_for_result",
    "RDVPERMIS_EXAM_FIXED": SEE_RDVPERMIS,
    "RDVPERMIS_CHANGE_IMPOSSIBLE": "choose_another_booking",
    "RDVPERMIS_SCHOOL_SETUP": "declare_trainers",
}
"""The same by our own closed list, for callers that pass that."""


def remedy_of(code: str) -> str:
    """Remedy for a refusal by RdvPermis' code, or by our own; `see_rdvpermis` for a code not listed."""
    return REMEDIES.get(code) or OURS.get(code.removeprefix("CODE_")) or SEE_RDVPERMIS


def eligibility(snapshot: EvaluationSnapshot) -> Verdict:
    """R-RDVPERMIS: when RdvPermis itself states that this candidate may not take the slot, nobody here knows better.

    Source: RdvPermis API, candidats/recherche. Believed for `eligibility_fresh_seconds`, effective-dated; where it was
    not asked, or too long ago, it decides nothing and RdvPermis does at the hold.
    """
    if snapshot.candidate is None:
        return Verdict("R-RDVPERMIS", True, UNNAMED, SOURCE)
    if snapshot.purpose is Purpose.CANCEL:
        return Verdict("R-RDVPERMIS", True, LEAVES, SOURCE)
    word, seen_at = snapshot.rdvpermis_word, snapshot.candidate.eligible_seen_at
    facts = {"eligible": "unknown" if word is None else str(word).lower()}
    if seen_at is not None:
        facts["seenAt"] = instant(seen_at)
    if word is not False:
        return Verdict("R-RDVPERMIS", True, facts, SOURCE)
    code = snapshot.candidate.eligibility_code
    return Verdict("R-RDVPERMIS", False, facts | {"code": code}, SOURCE, remedy=remedy_of(code))
