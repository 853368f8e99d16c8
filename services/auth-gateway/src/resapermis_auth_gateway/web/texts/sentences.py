"""The sentence for each code, in French and English: what happened and what to do (web.md section 4)."""

from dataclasses import dataclass
from typing import Literal

Language = Literal["fr", "en"]


@dataclass(frozen=True)
class Sentence:
    """A title of two or three words, and a sentence."""

    title: str
    detail: str


_GONE_FR = "Ce créneau vient d'être pris ou retiré. Choisissez un autre créneau : les plus proches sont affichés."
_GONE_EN = "This slot has just been taken or withdrawn. Choose another one: the nearest are shown."
_PART_FR = "Une partie du service est indisponible. Réessayez dans un instant, rien n'est perdu."
_PART_EN = "Part of the service is unavailable. Try again in a moment; nothing is lost."

FRENCH: dict[str, tuple[str, str]] = {
    "UNSPECIFIED": (
        "Refus inattendu",
        "Refus inattendu, déjà signalé. Réessayez ; si cela dure, donnez-nous la référence.",
    ),
    "MALFORMED": ("Demande illisible", "Un champ n'a pas la bonne forme. Corrigez-le, puis renvoyez."),
    "NOT_FOUND": ("Introuvable", "Introuvable, ou pas à votre école. Vérifiez l'adresse ou revenez à la liste."),
    "PAYLOAD_TOO_LARGE": ("Demande trop grande", "La demande est trop grande. Envoyez-la en plusieurs fois."),
    "KEY_REUSED": (
        "Clé déjà utilisée",
        "Cette clé a déjà servi à une autre demande. Prenez une nouvelle clé pour chaque action.",
    ),
    "IN_PROGRESS": (
        "Demande en cours",
        "Cette demande est déjà en cours. Ne la refaites pas : le résultat viendra ici.",
    ),
    "STALE": ("Changé entre-temps", "Quelque chose a changé entre-temps. Actualisez, puis recommencez."),
    "UNAUTHENTICATED": ("Session terminée", "Votre session est terminée. Reconnectez-vous : votre travail est gardé."),
    "FORBIDDEN": ("Non autorisé", "Votre rôle ne le permet pas. Demandez-le à votre responsable."),
    "CSRF": (
        "Page trop ancienne",
        "La page est trop ancienne ou vient d'un autre site. Rechargez-la, puis recommencez.",
    ),
    "RECONNECT_NEEDED": ("Reconnexion demandée", "RdvPermis demande de vous reconnecter. Votre travail est gardé."),
    "STEP_UP_NEEDED": (
        "Confirmation demandée",
        "Cette action demande de confirmer votre identité. Reconnectez-vous, puis recommencez.",
    ),
    "SIGN_IN_FAILED": ("Connexion refusée", "La connexion n'a pas abouti. Recommencez depuis la page de connexion."),
    "SIGN_IN_INCOMPLETE": (
        "Compte incomplet",
        "RdvPermis ne transmet pas tout ce qu'il faut à votre sujet. Se reconnecter n'y changera rien : transmettez cette page à votre responsable.",
    ),
    "GRANT_OTHER_PERSON": (
        "Autre personne",
        "Une autre personne est connectée chez RdvPermis. Déconnectez-la là-bas, puis recommencez.",
    ),
    "GRANT_OTHER_SCHOOL": (
        "Autre auto-école",
        "RdvPermis vous rattache à une autre auto-école. Reconnectez-vous pour celle-ci.",
    ),
    "GRANT_NOT_OFFERED": (
        "Accès non proposé",
        "RdvPermis n'accorde pas d'accès durable. Transmettez cette page à votre responsable.",
    ),
    "RULE_REFUSED": (
        "Refusé par une règle",
        "Une règle ne le permet pas pour l'instant. Chaque règle indique pourquoi, et à partir de quand ce sera possible.",
    ),
    "SLOT_TAKEN": ("Créneau pris", _GONE_FR),
    "CANDIDATE_BUSY": (
        "Candidat déjà retenu",
        "Ce candidat est déjà sur une ligne ou réservé. Choisissez-en un autre.",
    ),
    "QUOTA_EXHAUSTED": ("Seuil atteint", "Le seuil du mois est atteint. Consultez « Seuils » pour la suite."),
    "BASKET_FULL": ("Panier plein", "Panier plein. Validez ou rendez un créneau."),
    "HOLD_EXPIRED": (
        "Panier expiré",
        "Panier expiré, créneaux rendus. Vos choix de candidats sont gardés : retenez d'autres créneaux.",
    ),
    "LINE_UNNAMED": ("Candidat manquant", "Une ligne n'a pas de candidat. Nommez-le, puis validez."),
    "ILLEGAL_TRANSITION": (
        "Plus possible",
        "L'état de cette ligne ne le permet plus. Actualisez, puis choisissez autre chose.",
    ),
    "NO_MANDATE": ("Pas de mandat", "Pas de mandat actif. Demandez-le au candidat."),
    "ALL_OR_NOTHING_FAILED": (
        "Pas tous libres",
        "Un créneau n'était plus libre : les autres ont été rendus, comme demandé. Choisissez-en d'autres.",
    ),
    "NEPH_KNOWN": (
        "NEPH déjà inscrit",
        "Un candidat de votre école a déjà ce NEPH. Consultez sa fiche, ou vérifiez chaque chiffre.",
    ),
    "CANDIDATE_MANDATED": (
        "Mandat en cours",
        "Un mandat vaut pour ce nom et ce NEPH. Rendez-le d'abord, puis corrigez et demandez-le de nouveau.",
    ),
    "RDVPERMIS_CANDIDATE_UNKNOWN": (
        "Candidat introuvable",
        "Candidat introuvable chez RdvPermis. Vérifiez le nom de naissance et chaque chiffre du NEPH.",
    ),
    "RDVPERMIS_EMAIL": ("Adresse à revoir", "Adresse manquante ou déjà prise. Demandez la sienne au candidat."),
    "RDVPERMIS_NO_APPLICATION": (
        "Pas de demande",
        "Pas de demande de permis en cours. Le candidat doit d'abord la déposer.",
    ),
    "RDVPERMIS_MANDATE_ELSEWHERE": (
        "Mandat d'une autre école",
        "Mandat tenu par une autre école. Seul le candidat peut en changer : demandez-le-lui.",
    ),
    "RDVPERMIS_MANDATE_ALREADY_OURS": (
        "Déjà fait",
        "C'est déjà fait : votre école a ce mandat. Consultez la fiche du candidat.",
    ),
    "RDVPERMIS_SLOT_GONE": ("Créneau pris", _GONE_FR),
    "RDVPERMIS_THRESHOLD": (
        "Seuil atteint",
        "Selon RdvPermis, le seuil du mois est atteint. Consultez « Seuils » pour la suite.",
    ),
    "RDVPERMIS_CAP": (
        "Plafond atteint",
        "Plafond du moment atteint chez RdvPermis. Il remonte au fil du mois : revenez plus tard.",
    ),
    "RDVPERMIS_OTHER_GROUP": (
        "Autre permis",
        "Créneau et mandat ne sont pas du même permis. Choisissez un candidat de ce permis.",
    ),
    "RDVPERMIS_BASKET_FULL": ("Panier plein", "Panier plein chez RdvPermis. Validez ou rendez un créneau."),
    "RDVPERMIS_BASKET_GONE": (
        "Hors du panier",
        "Ce créneau n'est plus dans votre panier chez RdvPermis, et il n'est pas réservé. S'il est encore libre, retenez-le de nouveau.",
    ),
    "RDVPERMIS_CANDIDATE_ALREADY": (
        "Déjà fait",
        "Ce candidat est déjà inscrit ou dans un panier. Consultez vos réservations.",
    ),
    "RDVPERMIS_CANDIDATE_PENALTY": (
        "Pénalité",
        "Ce candidat ne peut pas réserver pour le moment (pénalité). Choisissez-en un autre.",
    ),
    "RDVPERMIS_CANDIDATE_NO_MANDATE": (
        "Pas de mandat",
        "RdvPermis n'a pas de mandat actif pour ce candidat. Demandez-le-lui.",
    ),
    "RDVPERMIS_CANDIDATE_RESULT": (
        "Résultat attendu",
        "Résultat attendu, ou examen déjà obtenu. Choisissez un autre candidat.",
    ),
    "RDVPERMIS_EXAM_FIXED": (
        "Examen non modifiable",
        "Cet examen ne peut plus changer. Son état a été relu : consultez vos réservations.",
    ),
    "RDVPERMIS_CHANGE_IMPOSSIBLE": (
        "Changement impossible",
        "Changement impossible chez RdvPermis. Choisissez un autre candidat, ou annulez.",
    ),
    "RDVPERMIS_SCHOOL_SETUP": (
        "À régler chez RdvPermis",
        "RdvPermis ne l'autorise pas pour votre compte. Votre responsable doit le régler chez RdvPermis.",
    ),
    "RDVPERMIS_UNEXPECTED": (
        "Refus inattendu",
        "Refus inattendu de RdvPermis, déjà signalé. Donnez-nous la référence si cela dure.",
    ),
    "UNKNOWN_OUTCOME": (
        "En cours de confirmation",
        "En cours de confirmation auprès de RdvPermis. Ne refaites pas la demande : le résultat viendra ici.",
    ),
    "RDVPERMIS_DOWN": (
        "RdvPermis ne répond pas",
        "RdvPermis ne répond pas. Réessayez dans un instant, rien n'est perdu.",
    ),
    "RDVPERMIS_BUDGET": (
        "RdvPermis limite les demandes",
        "RdvPermis limite nos demandes pour l'instant. Réessayez à l'heure indiquée, rien n'est perdu.",
    ),
    "OVERLOADED": ("Trop de demandes", "Trop de demandes à la fois. Attendez un instant, puis recommencez."),
    "UNAVAILABLE": ("Service interrompu", _PART_FR),
    "DEADLINE": (
        "Trop lent",
        "La réponse a trop tardé. Actualisez avant de recommencer : rien n'est fait deux fois.",
    ),
    "INTERNAL": (
        "Erreur inattendue",
        "Erreur inattendue, déjà signalée. Réessayez ; si cela dure, donnez-nous la référence.",
    ),
}

ENGLISH: dict[str, tuple[str, str]] = {
    "UNSPECIFIED": (
        "Unexpected refusal",
        "Unexpected refusal, already reported. Try again; if it lasts, give us the reference.",
    ),
    "MALFORMED": ("Unreadable request", "A field has the wrong shape. Correct it, then send again."),
    "NOT_FOUND": ("Not found", "Not found, or not your school's. Check the address or go back to the list."),
    "PAYLOAD_TOO_LARGE": ("Request too large", "The request is too large. Send it in several parts."),
    "KEY_REUSED": ("Key already used", "This key was used for another request. Take a new key for each act."),
    "IN_PROGRESS": (
        "Request under way",
        "This request is already under way. Do not repeat it: the result will come here.",
    ),
    "STALE": ("Changed meanwhile", "Something changed meanwhile. Refresh, then try again."),
    "UNAUTHENTICATED": ("Session over", "Your session is over. Sign in again: your work is kept."),
    "FORBIDDEN": ("Not permitted", "Your role does not permit this. Ask your manager."),
    "CSRF": ("Page too old", "The page is too old or comes from another site. Reload it, then retry."),
    "RECONNECT_NEEDED": ("Sign in again", "RdvPermis asks you to sign in again. Your work is kept."),
    "STEP_UP_NEEDED": (
        "Confirmation needed",
        "This act needs you to confirm who you are. Sign in again, then retry.",
    ),
    "SIGN_IN_FAILED": ("Sign-in refused", "Signing in did not succeed. Start again from the sign-in page."),
    "SIGN_IN_INCOMPLETE": (
        "Account incomplete",
        "RdvPermis does not say all that is needed about you. Signing in again changes nothing: pass this page on to your manager.",
    ),
    "GRANT_OTHER_PERSON": (
        "Another person",
        "Another person is signed in at RdvPermis. Sign them out there, then try again.",
    ),
    "GRANT_OTHER_SCHOOL": (
        "Another school",
        "RdvPermis attaches you to another driving school. Sign in again for that one.",
    ),
    "GRANT_NOT_OFFERED": (
        "Access not offered",
        "RdvPermis grants no lasting access. Pass this page on to your manager.",
    ),
    "RULE_REFUSED": (
        "Refused by a rule",
        "A rule does not allow it for now. Each rule says why, and from when it will be possible.",
    ),
    "SLOT_TAKEN": ("Slot taken", _GONE_EN),
    "CANDIDATE_BUSY": ("Candidate busy", "This candidate is already on a line or booked. Choose another one."),
    "QUOTA_EXHAUSTED": ("Threshold reached", "The month's threshold is reached. See “Thresholds” for what comes next."),
    "BASKET_FULL": ("Basket full", "Basket full. Validate or give back a slot."),
    "HOLD_EXPIRED": (
        "Basket expired",
        "Basket expired, slots given back. Your choices of candidates are kept: hold slots again.",
    ),
    "LINE_UNNAMED": ("Candidate missing", "A line has no candidate. Name one, then validate."),
    "ILLEGAL_TRANSITION": (
        "No longer possible",
        "The state of this line no longer allows it. Refresh, then choose otherwise.",
    ),
    "NO_MANDATE": ("No mandate", "No active mandate. Ask the candidate for one."),
    "ALL_OR_NOTHING_FAILED": (
        "Not all together",
        "One slot was no longer free: the others were given back, as asked. Choose others.",
    ),
    "NEPH_KNOWN": (
        "NEPH known already",
        "A candidate of your school has this NEPH. See their page, or check each digit.",
    ),
    "CANDIDATE_MANDATED": (
        "Mandate under way",
        "A mandate stands for this name and NEPH. Give it back first, then correct and ask for it again.",
    ),
    "RDVPERMIS_CANDIDATE_UNKNOWN": (
        "Candidate unknown",
        "RdvPermis does not find this candidate. Check the birth name and each digit of the NEPH.",
    ),
    "RDVPERMIS_EMAIL": ("Check the address", "E-mail address missing or in use. Ask the candidate for theirs."),
    "RDVPERMIS_NO_APPLICATION": ("No application", "No active licence application. The candidate must file it first."),
    "RDVPERMIS_MANDATE_ELSEWHERE": (
        "Mandated elsewhere",
        "Another school holds the mandate. Only the candidate can change it: ask them.",
    ),
    "RDVPERMIS_MANDATE_ALREADY_OURS": (
        "Already done",
        "Already done: your school has this mandate. See the candidate's page.",
    ),
    "RDVPERMIS_SLOT_GONE": ("Slot gone", _GONE_EN),
    "RDVPERMIS_THRESHOLD": (
        "Threshold reached",
        "By RdvPermis' word, the month's threshold is reached. See “Thresholds”.",
    ),
    "RDVPERMIS_CAP": (
        "Cap reached",
        "RdvPermis' cap of the moment is reached. It rises through the month: come back later.",
    ),
    "RDVPERMIS_OTHER_GROUP": (
        "Other licence",
        "Slot and mandate are for different licences. Choose a candidate for this licence.",
    ),
    "RDVPERMIS_BASKET_FULL": ("Basket full", "Basket full at RdvPermis. Validate or give back a slot."),
    "RDVPERMIS_BASKET_GONE": (
        "No longer in basket",
        "This slot is no longer in your basket at RdvPermis, and it is not booked. If it is still free, hold it again.",
    ),
    "RDVPERMIS_CANDIDATE_ALREADY": (
        "Already done",
        "This candidate is already booked or in a basket. See your bookings.",
    ),
    "RDVPERMIS_CANDIDATE_PENALTY": ("Penalty", "This candidate cannot book for now (penalty). Choose another one."),
    "RDVPERMIS_CANDIDATE_NO_MANDATE": (
        "No mandate",
        "RdvPermis has no active mandate for this candidate. Ask them for one.",
    ),
    "RDVPERMIS_CANDIDATE_RESULT": (
        "Result pending",
        "Result pending, or exam already passed. Choose another candidate.",
    ),
    "RDVPERMIS_EXAM_FIXED": ("Exam fixed", "This exam can no longer change. It was read again: see your bookings."),
    "RDVPERMIS_CHANGE_IMPOSSIBLE": (
        "Change impossible",
        "RdvPermis cannot make this change. Choose another candidate, or cancel.",
    ),
    "RDVPERMIS_SCHOOL_SETUP": (
        "Settle at RdvPermis",
        "RdvPermis does not allow it to your account. Your manager must settle it there.",
    ),
    "RDVPERMIS_UNEXPECTED": (
        "Unexpected refusal",
        "Unexpected refusal by RdvPermis, already reported. Give us the reference if it lasts.",
    ),
    "UNKNOWN_OUTCOME": (
        "Being confirmed",
        "Being confirmed with RdvPermis. Do not ask again: the result will come here.",
    ),
    "RDVPERMIS_DOWN": (
        "RdvPermis does not answer",
        "RdvPermis does not answer. Try again in a moment; nothing is lost.",
    ),
    "RDVPERMIS_BUDGET": (
        "RdvPermis limits requests",
        "RdvPermis limits our requests for now. Try again at the time shown; nothing is lost.",
    ),
    "OVERLOADED": ("Too many requests", "Too many requests at once. Wait a moment, then retry."),
    "UNAVAILABLE": ("Service interrupted", _PART_EN),
    "DEADLINE": ("Too slow", "The answer took too long. Refresh before you try again; nothing is done twice."),
    "INTERNAL": (
        "Unexpected error",
        "Unexpected error, already reported. Try again; if it lasts, give us the reference.",
    ),
}

CATALOGUE: dict[Language, dict[str, Sentence]] = {
    "fr": {code: Sentence(*texts) for code, texts in FRENCH.items()},
    "en": {code: Sentence(*texts) for code, texts in ENGLISH.items()},
}


def sentence(code: str, language: Language) -> Sentence:
    """The sentence of a code ("SLOT_TAKEN"); one of a newer service that we do not know is unexpected."""
    return CATALOGUE[language].get(code) or CATALOGUE[language]["UNSPECIFIED"]


def language_of(accept_language: str) -> Language:
    """French unless English is preferred to it (RFC 9110 Accept-Language)."""
    weights = {"fr": 0.0, "en": 0.0}
    for part in accept_language[:500].split(","):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.partition("-")[0].lower()
        if primary in weights:
            weights[primary] = max(weights[primary], _quality(parameters))
    return "en" if weights["en"] > weights["fr"] else "fr"


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
