"""A mail that reached nobody → a notice. Pure."""

from resapermis_notification.domain import INVITED, WARNING, Audience, DeliveryOutcome, DueDelivery, Notice
from resapermis_notification.notices.phrases import slot_words

INVALID, ABSENT = "address", "no address"
"""The problem of a delivery whose address is none, and of one that has none."""
_INVALID = ("l'adresse n'est pas valable", "the address is not valid")
_REJECTED = ("le serveur de messagerie l'a refusé", "the mail server refused it")
_UNDELIVERED = ("nos envois ont échoué pendant une journée", "we tried for a day without success")


def unreached(delivery: DueDelivery, outcome: DeliveryOutcome, problem: str) -> Notice | None:
    """The notice about a delivery that ended so; None where a mail arrived, or nobody was there to be written to.

    None too where no address was ever given: who left it out knows; and for an invitation, whose reader has no inbox yet.
    That of a candidate's mail is for the school, which can correct the address and tell the candidate itself; that of an
    account's mail for this account alone.
    """
    if outcome not in {DeliveryOutcome.REFUSED, DeliveryOutcome.DEAD} or problem == ABSENT or delivery.kind == INVITED:
        return None
    why = _UNDELIVERED if outcome is DeliveryOutcome.DEAD else _INVALID if problem == INVALID else _REJECTED
    if delivery.audience is Audience.CANDIDATE:
        about_fr, about_en = slot_words(dict(delivery.facts)) if "starts_at" in delivery.facts else ("", "")
        return Notice(
            kind="candidate.unreached",
            level=WARNING,
            topic="mandate",
            school_id=delivery.school_id,
            text_fr=f"Le candidat n'a pas reçu notre courriel{_about(about_fr)} : {why[0]}. "
            "Vérifiez son adresse sur sa fiche et prévenez-le vous-même.",
            text_en=f"The candidate did not get our mail{_about(about_en)}: {why[1]}. "
            "Check the address on their page and tell them yourself.",
            facts=dict(delivery.facts) | {"what": delivery.kind},
            candidate_id=delivery.candidate_id,
        )
    return Notice(
        kind="account.unreached",
        level=WARNING,
        topic="mandate",
        school_id=delivery.school_id,
        text_fr=f"Vous n'avez pas reçu notre courriel : {why[0]}. Votre adresse vient de RdvPermis : vérifiez-la là-bas.",
        text_en=f"You did not get our mail: {why[1]}. Your address comes from RdvPermis: check it there.",
        account_id=delivery.recipient_id,
    )


def _about(slot: str) -> str:
    return f" ({slot})" if slot else ""
