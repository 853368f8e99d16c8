"""Days, hours, months and reasons, in French and English. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

PARIS = "Europe/Paris"
PARIS_ZONE = ZoneInfo(PARIS)
_DAYS_FR = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_DAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS_FR = (
    *("janvier", "février", "mars", "avril", "mai", "juin", "juillet"),
    *("août", "septembre", "octobre", "novembre", "décembre"),
)
_MONTHS_EN = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)

REASONS: dict[str, tuple[str, str]] = {
    "RULE_REFUSED": ("Une règle ne le permet pas.", "A rule does not allow it."),
    "SLOT_TAKEN": ("Ce créneau vient d'être pris.", "The slot has just been taken."),
    "CANDIDATE_BUSY": (
        "Ce candidat a déjà une réservation ou une ligne au panier.",
        "This candidate has a place or a line already.",
    ),
    "QUOTA_EXHAUSTED": ("Le seuil du mois est atteint.", "The month's threshold is reached."),
    "BASKET_FULL": (
        "Le panier est plein : validez ou rendez un créneau.",
        "The basket is full: validate or give back a slot.",
    ),
    "HOLD_EXPIRED": ("Le panier n'a pas été validé à temps.", "The basket was not validated in time."),
    "LINE_UNNAMED": ("Un candidat manque : nommez-le.", "A candidate is missing: name one."),
    "NO_MANDATE": (
        "Le mandat n'est pas actif : demandez-le au candidat.",
        "There is no active mandate: ask the candidate.",
    ),
    "ALL_OR_NOTHING_FAILED": (
        "Un autre créneau de la demande n'était plus libre.",
        "Another slot of the request was no longer free.",
    ),
    # What release 0.1.0 called it, in events that it published or left in its outbox.
    "TOGETHER_FAILED": (
        "Un autre créneau de la demande n'était plus libre.",
        "Another slot of the request was no longer free.",
    ),
    "RDVPERMIS_CANDIDATE_UNKNOWN": (
        "Vérifiez le nom de naissance et chaque chiffre du NEPH.",
        "Check the birth name and each digit of the NEPH.",
    ),
    "RDVPERMIS_EMAIL": (
        "Adresse manquante ou déjà prise : demandez la sienne au candidat.",
        "Address missing or in use: ask the candidate for theirs.",
    ),
    "RDVPERMIS_NO_APPLICATION": (
        "Le candidat doit d'abord déposer sa demande de permis.",
        "The candidate must first apply for the licence.",
    ),
    "RDVPERMIS_MANDATE_ELSEWHERE": (
        "Une autre école a ce mandat : seul le candidat peut en changer.",
        "Another school has this mandate: only the candidate can change it.",
    ),
    "RDVPERMIS_SLOT_GONE": ("RdvPermis a retiré ce créneau.", "RdvPermis withdrew the slot."),
    "RDVPERMIS_THRESHOLD": (
        "Selon RdvPermis, le seuil du mois est atteint.",
        "RdvPermis says the month's threshold is reached.",
    ),
    "RDVPERMIS_CAP": ("Le plafond du moment est atteint chez RdvPermis.", "RdvPermis' cap of the moment is reached."),
    "RDVPERMIS_OTHER_GROUP": (
        "Créneau et mandat ne sont pas du même permis.",
        "Slot and mandate are not of the same licence.",
    ),
    "RDVPERMIS_BASKET_FULL": ("Le panier est plein chez RdvPermis.", "The basket is full at RdvPermis."),
    "RDVPERMIS_BASKET_GONE": (
        "Ce créneau n'est plus dans votre panier chez RdvPermis.",
        "The slot is no longer in your basket at RdvPermis.",
    ),
    "RDVPERMIS_CANDIDATE_ALREADY": ("Ce candidat est déjà inscrit.", "This candidate is booked already."),
    "RDVPERMIS_CANDIDATE_PENALTY": (
        "Ce candidat ne peut pas réserver pour le moment.",
        "This candidate cannot book at the moment.",
    ),
    "RDVPERMIS_CANDIDATE_NO_MANDATE": (
        "RdvPermis n'a pas de mandat actif pour ce candidat : demandez-le-lui.",
        "RdvPermis sees no active mandate: ask the candidate.",
    ),
    "RDVPERMIS_CANDIDATE_RESULT": (
        "Résultat attendu, ou examen déjà obtenu.",
        "A result is awaited, or the exam is passed already.",
    ),
    "RDVPERMIS_SCHOOL_SETUP": (
        "C'est à votre responsable de le régler chez RdvPermis.",
        "Your manager must settle it at RdvPermis.",
    ),
    "RDVPERMIS_DOWN": ("RdvPermis ne répond pas : réessayez.", "RdvPermis does not answer: try again."),
    "RDVPERMIS_BUDGET": (
        "RdvPermis limite nos demandes pour l'instant : réessayez plus tard.",
        "RdvPermis limits our requests for now: try again later.",
    ),
}
"""Reason by our own code (errors.proto): what happened and, where there is something to do, what."""
UNEXPECTED = ("Refus inattendu, déjà signalé.", "Unexpected refusal, already reported.")
MANDATE_REASONS: dict[str, str] = {
    "CANDIDAT_INCONNU": "RDVPERMIS_CANDIDATE_UNKNOWN",
    "EMAIL_MANQUANT": "RDVPERMIS_EMAIL",
    "EMAIL_DEJA_ATTRIBUE": "RDVPERMIS_EMAIL",
    "CANDIDAT_SANS_DEMANDE_ACTIVE": "RDVPERMIS_NO_APPLICATION",
    "CANDIDAT_DEJA_SOUS_MANDAT": "RDVPERMIS_MANDATE_ELSEWHERE",
}
"""RdvPermis' words on a mandate, as the codes above."""


def zone(name: str) -> ZoneInfo | None:
    """The zone, or None where there is no such IANA name."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def day_fr(at: datetime, where: ZoneInfo) -> str:
    """A day on the calendar of `where`: "mercredi 9 décembre 2026"."""
    local = at.astimezone(where)
    day = "1er" if local.day == 1 else str(local.day)
    return f"{_DAYS_FR[local.weekday()]} {day} {_MONTHS_FR[local.month - 1]} {local.year}"


def day_en(at: datetime, where: ZoneInfo) -> str:
    """A day on the calendar of `where`: "Wednesday 9 December 2026"."""
    local = at.astimezone(where)
    return f"{_DAYS_EN[local.weekday()]} {local.day} {_MONTHS_EN[local.month - 1]} {local.year}"


def moment_fr(at: datetime, where: ZoneInfo) -> str:
    """A moment on the clock of `where`: "mercredi 9 décembre 2026 à 8 h 32"."""
    return f"{day_fr(at, where)} à {hour_fr(at, where)}"


def moment_en(at: datetime, where: ZoneInfo) -> str:
    """A moment on the clock of `where`: "Wednesday 9 December 2026 at 08:32"."""
    return f"{day_en(at, where)} at {hour_en(at, where)}"


def short_moment(at: datetime, where: ZoneInfo) -> str:
    """A moment on the clock of `where`, the same in both languages: "09/12/2026 08:32"."""
    return f"{at.astimezone(where):%d/%m/%Y %H:%M}"


def hour_fr(at: datetime, where: ZoneInfo) -> str:
    """An hour on the clock of `where`: "8 h 32", "15 h"."""
    local = at.astimezone(where)
    return f"{local.hour} h {local.minute:02}" if local.minute else f"{local.hour} h"


def hour_en(at: datetime, where: ZoneInfo) -> str:
    """An hour on the clock of `where`: "08:32"."""
    return f"{at.astimezone(where):%H:%M}"


def of_month_fr(name: str) -> str:
    """Join a month's French name as it is spoken: "de décembre 2026", "d'octobre 2026"."""
    return f"d'{name}" if name[:1] in "aeiouâéèêîô" else f"de {name}"


def month(text: str) -> tuple[str, str]:
    """("décembre 2026", "December 2026") of "2026-12"; what is no month stays as it is."""
    year, _, number = text.partition("-")
    if not (year.isdecimal() and number.isdecimal() and 1 <= int(number) <= 12):
        return text, text
    return f"{_MONTHS_FR[int(number) - 1]} {year}", f"{_MONTHS_EN[int(number) - 1]} {year}"


PARAMETERS: dict[str, tuple[str, str]] = {
    "territory_hours": ("heures réservées aux écoles du département", "hours kept for the department's schools"),
    "threshold_rate": ("créneaux par formateur et par mois", "slots a trainer and month"),
    "pace_first_percent": ("part du seuil ouverte le 1er du mois (%)", "share of the threshold open on the 1st (%)"),
    "pace_full_day": ("jour du mois où tout le seuil est ouvert", "day of the month when all is open"),
    "basket": ("créneaux par panier", "slots a basket"),
    "group": ("créneaux par action", "slots an action"),
    "hold_ttl_seconds": ("secondes d'une retenue", "seconds of a hold"),
    "notice_seconds": ("préavis avant l'examen (secondes)", "notice before the exam (seconds)"),
    "warn_percent": ("part du seuil qui avertit (%)", "share of the threshold that warns (%)"),
    "poll_stale_seconds": ("âge d'une lecture (secondes)", "age of a reading (seconds)"),
    "publication_minutes": (
        "heure de publication (minutes après minuit)",
        "hour of publication (minutes after midnight)",
    ),
    "publication_weekday": ("jour de publication", "day of publication"),
    "replacements": ("remplacements par mois", "replacements a month"),
    "plateau": ("plateau avant circulation", "plateau before circulation"),
    "eligibility_fresh_seconds": ("durée d'un avis de RdvPermis (secondes)", "life of RdvPermis' word (seconds)"),
    "absence_days": ("jours sans réservation après une absence", "days without booking after an absence"),
    "late_cancel_days": ("jours avant l'examen où annuler est tardif", "days before the exam when cancelling is late"),
    "late_cancel_restriction_days": (
        "jours sans réservation après une annulation tardive",
        "days without booking after a late cancellation",
    ),
    "pass_points": ("points pour réussir", "points to pass"),
    "failure_17_days": ("jours d'attente après un échec à 17 points", "days after a failure with 17 points"),
    "failure_14_days": ("jours d'attente après un échec à 14 points", "days after a failure with 14 points"),
    "failure_10_days": ("jours d'attente après un échec à 10 points", "days after a failure with 10 points"),
    "failure_5_days": ("jours d'attente après un échec à 5 points", "days after a failure with 5 points"),
    "failure_0_days": ("jours d'attente après un échec sous 5 points", "days after a failure below 5 points"),
    "result_hours": ("heures d'attente d'un résultat", "hours to await a result"),
    "exam_minutes": ("minutes d'un examen", "minutes of an exam"),
    "available_margin_minutes": ("minutes libres autour d'un examen", "free minutes around an exam"),
    "travel_kmh": ("vitesse de trajet (km/h)", "driving speed (km/h)"),
    "travel_detour": ("détour de trajet", "driving detour"),
}
PARAMETERS |= {  # as they were called before release 0.2: events of then keep the names
    "look_stale_seconds": PARAMETERS["poll_stale_seconds"],
    "late_cancel_bar_days": PARAMETERS["late_cancel_restriction_days"],
}
"""What the parameters of the rules are called."""


RULES: dict[str, tuple[str, str]] = {
    "R-TERRITORY": ("priorité du département", "the department's priority"),
    "R-THRESHOLD": ("seuil du mois", "the month's threshold"),
    "R-API-PACE": ("plafond du moment", "the cap of the moment"),
    "R-GROUP": ("taille d'une demande", "the size of a request"),
    "R-BASKET": ("taille du panier", "the size of the basket"),
    "R-NAMED": ("candidat nommé", "a named candidate"),
    "R-MANDATE": ("mandat", "the mandate"),
    "R-CATEGORY": ("permis", "the licence"),
    "R-ONE-ACTIVE": ("un seul examen à venir", "one coming exam at a time"),
    "R-PENALTY": ("pénalité", "a penalty"),
    "R-AVAILABLE": ("disponibilité", "who is free"),
    "R-LICENSED": ("agrément", "the licence to teach"),
    "R-NOTICE": ("délai avant l'examen", "the time before the exam"),
    "R-PAST": ("créneau passé", "a past slot"),
    "R-PUBLISHED": ("publication", "publication"),
    "R-HOLD-TTL": ("délai du panier", "the basket's time"),
    "R-REPLACE": ("remplacements", "replacements"),
    "R-RDVPERMIS": ("avis de RdvPermis", "RdvPermis' word"),
}
"""What the rules are called; one without a name here is not named."""
