"""What auth-gateway publishes of grants for background work → notices. Pure."""

from datetime import datetime

from resapermis.iam.v1.events_pb2 import GrantEnded, GrantEnding
from resapermis_notification.domain import WARNING, Notice
from resapermis_notification.notices import vocabulary
from resapermis_notification.notices.phrases import instant, present, word

_WHY: dict[str, tuple[str, str]] = {
    "withdrawn": ("elle a été retirée", "it was withdrawn"),
    "run_out": ("sa durée est écoulée", "its time is over"),
    "refused": ("RdvPermis ne l'accepte plus", "RdvPermis no longer accepts it"),
    "lost": ("ce que ResaPermis en conservait n'est plus valable", "what ResaPermis kept of it is no longer valid"),
    "other_school": (
        "la personne qui l'avait donnée travaille pour une autre école",
        "the person who gave it works for another school",
    ),
    "other_provider": (
        "ResaPermis se connecte désormais à RdvPermis par un autre service",
        "ResaPermis now signs in to RdvPermis through another provider",
    ),
    "no_right": ("la personne qui l'avait donnée n'en a plus le droit", "the person who gave it may no longer do so"),
}
_BY_THEMSELVES = {"withdrawn", "other_school"}
"""Ends that whoever gave it brought about, and knows of."""


def grant_ended(event: GrantEnded) -> Notice | None:
    """A school's last grant ended: its managers are told what waits. While others stand, who gave it is told alone."""
    if event.left > 0 and (event.reason in _BY_THEMSELVES or not word(event.account_id)):
        return None
    why = _WHY.get(event.reason)
    why_fr, why_en = (f" : {why[0]}", f": {why[1]}") if why else ("", "")
    facts = present({"reason": word(event.reason)})
    if event.left > 0:
        return Notice(
            kind="grant.ended",
            level=WARNING,
            topic="grant",
            school_id=event.school_id,
            text_fr=f"Votre autorisation de travail en arrière-plan a pris fin{why_fr}. "
            "Le travail continue avec celle d'une autre personne de votre école.",
            text_en=f"Your grant for background work has ended{why_en}. The work goes on with a colleague's grant.",
            facts=facts,
            object_id=word(event.grant_id),
            account_id=word(event.account_id),
        )
    return Notice(
        kind="grant.none_left",
        level=WARNING,
        topic="grant",
        school_id=event.school_id,
        text_fr=f"La dernière autorisation de travail en arrière-plan de votre école a pris fin{why_fr}. "
        "Tant que personne n'est connecté, la comparaison avec RdvPermis, les résultats, les mandats et les recherches "
        "gardées restent en attente. Donnez-en une dans « Mon compte ».",
        text_en=f"Your school's last grant for background work has ended{why_en}. "
        "While nobody is signed in, the comparison with RdvPermis, results, mandates and saved searches wait. "
        "Give one in “My account”.",
        facts=facts,
        object_id=word(event.grant_id),
        mail_school=True,
        managers_only=True,
    )


def grant_ending(event: GrantEnding) -> Notice | None:
    """A reminder to who gave it, in time to give it anew."""
    account = word(event.account_id)
    ends_at = instant(event, "ends_at")
    if not account or not ends_at:
        return None
    at = datetime.fromisoformat(ends_at)
    day_fr, day_en = (of(at, vocabulary.PARIS_ZONE) for of in (vocabulary.day_fr, vocabulary.day_en))
    return Notice(
        kind="grant.ending",
        level=WARNING,
        topic="grant",
        school_id=event.school_id,
        text_fr=f"Votre autorisation de travail en arrière-plan prend fin le {day_fr}. "
        "Renouvelez-la dans « Mon compte » pour que le travail continue.",
        text_en=f"Your grant for background work ends on {day_en}. Renew it in “My account” so that the work goes on.",
        facts={"ends_at": ends_at},
        object_id=word(event.grant_id),
        account_id=account,
    )
