"""What auth-gateway publishes of people who are not RdvPermis employees → notices. Pure."""

from resapermis.iam.v1.events_pb2 import PersonInvited
from resapermis_notification.domain import INFO, INVITED, Notice
from resapermis_notification.notices.phrases import instant, present, word

_AS: dict[str, tuple[str, str]] = {
    "supervisor": ("superviseur", "supervisor"),
    "candidate": ("candidat", "candidate"),
    "dpo": ("délégué à la protection des données", "data protection officer"),
    "security_officer": ("responsable de la sécurité", "security officer"),
    "platform_admin": ("administrateur de la plateforme", "platform administrator"),
    "auditor": ("auditeur", "auditor"),
}


def person_invited(event: PersonInvited) -> Notice | None:
    """The invitation: as what, and how long its link lasts. Its reader gets it by mail alone."""
    account = word(event.account_id)
    if not (account and event.school_id):
        return None
    as_what = _AS.get(event.role)
    as_fr, as_en = (f" comme {as_what[0]}", f" as {as_what[1]}") if as_what else ("", "")
    return Notice(
        kind=INVITED,
        level=INFO,
        topic="person",
        school_id=event.school_id,
        text_fr=f"Vous recevez cette invitation à rejoindre ResaPermis{as_fr}. Le lien ci-dessous sert une seule fois, pendant 72 heures. "
        "Il vous fait créer une clé d'accès sur votre appareil : aucun mot de passe. "
        "Si vous n'attendiez pas cette invitation, ne l'ouvrez pas.",
        text_en=f"You are invited to join ResaPermis{as_en}. The link below works once, within 72 hours. "
        "It has you create a passkey on your device: no password. "
        "If you did not expect this invitation, do not open it.",
        facts=present({"ends_at": instant(event, "ends_at")}),
        object_id=word(event.invitation_id),
        account_id=account,
    )
