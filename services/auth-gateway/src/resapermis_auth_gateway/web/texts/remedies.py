"""What a school can do about a refusal: stable words for programs, a sentence in French and English for people."""

from collections.abc import Iterable, Mapping

from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_auth_gateway.web.texts.sentences import Language

REMEDIES: Mapping[str, tuple[str, str]] = {
    "apply_for_licence": (
        "Le candidat doit d'abord déposer sa demande de permis.",
        "The candidate must first file the licence application.",
    ),
    "ask_fewer": ("Demandez moins de créneaux à la fois.", "Ask for fewer slots at once."),
    "ask_manager": ("Demandez-le à votre responsable.", "Ask your manager for it."),
    "ask_mandate": ("Demandez le mandat au candidat.", "Ask the candidate for the mandate."),
    "cancel_or_swap": (
        "Permutez avec une autre réservation, ou annulez.",
        "Swap with another booking, or cancel.",
    ),
    "check_candidate": (
        "Vérifiez le nom de naissance et chaque chiffre du NEPH.",
        "Check the birth name and each digit of the NEPH.",
    ),
    "check_email": ("Demandez au candidat sa propre adresse.", "Ask the candidate for their own address."),
    "check_employee": (
        "Votre responsable doit corriger votre compte chez RdvPermis.",
        "Your manager must correct your account at RdvPermis.",
    ),
    "choose_another_booking": ("Choisissez une autre réservation.", "Choose another booking."),
    "choose_another_candidate": ("Choisissez un autre candidat.", "Choose another candidate."),
    "choose_another_month": ("Cherchez un créneau d'un autre mois.", "Look for a slot in another month."),
    "choose_another_slot": ("Choisissez un autre créneau.", "Choose another slot."),
    "choose_another_trainer": ("Choisissez un autre formateur.", "Choose another trainer."),
    "choose_another_trainer_or_vehicle": (
        "Choisissez un autre formateur ou un autre véhicule.",
        "Choose another trainer or another vehicle.",
    ),
    "choose_another_vehicle": ("Choisissez un autre véhicule.", "Choose another vehicle."),
    "confirm_identity": (
        "Confirmez votre identité chez RdvPermis, puis recommencez.",
        "Confirm who you are at RdvPermis, then retry.",
    ),
    "declare_trainers": (
        "Votre responsable doit déclarer les formateurs chez RdvPermis.",
        "Your manager must declare the trainers at RdvPermis.",
    ),
    "give_mandate_back": (
        "Rendez d'abord le mandat, puis corrigez.",
        "Give the mandate back first, then correct.",
    ),
    "hold_again": ("Consultez le panier, puis retenez de nouveau.", "Read the basket again, then hold anew."),
    "name_candidate": ("Nommez un candidat sur cette ligne.", "Name a candidate on this line."),
    "pass_plateau_first": (
        "Le candidat doit d'abord réussir le plateau.",
        "The candidate must pass the plateau first.",
    ),
    "read_again": ("Actualisez, puis recommencez.", "Refresh, then try again."),
    "renew_licence": (
        "Votre responsable doit faire renouveler l'agrément, puis noter ici la nouvelle date.",
        "Your manager must have the licence renewed, then enter the new date here.",
    ),
    "search_again": ("Cherchez de nouveau : la liste a changé.", "Search again: the list has changed."),
    "see_basket": ("Consultez votre panier.", "See your basket."),
    "see_bookings": ("Consultez vos réservations.", "See your bookings."),
    "see_candidate": ("Consultez la fiche du candidat.", "See the candidate's page."),
    "see_mandate": (
        "Consultez la fiche du candidat : le mandat y figure.",
        "See the candidate's page: the mandate is there.",
    ),
    "see_rdvpermis": ("Vérifiez chez RdvPermis, ou signalez-le-nous.", "Check at RdvPermis, or report it to us."),
    "sign_in_again": ("Reconnectez-vous : votre travail est gardé.", "Sign in again: your work is kept."),
    "validate_or_release": ("Validez ou rendez un créneau.", "Validate or give back a slot."),
    "wait": ("Attendez l'heure indiquée.", "Wait until the time shown."),
    "wait_for_pace": ("Le plafond remonte au fil du mois.", "The cap rises through the month."),
    "wait_for_penalty": ("Attendez la fin de la pénalité.", "Wait for the end of the penalty."),
    "wait_for_result": ("Attendez le résultat de l'examen.", "Wait for the exam's result."),
}
OF_CODE: Mapping[str, str] = {
    "SLOT_TAKEN": "choose_another_slot",
    "CANDIDATE_BUSY": "choose_another_candidate",
    "QUOTA_EXHAUSTED": "choose_another_month",
    "BASKET_FULL": "validate_or_release",
    "HOLD_EXPIRED": "hold_again",
    "LINE_UNNAMED": "name_candidate",
    "NO_MANDATE": "ask_mandate",
    "STALE": "read_again",
    "ILLEGAL_TRANSITION": "read_again",
    "RECONNECT_NEEDED": "sign_in_again",
    "UNAUTHENTICATED": "sign_in_again",
    "STEP_UP_NEEDED": "confirm_identity",
    "ALL_OR_NOTHING_FAILED": "choose_another_slot",
    "NEPH_KNOWN": "see_candidate",
    "CANDIDATE_MANDATED": "give_mandate_back",
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
    "RDVPERMIS_EXAM_FIXED": "see_bookings",
    "RDVPERMIS_CHANGE_IMPOSSIBLE": "choose_another_booking",
    "RDVPERMIS_SCHOOL_SETUP": "declare_trainers",
    "RDVPERMIS_UNEXPECTED": "see_rdvpermis",
    "RDVPERMIS_DOWN": "wait",
    "RDVPERMIS_BUDGET": "wait",
    "FORBIDDEN": "ask_manager",
    "NOT_FOUND": "search_again",
}
"""What to do about a code that no rule explains."""


def remedy_of(code: str, verdicts: Iterable[Verdict] = ()) -> str | None:
    """What the first rule that refused advises, else what the code does; None where there is nothing to do."""
    of_rule = next((one.remedy for one in verdicts if not one.allowed and one.remedy), "")
    return of_rule or OF_CODE.get(code)


def remedy_sentence(word: str, language: Language) -> str | None:
    """A word of ours as a sentence; None for one of a newer service that we do not know."""
    found = REMEDIES.get(word)
    return found[language == "en"] if found else None
