"""What mandate publishes → notices. Pure."""

from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.mandate.v1.mandate_pb2 import MandateState
from resapermis_notification.domain import DANGER, INFO, SUCCESS, WARNING, Notice
from resapermis_notification.notices import vocabulary
from resapermis_notification.notices.phrases import NoticeTemplate, code, present, word

MANDATES: dict[MandateState.ValueType, NoticeTemplate | None] = {
    MandateState.MANDATE_STATE_UNSPECIFIED: None,
    MandateState.MANDATE_STATE_DRAFT: None,
    MandateState.MANDATE_STATE_PENDING: NoticeTemplate(
        *("mandate.pending", INFO, "mandate"),
        "Mandat demandé{x}. Le candidat doit l'accepter chez RdvPermis.",
        "Mandate asked{x}. The candidate must accept it at RdvPermis.",
    ),
    MandateState.MANDATE_STATE_ACTIVE: NoticeTemplate(
        *("mandate.active", SUCCESS, "mandate"),
        "Mandat actif{x}. Vous pouvez réserver pour ce candidat.",
        "Mandate active{x}. You may book for this candidate.",
        mail_school=True,
        mail_candidate=True,
    ),
    MandateState.MANDATE_STATE_REFUSED: NoticeTemplate(
        "mandate.refused", DANGER, "mandate", "Mandat refusé{x}. {why}", "Mandate refused{x}. {why}", mail_school=True
    ),
    MandateState.MANDATE_STATE_CANCELLED: NoticeTemplate(
        *("mandate.cancelled", WARNING, "mandate"),
        "Demande de mandat annulée{x}. Vous pouvez la refaire.",
        "Mandate request cancelled{x}. You may ask again.",
        mail_school=True,
    ),
    MandateState.MANDATE_STATE_REVOKED: NoticeTemplate(
        *("mandate.revoked", WARNING, "mandate"),
        "Mandat terminé{x}. Vous ne pouvez plus réserver pour ce candidat.",
        "Mandate ended{x}. You may no longer book for this candidate.",
        mail_school=True,
        mail_candidate=True,
    ),
    MandateState.MANDATE_STATE_EXPIRED: NoticeTemplate(
        *("mandate.expired", WARNING, "mandate"),
        "Mandat expiré{x}. Demandez-le de nouveau au candidat.",
        "Mandate expired{x}. Ask the candidate again.",
        mail_school=True,
    ),
    MandateState.MANDATE_STATE_SUPERSEDED: NoticeTemplate(
        *("mandate.superseded", INFO, "mandate"),
        "Mandat remplacé par un plus récent{x}.",
        "Mandate superseded by a newer one{x}.",
        mail_school=True,
    ),
}


def mandate_changed(event: MandateChanged) -> Notice | None:
    """A mandate came into a state; None for a draft."""
    template = MANDATES.get(event.to)
    if template is None or getattr(event, "from") == event.to:
        return None
    facts = {
        "mandate_id": word(event.mandate_id),
        "category": word(event.category),
        "rdvpermis_code": code(event.rdvpermis_code),
    }
    facts = present(facts)
    reason = vocabulary.MANDATE_REASONS.get(facts.get("rdvpermis_code", ""), "")
    why_fr, why_en = vocabulary.REASONS.get(reason, vocabulary.UNEXPECTED)
    category = facts.get("category", "")
    return Notice(
        kind=template.kind,
        level=template.level,
        topic=template.topic,
        school_id=event.school_id,
        text_fr=template.fr.format(x=f" (permis {category})" if category else "", why=why_fr),
        text_en=template.en.format(x=f" (licence {category})" if category else "", why=why_en),
        facts=facts,
        candidate_id=word(event.candidate_id),
        object_id=facts.get("mandate_id", ""),
        mail_school=template.mail_school,
        mail_candidate=template.mail_candidate and bool(word(event.candidate_id)),
    )
