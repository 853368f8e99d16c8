"""Facts of other services → notices. Pure; a notice holds ids, dates, places and codes, never a person."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from resapermis.basket.v1.basket_pb2 import LineState
from resapermis.basket.v1.events_pb2 import GroupExpiring, LineChanged
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.mandate.v1.mandate_pb2 import MandateState
from resapermis.scheduling.v1.events_pb2 import ThresholdReached
from resapermis_notification import words

INFO, SUCCESS, WARNING, DANGER = "info", "success", "warning", "danger"
FACT_WORDS = frozenset(
    {"line_id", "group_id", "slot_id", "mandate_id", "starts_at", "ends_at", "time_zone", "centre", "category"}
    | {"department", "month", "reason", "rdvpermis_code", "expires_at", "by", "taken", "limit"}
)
"""Every key that a notice's facts may have."""
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,79}")
_WORD = re.compile(r"[\w.:/+=|~-]{1,100}")
LONGEST_PLACE = 120


@dataclass(frozen=True)
class Notice:
    """What a school is told, and whether by mail too."""

    kind: str
    level: str
    topic: str
    school_id: str
    text_fr: str
    text_en: str
    facts: dict[str, str] = field(default_factory=dict)
    candidate_id: str = ""
    object_id: str = ""
    mail_school: bool = False
    mail_candidate: bool = False


@dataclass(frozen=True)
class _Kind:
    """How a line's or mandate's state is told. {x} in a sentence: what it is about; {why}, {h}, {by}: said below."""

    word: str
    level: str
    topic: str
    fr: str
    en: str
    mail_school: bool = False
    mail_candidate: bool = False


_LINES: dict[LineState.ValueType, _Kind | None] = {
    LineState.LINE_STATE_UNSPECIFIED: None,
    LineState.LINE_STATE_ASKING: None,
    LineState.LINE_STATE_RELEASED: None,
    LineState.LINE_STATE_CONFIRMING: None,
    LineState.LINE_STATE_HELD: _Kind(
        "basket.held", INFO, "basket", "Retenu : {x}. Validez avant {h}.", "Held: {x}. Validate before {h}."
    ),
    LineState.LINE_STATE_REFUSED: _Kind(
        "basket.refused", WARNING, "basket", "Pas retenu : {x}. {why}", "Not held: {x}. {why}"
    ),
    LineState.LINE_STATE_EXPIRED: _Kind(
        *("basket.expired", WARNING, "basket"),
        "Panier expiré, créneau rendu : {x}. Vos choix de candidats sont gardés.",
        "Basket expired, slot given back: {x}. Your choices of candidates are kept.",
    ),
    LineState.LINE_STATE_WITHDRAWN: _Kind(
        *("slot.withdrawn", WARNING, "basket"),
        "Créneau retiré par RdvPermis : {x}. Choisissez-en un autre.",
        "Slot withdrawn by RdvPermis: {x}. Choose another one.",
        mail_school=True,
    ),
    LineState.LINE_STATE_REJECTED: _Kind(
        "booking.rejected", DANGER, "basket", "Pas réservé : {x}. {why}", "Not booked: {x}. {why}"
    ),
    LineState.LINE_STATE_BOOKED: _Kind(
        *("booking.confirmed", SUCCESS, "booking"),
        "Réservé : {x}. Le candidat est prévenu.",
        "Booked: {x}. The candidate is told.",
        mail_school=True,
        mail_candidate=True,
    ),
    LineState.LINE_STATE_CANCELLED: _Kind(
        *("booking.cancelled", WARNING, "booking"),
        "Annulé{by} : {x}. Le candidat est prévenu.",
        "Cancelled{by}: {x}. The candidate is told.",
        mail_school=True,
        mail_candidate=True,
    ),
    LineState.LINE_STATE_REPLACED: _Kind(
        *("booking.replaced", WARNING, "booking"),
        "Remplacé par un autre candidat{by} : {x}. Le candidat est prévenu.",
        "Replaced by another candidate{by}: {x}. The candidate is told.",
        mail_school=True,
        mail_candidate=True,
    ),
    LineState.LINE_STATE_SWAPPED: _Kind(
        *("booking.swapped", WARNING, "booking"),
        "Échangé{by} : {x}. Le candidat est prévenu.",
        "Swapped{by}: {x}. The candidate is told.",
        mail_school=True,
        mail_candidate=True,
    ),
    LineState.LINE_STATE_DONE: _Kind(
        *("booking.done", INFO, "booking"),
        "Examen passé : {x}. Le résultat vient de RdvPermis.",
        "Exam taken: {x}. The result comes from RdvPermis.",
    ),
}
_NOT_VALIDATED = _Kind(
    *("basket.not_validated", WARNING, "basket"),
    "Pas encore réservé : {x}. {why} Validez de nouveau avant {h}.",
    "Not booked yet: {x}. {why} Validate again before {h}.",
)
"""A line back from confirming to held."""
_MANDATES: dict[MandateState.ValueType, _Kind | None] = {
    MandateState.MANDATE_STATE_UNSPECIFIED: None,
    MandateState.MANDATE_STATE_DRAFT: None,
    MandateState.MANDATE_STATE_PENDING: _Kind(
        *("mandate.pending", INFO, "mandate"),
        "Mandat demandé{x}. Le candidat doit l'accepter chez RdvPermis.",
        "Mandate asked{x}. The candidate must accept it at RdvPermis.",
    ),
    MandateState.MANDATE_STATE_ACTIVE: _Kind(
        *("mandate.active", SUCCESS, "mandate"),
        "Mandat actif{x}. Vous pouvez réserver pour ce candidat.",
        "Mandate active{x}. You may book for this candidate.",
        mail_school=True,
        mail_candidate=True,
    ),
    MandateState.MANDATE_STATE_REFUSED: _Kind(
        "mandate.refused", DANGER, "mandate", "Mandat refusé{x}. {why}", "Mandate refused{x}. {why}", mail_school=True
    ),
    MandateState.MANDATE_STATE_CANCELLED: _Kind(
        *("mandate.cancelled", WARNING, "mandate"),
        "Demande de mandat annulée{x}. Vous pouvez la refaire.",
        "Mandate request cancelled{x}. You may ask again.",
        mail_school=True,
    ),
    MandateState.MANDATE_STATE_REVOKED: _Kind(
        *("mandate.revoked", WARNING, "mandate"),
        "Mandat terminé{x}. Vous ne pouvez plus réserver pour ce candidat.",
        "Mandate ended{x}. You may no longer book for this candidate.",
        mail_school=True,
        mail_candidate=True,
    ),
    MandateState.MANDATE_STATE_EXPIRED: _Kind(
        *("mandate.expired", WARNING, "mandate"),
        "Mandat expiré{x}. Demandez-le de nouveau au candidat.",
        "Mandate expired{x}. Ask the candidate again.",
        mail_school=True,
    ),
    MandateState.MANDATE_STATE_SUPERSEDED: _Kind(
        *("mandate.superseded", INFO, "mandate"),
        "Mandat remplacé par un plus récent{x}.",
        "Mandate superseded by a newer one{x}.",
        mail_school=True,
    ),
}
BY_SCHOOL = (" par votre école", " by your school")


def line_changed(event: LineChanged) -> Notice | None:
    """A line came into a state; None for what needs no telling (asking, given back, a change within a state)."""
    before = getattr(event, "from")
    if before == event.to:
        return None
    kind = _LINES.get(event.to)
    if kind is None:
        return None
    if (before, event.to) == (LineState.LINE_STATE_CONFIRMING, LineState.LINE_STATE_HELD):
        kind = _NOT_VALIDATED
    # Without an account nobody knows who: RdvPermis, or the school's own request whose answer was lost and then read.
    by = "school" if event.account_id else ""
    by_fr, by_en = BY_SCHOOL if by else ("", "")
    facts = {
        "line_id": _word(event.line_id),
        "group_id": _word(event.group_id),
        "slot_id": _word(event.slot_id),
        "starts_at": _instant(event, "starts_at"),
        "ends_at": _instant(event, "ends_at"),
        "time_zone": _word(event.time_zone),
        "centre": _place(event.centre_name),
        "category": _word(event.category),
        "department": _word(event.department),
        "reason": _code(event.reason),
        "expires_at": _instant(event, "expires_at"),
        "by": by,
    }
    facts = {key: value for key, value in facts.items() if value}
    slot_fr, slot_en = slot_words(facts)
    why_fr, why_en = words.REASONS.get(facts.get("reason", ""), words.UNEXPECTED)
    until_fr, until_en = _hours(facts)
    return Notice(
        kind=kind.word,
        level=kind.level,
        topic=kind.topic,
        school_id=event.school_id,
        text_fr=kind.fr.format(x=slot_fr, why=why_fr, h=until_fr, by=by_fr),
        text_en=kind.en.format(x=slot_en, why=why_en, h=until_en, by=by_en),
        facts=facts,
        candidate_id=_word(event.candidate_id),
        object_id=facts.get("line_id", ""),
        mail_school=kind.mail_school,
        mail_candidate=kind.mail_candidate and bool(_word(event.candidate_id)),
    )


def group_expiring(event: GroupExpiring) -> Notice:
    """A basket expires soon."""
    facts = {"group_id": _word(event.group_id), "expires_at": _instant(event, "expires_at")}
    facts = {key: value for key, value in facts.items() if value}
    until_fr, until_en = _hours(facts)
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


def mandate_changed(event: MandateChanged) -> Notice | None:
    """A mandate came into a state; None for a draft."""
    kind = _MANDATES.get(event.to)
    if kind is None or getattr(event, "from") == event.to:
        return None
    facts = {
        "mandate_id": _word(event.mandate_id),
        "category": _word(event.category),
        "rdvpermis_code": _code(event.rdvpermis_code),
    }
    facts = {key: value for key, value in facts.items() if value}
    code = words.MANDATE_REASONS.get(facts.get("rdvpermis_code", ""), "")
    why_fr, why_en = words.REASONS.get(code, words.UNEXPECTED)
    category = facts.get("category", "")
    return Notice(
        kind=kind.word,
        level=kind.level,
        topic=kind.topic,
        school_id=event.school_id,
        text_fr=kind.fr.format(x=f" (permis {category})" if category else "", why=why_fr),
        text_en=kind.en.format(x=f" (licence {category})" if category else "", why=why_en),
        facts=facts,
        candidate_id=_word(event.candidate_id),
        object_id=facts.get("mandate_id", ""),
        mail_school=kind.mail_school,
        mail_candidate=kind.mail_candidate and bool(_word(event.candidate_id)),
    )


def threshold_reached(event: ThresholdReached) -> Notice:
    """A school is near its threshold, or at it."""
    facts = {
        "department": _word(event.department),
        "month": _word(event.month),
        "category": _word(event.category),
        "taken": str(event.taken),
        "limit": str(event.limit),
    }
    month_fr, month_en = words.month(facts["month"])
    full = event.taken >= event.limit
    count = f"{event.taken} / {event.limit}"
    place_fr = f"permis {facts['category']}, département {facts['department']}"
    place_en = f"licence {facts['category']}, department {facts['department']}"
    return Notice(
        kind="threshold.reached" if full else "threshold.near",
        level=WARNING if full else INFO,
        topic="slot",
        school_id=event.school_id,
        text_fr=f"Seuil de {month_fr} {'atteint' if full else 'bientôt atteint'} : {count} ({place_fr}).",
        text_en=f"Threshold of {month_en} {'reached' if full else 'nearly reached'}: {count} ({place_en}).",
        facts={key: value for key, value in facts.items() if value},
    )


def slot_words(facts: dict[str, str]) -> tuple[str, str]:
    """What is public about a slot: "permis B, mercredi 9 décembre 2026 à 8 h 32, Rosny"; "un créneau" when unknown."""
    fr, en = [], []
    if "category" in facts:
        fr.append(f"permis {facts['category']}")
        en.append(f"licence {facts['category']}")
    where = words.zone(facts.get("time_zone", ""))
    if where is not None and "starts_at" in facts:
        at = datetime.fromisoformat(facts["starts_at"])
        fr.append(words.moment_fr(at, where))
        en.append(words.moment_en(at, where))
    if "centre" in facts:
        fr.append(facts["centre"])
        en.append(facts["centre"])
    return ", ".join(fr) or "un créneau", ", ".join(en) or "a slot"


def _hours(facts: dict[str, str]) -> tuple[str, str]:
    """When it expires, at the centre where it is known, in Paris otherwise; the place is named."""
    if "expires_at" not in facts:
        return "l'échéance", "the deadline"
    name = facts.get("time_zone", "")
    where = words.zone(name) if name != "UTC" else None
    at = datetime.fromisoformat(facts["expires_at"])
    place = ("heure du centre", "the centre's time")
    if where is None or name == words.PARIS:
        where, place = words.PARIS_ZONE, ("heure de Paris", "Paris time")
    return f"{words.hour_fr(at, where)} ({place[0]})", f"{words.hour_en(at, where)} ({place[1]})"


def _instant(event: Any, name: str) -> str:
    stamp: Timestamp = getattr(event, name)
    if not event.HasField(name) or stamp.seconds <= 0:
        return ""  # a slot that no look ever brought has no time
    return stamp.ToDatetime(UTC).isoformat(timespec="seconds")


def _word(text: str) -> str:
    """An id or a short word; anything else is dropped, so that no sentence about a person passes as one."""
    return text if _WORD.fullmatch(text) else ""


def _code(text: str) -> str:
    return text if _CODE.fullmatch(text) else ""


def _place(text: str) -> str:
    """A centre's name on one line."""
    return " ".join(text.split())[:LONGEST_PLACE]
