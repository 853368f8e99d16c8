"""The sentence for a rule that refused, in French and English: the `detail` of a problem that a rule made.

The web makes richer ones from the same verdicts; this is what other clients and logs of schools read.
"""

from collections.abc import Iterable
from datetime import UTC
from zoneinfo import ZoneInfo

from resapermis.scheduling.v1.scheduling_pb2 import Need
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_auth_gateway.web.texts.sentences import Language

PARIS = ZoneInfo("Europe/Paris")

SENTENCES: dict[str, tuple[str, str]] = {
    "R-GROUP": (
        "Au plus {limit} créneaux par demande : vous en demandez {asked}.",
        "At most {limit} slots a request: you ask for {asked}.",
    ),
    "R-BASKET": (
        "Panier plein ({limit}). Validez ou rendez un créneau.",
        "Basket full ({limit}). Validate or give back a slot.",
    ),
    "R-MANDATE": ("Pas de mandat actif. Demandez-le au candidat.", "No active mandate. Ask the candidate for it."),
    "R-TERRITORY": (
        "Réservé aux écoles du département du centre.",
        "Reserved for schools of the centre's department.",
    ),
    "R-THRESHOLD": (
        "Seuil du mois atteint : {taken} sur {limit}.",
        "This month's threshold is reached: {taken} of {limit}.",
    ),
    "R-API-PACE": ("Plafond du moment atteint.", "The cap of the moment is reached."),
    "R-HOLD-TTL": (
        "Le délai du panier est écoulé : les créneaux sont rendus.",
        "The basket's time is over, the slots are given back.",
    ),
    "R-NAMED": (
        "Chaque ligne doit porter un candidat, et un candidat ne peut figurer que sur une ligne.",
        "Each line names its candidate, and a candidate has one line only.",
    ),
    "R-REPLACE": ("Plus de remplacement ce mois-ci.", "No replacement is left this month."),
    "R-PAST": ("L'examen a déjà commencé, ou il est passé.", "The exam has begun or is past."),
    "R-NOTICE": ("L'examen est trop proche.", "The exam is too close."),
    "R-PENALTY": ("Ce candidat ne peut pas réserver pour le moment.", "This candidate may not book for now."),
    "R-ONE-ACTIVE": (
        "Ce candidat a déjà un examen à venir pour ce permis.",
        "This candidate already has a coming exam for this licence.",
    ),
    "R-AVAILABLE": (
        "Une personne ou un véhicule n'est pas libre à cette heure.",
        "A person or vehicle is not free at that hour.",
    ),
    "R-CATEGORY": (
        "Le créneau et le mandat ne sont pas du même permis.",
        "Slot and mandate are not of the same licence.",
    ),
    "R-LICENSED": (
        "L'agrément de l'école ou du formateur n'est pas en vigueur.",
        "The school's or trainer's licence is not in force.",
    ),
    "R-RDVPERMIS": (
        "Selon RdvPermis, ce candidat ne peut pas prendre ce créneau.",
        "By RdvPermis' word, this candidate may not take this slot.",
    ),
    "R-PUBLISHED": (
        "Ce créneau n'est pas proposé en ce moment. Cherchez-en un autre.",
        "This slot is not on offer now. Look for another.",
    ),
}


RESTRICTIONS: dict[str, tuple[str, str]] = {
    "absence": ("absence à un examen", "absence from an exam"),
    "late_cancellation": ("annulation tardive", "late cancellation"),
    "failure": ("échec à un examen", "failed exam"),
    "passed": ("examen déjà obtenu", "exam already passed"),
    "result_pending": ("résultat attendu", "result awaited"),
    "ABSENCE": ("absence, selon RdvPermis", "absence, by RdvPermis' word"),
    "ANNULATION_TARDIVE": ("annulation tardive, selon RdvPermis", "late cancellation, by RdvPermis' word"),
    "ECHEC": ("échec, selon RdvPermis", "failure, by RdvPermis' word"),
}
"""Why a candidate may not be booked for a while: our words, and the motifs of RdvPermis that were seen."""
_ANY_RESTRICTION = ("pénalité, selon RdvPermis", "penalty, by RdvPermis' word")


def restriction_reason(word: str, language: Language) -> str:
    """A restriction's reason in words; a motif that we do not know is RdvPermis' own affair."""
    return RESTRICTIONS.get(word, _ANY_RESTRICTION)[language == "en"]


VARIANTS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "R-AVAILABLE": (
        "whose",
        {
            "candidate": ("Le candidat n'est pas libre à cette heure.", "The candidate is not free at that hour."),
            "trainer": ("Le formateur n'est pas libre à cette heure.", "The trainer is not free at that hour."),
            "vehicle": ("Le véhicule n'est pas libre à cette heure.", "The vehicle is not free at that hour."),
            "school": ("L'école n'est pas libre à cette heure.", "The school is not free at that hour."),
        },
    ),
    "R-CATEGORY": (
        "field",
        {
            "category": (
                "Créneau pour le permis {slot}, mandat pour {mandate}.",
                "A slot for licence {slot}, a mandate for {mandate}.",
            ),
            "kind": (
                "Le plateau doit être réussi avant la circulation.",
                "The plateau comes before the circulation test.",
            ),
            "vehicle": ("Ce véhicule n'est pas à votre école.", "This vehicle is not your school's."),
            "vehicle_category": (
                "Ce véhicule ne convient pas au permis {slot}.",
                "This vehicle is not for licence {slot}.",
            ),
            "gearbox": (
                "La boîte de vitesses de ce véhicule n'est pas celle du mandat.",
                "This vehicle's gearbox is not the mandate's.",
            ),
        },
    ),
    "R-THRESHOLD": (
        "limit",
        {
            "0": (
                "Seuil inconnu ou nul : déclarez vos formateurs et leurs heures.",
                "The threshold is unknown or nil: declare your trainers and their hours.",
            ),
        },
    ),
    "R-LICENSED": (
        "whose",
        {
            "school": (
                "L'agrément de l'école n'est pas en vigueur ce jour-là.",
                "The school's licence is not in force on that day.",
            ),
            "trainer": (
                "Ce formateur n'est pas autorisé ce jour-là.",
                "This trainer is not authorised on that day.",
            ),
        },
    ),
}
"""Which fact chooses among several sentences, and which: the first of its values that is known decides."""


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def rule_sentence(verdicts: Iterable[Verdict], language: Language) -> str | None:
    """Why the first rule that refused did, and when it opens; None when none did or none has a sentence."""
    against = next((verdict for verdict in verdicts if not verdict.allowed and verdict.rule in SENTENCES), None)
    return None if against is None else refusal_sentence(against, language)


def _texts(against: Verdict | Need) -> tuple[str, str]:
    fact, texts = VARIANTS.get(against.rule, ("", {}))
    values = against.facts.get(fact, "").split(",")
    return next((texts[word] for word in values if word in texts), SENTENCES[against.rule])


def refusal_sentence(against: Verdict | Need, language: Language) -> str | None:
    """Why a rule refuses, and when it opens; None for a rule without a sentence."""
    if against.rule not in SENTENCES:
        return None
    text = _texts(against)[language == "en"].format_map(_Facts(against.facts))
    if against.rule == "R-PENALTY" and "reason" in against.facts:
        text = f"{text[:-1]} ({restriction_reason(against.facts['reason'], language)})."
    if not against.HasField("opens_at"):
        return text
    at = against.opens_at.ToDatetime(UTC).astimezone(PARIS)
    hour = f"{at.hour} h {at:%M}" if at.minute else f"{at.hour} h"
    opens = (
        f"Possible from {at:%d/%m/%Y at %H:%M} (Paris time)."
        if language == "en"
        else f"Possible à partir du {at:%d/%m/%Y} à {hour} (heure de Paris)."
    )
    return f"{text} {opens}"
