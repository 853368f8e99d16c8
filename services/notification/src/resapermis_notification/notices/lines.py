"""What basket and scheduling-rules publish of a line → notices. Pure."""

from resapermis.basket.v1.basket_pb2 import LineState, Result
from resapermis.basket.v1.events_pb2 import ComplianceDrifted, GroupExpiring, LineChanged, ResultFound
from resapermis.scheduling.v1.events_pb2 import ConflictFound
from resapermis_notification.domain import DANGER, INFO, SUCCESS, WARNING, Notice
from resapermis_notification.notices import vocabulary
from resapermis_notification.notices.phrases import (
    NoticeTemplate,
    centre_name,
    code,
    deadline,
    instant,
    present,
    slot_words,
    word,
)

LINES: dict[LineState.ValueType, NoticeTemplate | None] = {
    LineState.LINE_STATE_UNSPECIFIED: None,
    LineState.LINE_STATE_ASKING: None,
    LineState.LINE_STATE_RELEASED: None,
    LineState.LINE_STATE_CONFIRMING: None,
    LineState.LINE_STATE_HELD: NoticeTemplate(
        "basket.held", INFO, "basket", "Retenu : {x}. Validez avant {h}.", "Held: {x}. Validate before {h}."
    ),
    LineState.LINE_STATE_REFUSED: NoticeTemplate(
        "basket.refused", WARNING, "basket", "Pas retenu : {x}. {why}", "Not held: {x}. {why}"
    ),
    LineState.LINE_STATE_EXPIRED: NoticeTemplate(
        *("basket.expired", WARNING, "basket"),
        "Panier expiré, créneau rendu : {x}. Vos choix de candidats sont gardés.",
        "Basket expired, slot given back: {x}. Your choices of candidates are kept.",
    ),
    LineState.LINE_STATE_WITHDRAWN: NoticeTemplate(
        *("slot.withdrawn", WARNING, "basket"),
        "Créneau retiré par RdvPermis : {x}. Choisissez-en un autre.",
        "Slot withdrawn by RdvPermis: {x}. Choose another one.",
        mail_school=True,
    ),
    LineState.LINE_STATE_REJECTED: NoticeTemplate(
        "booking.rejected", DANGER, "basket", "Pas réservé : {x}. {why}", "Not booked: {x}. {why}"
    ),
    LineState.LINE_STATE_BOOKED: NoticeTemplate(
        *("booking.confirmed", SUCCESS, "booking"),
        "Réservé : {x}. Le candidat est prévenu.",
        "Booked: {x}. The candidate is told.",
        mail_school=True,
        mail_candidate=True,
    ),
    LineState.LINE_STATE_CANCELLED: NoticeTemplate(
        *("booking.cancelled", WARNING, "booking"),
        "Annulé{by} : {x}. Le candidat est prévenu.",
        "Cancelled{by}: {x}. The candidate is told.",
        mail_school=True,
        mail_candidate=True,
    ),
    LineState.LINE_STATE_REPLACED: NoticeTemplate(
        *("booking.replaced", WARNING, "booking"),
        "Place donnée à un autre candidat{by} : {x}. Le candidat remplacé est prévenu.",
        "Place given to another candidate{by}: {x}. The candidate replaced is told.",
        mail_school=True,
        mail_candidate=True,
    ),
    LineState.LINE_STATE_SWAPPED: NoticeTemplate(
        *("booking.swapped", WARNING, "booking"),
        "Permuté{by} : {x}. Le candidat est prévenu.",
        "Swapped{by}: {x}. The candidate is told.",
        mail_school=True,
        mail_candidate=True,
    ),
    LineState.LINE_STATE_DONE: NoticeTemplate(
        *("booking.done", INFO, "booking"),
        "Examen passé : {x}. RdvPermis en publiera le résultat.",
        "Exam taken: {x}. RdvPermis will publish the result.",
    ),
}
_NOT_VALIDATED = NoticeTemplate(
    *("basket.not_validated", WARNING, "basket"),
    "Pas encore réservé : {x}. {why} Validez de nouveau avant {h}.",
    "Not booked yet: {x}. {why} Validate again before {h}.",
)
"""A line back from confirming to held."""
_BASKET_GONE = NoticeTemplate(
    *("basket.gone", WARNING, "basket"),
    "Votre panier a disparu chez RdvPermis, créneau rendu : {x}. Retenez-le de nouveau s'il est libre.",
    "Your basket is gone at RdvPermis, slot given back: {x}. Hold it again if it is free.",
    mail_school=True,
)
"""A hold that ended before its time, and whose slot nobody withdrew."""
_FOUND = NoticeTemplate(
    *("booking.found", INFO, "booking"),
    "Réservé{by}, hors de ResaPermis : {x}. Le candidat est prévenu.",
    "Booked{by}, without ResaPermis: {x}. The candidate is told.",
    mail_school=True,
    mail_candidate=True,
)
"""A booking that somebody made by hand at RdvPermis."""
BY = {"school": (" par votre école", " by your school"), "rdvpermis": (" chez RdvPermis", " at RdvPermis")}
OUTCOMES: dict[Result.Outcome.ValueType, tuple[str, str, str]] = {
    Result.OUTCOME_PASSED: (SUCCESS, "réussi", "passed"),
    Result.OUTCOME_FAILED: (INFO, "échoué", "failed"),
    Result.OUTCOME_ABSENT: (WARNING, "absence", "absent"),
}
_WHOSE = {
    "candidate": ("Le candidat n'est pas libre", "The candidate is not free"),
    "trainer": ("Le formateur n'est pas libre", "The trainer is not free"),
    "vehicle": ("Le véhicule n'est pas libre", "The vehicle is not free"),
    "school": ("L'école n'est pas libre", "The school is not free"),
}


def line_changed(event: LineChanged) -> Notice | None:
    """A line came into a state; None for what nobody needs to read (asking, given back, a change within a state)."""
    before = getattr(event, "from")
    if before == event.to:
        return None
    template = LINES.get(event.to)
    if template is None:
        return None
    if (before, event.to) == (LineState.LINE_STATE_CONFIRMING, LineState.LINE_STATE_HELD):
        template = _NOT_VALIDATED
    if event.to == LineState.LINE_STATE_EXPIRED and code(event.reason) == "RDVPERMIS_BASKET_GONE":
        template = _BASKET_GONE
    if event.found_elsewhere and event.to == LineState.LINE_STATE_BOOKED:
        template = _FOUND
    # Without an account nobody knows who, unless it was found done at RdvPermis.
    by = "rdvpermis" if event.found_elsewhere else "school" if event.account_id else ""
    by_fr, by_en = BY.get(by, ("", ""))
    facts = {
        "line_id": word(event.line_id),
        "group_id": word(event.group_id),
        "slot_id": word(event.slot_id),
        "starts_at": instant(event, "starts_at"),
        "ends_at": instant(event, "ends_at"),
        "time_zone": word(event.time_zone),
        "centre": centre_name(event.centre_name),
        "category": word(event.category),
        "department": word(event.department),
        "reason": code(event.reason),
        "expires_at": instant(event, "expires_at"),
        "by": by,
    }
    facts = present(facts)
    slot_fr, slot_en = slot_words(facts)
    why_fr, why_en = vocabulary.REASONS.get(facts.get("reason", ""), vocabulary.UNEXPECTED)
    until_fr, until_en = deadline(facts)
    return Notice(
        kind=template.kind,
        level=template.level,
        topic=template.topic,
        school_id=event.school_id,
        text_fr=template.fr.format(x=slot_fr, why=why_fr, h=until_fr, by=by_fr),
        text_en=template.en.format(x=slot_en, why=why_en, h=until_en, by=by_en),
        facts=facts,
        candidate_id=word(event.candidate_id),
        object_id=facts.get("line_id", ""),
        mail_school=template.mail_school,
        mail_candidate=template.mail_candidate and bool(word(event.candidate_id)),
    )


def group_expiring(event: GroupExpiring) -> Notice:
    """The notice that a basket expires soon, and when; for the school, by mail too."""
    facts = {"group_id": word(event.group_id), "expires_at": instant(event, "expires_at")}
    facts = present(facts)
    until_fr, until_en = deadline(facts)
    return Notice(
        kind="basket.expiring",
        level=WARNING,
        topic="basket",
        school_id=event.school_id,
        text_fr=f"Votre panier expire à {until_fr}. Validez ou rendez les créneaux.",
        text_en=f"Your basket expires at {until_en}. Validate or give the slots back.",
        facts=facts,
        object_id=facts.get("group_id", ""),
        mail_school=True,
    )


def result_found(event: ResultFound) -> Notice | None:
    """RdvPermis published how an exam went. The candidate's mail announces it without the result."""
    if event.result.outcome not in OUTCOMES:
        return None
    level, fr, en = OUTCOMES[event.result.outcome]
    facts = present(
        {
            "line_id": word(event.line_id),
            "category": word(event.category),
            "kind": word(event.kind),
            "department": word(event.department),
            "starts_at": instant(event, "starts_at"),
            "time_zone": word(event.time_zone),
            "centre": centre_name(event.centre_name),
            "outcome": Result.Outcome.Name(event.result.outcome).removeprefix("OUTCOME_").lower(),
            "points": str(event.result.points) if event.result.HasField("points") else "",
        }
    )
    slot_fr, slot_en = slot_words(facts)
    return Notice(
        kind="result.found",
        level=level,
        topic="booking",
        school_id=event.school_id,
        text_fr=f"Résultat publié : {fr}. {slot_fr[:1].upper()}{slot_fr[1:]}.",
        text_en=f"Result published: {en}. {slot_en[:1].upper()}{slot_en[1:]}.",
        facts=facts,
        candidate_id=word(event.candidate_id),
        object_id=facts.get("line_id", ""),
        mail_candidate=bool(word(event.candidate_id)),
    )


def conflict_found(event: ConflictFound) -> Notice:
    """Something declared unavailable meets a booking, which stays as it is."""
    facts = present(
        {
            "line_id": word(event.line_id),
            "slot_id": word(event.slot_id),
            "whose": event.whose if event.whose in _WHOSE else "",
            "starts_at": instant(event, "starts_at"),
            "time_zone": word(event.time_zone),
        }
    )
    slot_fr, slot_en = slot_words(facts)
    whose_fr, whose_en = _WHOSE.get(event.whose, ("Quelqu'un n'est pas libre", "Somebody is not free"))
    return Notice(
        kind="booking.conflict",
        level=WARNING,
        topic="booking",
        school_id=event.school_id,
        text_fr=f"{whose_fr} pour une réservation : {slot_fr}. Permutez, remplacez ou annulez.",
        text_en=f"{whose_en} for a booking: {slot_en}. Swap, replace or cancel.",
        facts=facts,
        candidate_id=word(event.candidate_id),
        object_id=facts.get("line_id", ""),
        mail_school=True,
        managers_only=True,
    )


def compliance_drifted(event: ComplianceDrifted) -> Notice:
    """The nightly check found a booking that the rules of its day do not allow."""
    rules = [rule for rule in map(word, event.rules) if rule]
    facts = present({"line_id": word(event.line_id), "rules": word("|".join(rules))})
    names = [vocabulary.RULES[rule] for rule in rules if rule in vocabulary.RULES]
    which_fr, which_en = (
        (f" : {', '.join(fr for fr, _ in names)}", f": {', '.join(en for _, en in names)}") if names else ("", "")
    )
    return Notice(
        kind="booking.drift",
        level=DANGER,
        topic="booking",
        school_id=event.school_id,
        text_fr=f"Une réservation ne respecte pas les règles en vigueur ce jour-là{which_fr}. Vérifiez-la, puis écrivez-nous.",
        text_en=f"A booking breaks the rules that were in force on its day{which_en}. Check it, then write to us.",
        facts=facts,
        object_id=facts.get("line_id", ""),
        mail_school=True,
        managers_only=True,
    )
