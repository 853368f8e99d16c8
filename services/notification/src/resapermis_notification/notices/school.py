"""What scheduling-rules publishes of a school, of a saved search, of the rules → notices. Pure."""

from datetime import UTC, datetime

from resapermis.scheduling.v1.events_pb2 import (
    AuthorisationEnding,
    RuleChanged,
    SearchMatched,
    ThresholdDiffers,
    ThresholdReached,
)
from resapermis_notification.domain import DANGER, EVERYBODY, INFO, WARNING, Notice
from resapermis_notification.notices import vocabulary
from resapermis_notification.notices.phrases import instant, present, word


def threshold_reached(event: ThresholdReached) -> Notice:
    """The notice that a school has taken 80 % or all of a month's threshold."""
    facts = {
        "department": word(event.department),
        "month": word(event.month),
        "category": word(event.category),
        "taken": str(event.taken),
        "limit": str(event.limit),
    }
    month_fr, month_en = vocabulary.month(facts["month"])
    full = event.taken >= event.limit
    place_fr = f"permis {facts['category']}, département {facts['department']}"
    place_en = f"licence {facts['category']}, department {facts['department']}"
    return Notice(
        kind="threshold.reached" if full else "threshold.near",
        level=WARNING if full else INFO,
        topic="slot",
        school_id=event.school_id,
        text_fr=f"Seuil {vocabulary.of_month_fr(month_fr)} {'atteint' if full else 'bientôt atteint'} : "
        f"{event.taken} sur {event.limit} ({place_fr}).",
        text_en=f"Threshold for {month_en} {'reached' if full else 'nearly reached'}: "
        f"{event.taken} of {event.limit} ({place_en}).",
        facts=present(facts),
    )


def threshold_differs(event: ThresholdDiffers) -> Notice:
    """Our figure and RdvPermis' own are not the same; the lower one blocks."""
    facts = {
        "department": word(event.department),
        "month": word(event.month),
        "category": word(event.category),
        "ours": str(event.ours),
        "theirs": str(event.theirs),
    }
    month_fr, month_en = vocabulary.month(facts["month"])
    return Notice(
        kind="threshold.differs",
        level=INFO,
        topic="slot",
        school_id=event.school_id,
        text_fr=f"Seuil {vocabulary.of_month_fr(month_fr)} : {event.ours} selon vos heures, {event.theirs} chez RdvPermis. "
        "Le plus bas des deux s'applique.",
        text_en=f"Threshold for {month_en}: {event.ours} by your hours, {event.theirs} at RdvPermis. "
        "The lower of the two applies.",
        facts=present(facts),
        managers_only=True,
    )


def rule_changed(event: RuleChanged) -> Notice:
    """A parameter of the rules changes: one notice for everybody, without mails."""
    facts = present(
        {
            "parameter": word(event.name),
            "old": word(event.old_value),
            "new": word(event.new_value),
            "department": word(event.department),
            "category": word(event.category),
            "valid_from": instant(event, "valid_from"),
        }
    )
    name_fr, name_en = vocabulary.PARAMETERS.get(facts.get("parameter", ""), ("une règle", "a rule"))
    since_fr, since_en = _moment(facts.get("valid_from", ""))
    for_fr, for_en = _narrowed(facts)
    change = f"{facts.get('old', '–')} → {facts.get('new', '–')}"
    return Notice(
        kind="rule.changed",
        level=INFO,
        topic="slot",
        school_id=EVERYBODY,
        text_fr=f"Règle modifiée{since_fr} : {name_fr}{for_fr}, {change.replace('.', ',')}.",
        text_en=f"Rule changed{since_en}: {name_en}{for_en}, {change}.",
        facts=facts,
        object_id=word(event.parameter_id),
    )


def _narrowed(facts: dict[str, str]) -> tuple[str, str]:
    """For which licence and department, where not for all."""
    fr, en = "", ""
    if "category" in facts:
        fr, en = f", permis {facts['category']}", f", licence {facts['category']}"
    if "department" in facts:
        fr, en = f"{fr}, département {facts['department']}", f"{en}, department {facts['department']}"
    return fr, en


def search_matched(event: SearchMatched) -> Notice | None:
    """A saved search found something: for the account that saved it. Its label may hold a name and is left out."""
    account = word(event.account_id)
    if not account:
        return None
    facts = present(
        {
            "search_id": word(event.search_id),
            "slots": str(event.slots),
            "department": word(event.department),
            "category": word(event.category),
            "starts_at": instant(event, "first_starts_at"),
            "time_zone": word(event.time_zone),
        }
    )
    first_fr, first_en = "", ""
    where = vocabulary.zone(facts.get("time_zone", ""))
    if where is not None and "starts_at" in facts:
        at = datetime.fromisoformat(facts["starts_at"])
        first_fr, first_en = (
            f", le premier le {vocabulary.moment_fr(at, where)}",
            f", the first on {vocabulary.moment_en(at, where)}",
        )
    what_fr = f" (permis {facts['category']})" if "category" in facts else ""
    what_en = f" (licence {facts['category']})" if "category" in facts else ""
    some_fr = f"{event.slots} créneaux" if event.slots > 1 else "un créneau"
    some_en = f"{event.slots} slots" if event.slots > 1 else "a slot"
    return Notice(
        kind="search.matched",
        level=INFO,
        topic="slot",
        school_id=event.school_id,
        text_fr=f"Votre recherche a trouvé {some_fr}{what_fr}{first_fr}. Rien n'est retenu sans vous.",
        text_en=f"Your search found {some_en}{what_en}{first_en}. Nothing is held without you.",
        facts=facts,
        object_id=facts.get("search_id", ""),
        account_id=account,
    )


def authorisation_ending(event: AuthorisationEnding, published_at: datetime) -> Notice:
    """A licence or a trainer's authorisation ends soon, or has ended when the event was published."""
    licence = event.what == "licence"
    facts = present(
        {
            "what": "licence" if licence else "trainer",
            "trainer_id": "" if licence else word(event.trainer_id),
            "ends_at": instant(event, "ends_at"),
        }
    )
    ended = event.HasField("ends_at") and event.ends_at.ToDatetime(UTC) <= published_at
    on_fr, on_en = _moment(facts.get("ends_at", ""))
    what_fr, what_en = (
        ("L'agrément de votre école", "Your school's licence")
        if licence
        else ("L'autorisation d'un formateur", "A trainer's authorisation")
    )
    so_fr, so_en = (
        ("Aucune réservation nouvelle n'est possible.", "No new booking is possible.")
        if ended and licence
        else (
            f"Renouvelez-{'le' if licence else 'la'}{'' if ended else ' à temps'}, puis notez ici la nouvelle date.",
            f"Renew it{'' if ended else ' in time'}, then enter the new date here.",
        )
    )
    return Notice(
        kind=f"authorisation.{'ended' if ended else 'ending'}",
        level=DANGER if ended else WARNING,
        topic="slot",
        school_id=event.school_id,
        text_fr=f"{what_fr} {'a pris fin' if ended else 'prend fin'}{on_fr}. {so_fr}",
        text_en=f"{what_en} {'ended' if ended else 'ends'}{on_en}. {so_en}",
        facts=facts,
        object_id=facts.get("trainer_id", ""),
        mail_school=True,
        managers_only=True,
    )


def _moment(text: str) -> tuple[str, str]:
    """Say " le mercredi 9 décembre 2026 à 8 h 32 (heure de Paris)", and in English; nothing for nothing."""
    if not text:
        return "", ""
    at = datetime.fromisoformat(text)
    fr, en = vocabulary.moment_fr(at, vocabulary.PARIS_ZONE), vocabulary.moment_en(at, vocabulary.PARIS_ZONE)
    return f" le {fr} (heure de Paris)", f" on {en} (Paris time)"
