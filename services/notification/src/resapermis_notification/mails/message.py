"""A notice as a mail: text, HTML and calendar file, in the reader's language. Pure.

No personal data in subjects: the candidate stands in the body, by first name in their own mail, by full name in the school's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Literal
from urllib.parse import quote
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from resapermis_notification.mails import ics
from resapermis_notification.notices import vocabulary
from resapermis_notification.notices.phrases import slot_words
from resapermis_notification.notices.unreached import ABSENT, INVALID
from resapermis_persons.addresses import is_address

Addressee = Literal["school", "candidate"]
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_templates = Environment(
    loader=PackageLoader("resapermis_notification.mails"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_SCHOOL_SUBJECTS: dict[str, tuple[str, str]] = {
    "slot.withdrawn": ("Créneau retiré", "Slot withdrawn"),
    "basket.gone": ("Panier disparu chez RdvPermis", "Basket gone at RdvPermis"),
    "basket.expiring": ("Votre panier expire bientôt", "Your basket expires soon"),
    "booking.confirmed": ("Réservé", "Booked"),
    "booking.found": ("Réservé chez RdvPermis", "Booked at RdvPermis"),
    "booking.conflict": ("Indisponibilité pendant un examen", "Somebody not free during an exam"),
    "booking.drift": ("Réservation à vérifier", "Booking to check"),
    "authorisation.ending": ("Une autorisation prend fin", "An authorisation ends"),
    "authorisation.ended": ("Une autorisation a pris fin", "An authorisation has ended"),
    "search.matched": ("Un créneau correspond à votre recherche", "A slot matches your search"),
    "grant.none_left": ("Le travail en arrière-plan est suspendu", "Background work is on hold"),
    "person.invited": ("Votre invitation à ResaPermis", "Your invitation to ResaPermis"),
    "grant.ended": ("Votre autorisation a pris fin", "Your grant has ended"),
    "grant.ending": ("Votre autorisation prend fin bientôt", "Your grant ends soon"),
    "booking.cancelled": ("Réservation annulée", "Booking cancelled"),
    "booking.replaced": ("Candidat remplacé", "Candidate replaced"),
    "booking.swapped": ("Réservation permutée", "Booking swapped"),
    "mandate.active": ("Mandat actif", "Mandate active"),
    "mandate.refused": ("Mandat refusé", "Mandate refused"),
    "mandate.cancelled": ("Demande de mandat annulée", "Mandate request cancelled"),
    "mandate.revoked": ("Mandat terminé", "Mandate ended"),
    "mandate.expired": ("Mandat expiré", "Mandate expired"),
    "mandate.superseded": ("Mandat remplacé", "Mandate superseded"),
}
_CANDIDATE_SUBJECTS: dict[str, tuple[str, str]] = {
    "booking.confirmed": ("Votre place d'examen est réservée", "Your driving test is booked"),
    "booking.found": ("Une place d'examen est réservée à votre nom", "A driving test is booked in your name"),
    "result.found": ("Le résultat de votre examen est publié", "The result of your test is published"),
    "booking.cancelled": ("Votre place d'examen est annulée", "Your driving test is cancelled"),
    "booking.replaced": (
        "Votre place d'examen est donnée à un autre candidat",
        "Your driving test was given to another candidate",
    ),
    "booking.swapped": ("Votre place d'examen est permutée", "Your driving test place was swapped"),
    "mandate.active": ("Votre mandat est actif", "Your mandate is active"),
    "mandate.revoked": ("Votre mandat est terminé", "Your mandate has ended"),
}
_CANDIDATE_TEXTS: dict[str, tuple[str, str]] = {
    "booking.confirmed": (
        "Votre auto-école a réservé pour vous une place d'examen : {x}.",
        "Your driving school booked a test for you: {x}.",
    ),
    "booking.found": (
        "Une place d'examen a été réservée pour vous chez RdvPermis : {x}.",
        "A test was booked for you at RdvPermis: {x}.",
    ),
    "result.found": (
        "RdvPermis a publié le résultat de votre examen : {x}. Votre auto-école en parlera avec vous.",
        "RdvPermis published the result of your test: {x}. Your driving school will talk it over with you.",
    ),
    "booking.cancelled": (
        "Votre place d'examen est annulée{by} : {x}. Voyez la suite avec votre auto-école.",
        "Your test is cancelled{by}: {x}. Ask your driving school what comes next.",
    ),
    "booking.replaced": (
        "Votre place d'examen est donnée à un autre candidat{by} : {x}. Voyez la suite avec votre auto-école.",
        "Your test was given to another candidate{by}: {x}. Ask your driving school what comes next.",
    ),
    "booking.swapped": (
        "Votre place d'examen est permutée{by} avec celle d'un autre candidat : {x}. Demandez la nouvelle date à votre auto-école.",
        "Your test place was swapped{by}: {x}. Ask your driving school for the new date.",
    ),
    "mandate.active": (
        "Votre mandat est actif{x} : votre auto-école peut réserver vos examens.",
        "Your mandate is active{x}: your driving school may book your tests.",
    ),
    "mandate.revoked": (
        "Votre mandat est terminé{x} : votre auto-école ne peut plus réserver vos examens.",
        "Your mandate has ended{x}: your driving school may no longer book your tests.",
    ),
}
_BY = {
    "school": (" par votre auto-école", " by your driving school"),
    "rdvpermis": (" chez RdvPermis", " at RdvPermis"),
}
_METHODS: dict[str, ics.Method] = {
    "booking.confirmed": "PUBLISH",
    "booking.found": "PUBLISH",
    "booking.cancelled": "CANCEL",
    "booking.replaced": "CANCEL",
    "booking.swapped": "CANCEL",
}
_PAGES = {
    "booking": "/reservations",
    "basket": "/panier",
    "mandate": "/candidats",
    "slot": "/creneaux",
    "search": "/creneaux",
    "authorisation": "/equipe",
    "grant": "/compte",
    "person": "/invitation",
}


class InvalidAddress(Exception):
    """An address that no mail can go to; the address is not repeated."""


@dataclass(frozen=True)
class MailContent:
    """What a mail is made of: a notice as it is stored."""

    kind: str
    occurred_at: datetime
    facts: Mapping[str, str]
    text_fr: str
    text_en: str
    candidate_id: str = ""
    word: str = field(default="", repr=False)
    """A secret of the link: it stands behind "#", which browsers send nowhere."""


@dataclass(frozen=True)
class Sender:
    """Who mails come from, and where those to schools lead."""

    mail_from: str
    public_url: str = ""

    @property
    def address(self) -> str:
        """The address without the display name."""
        return parseaddr(self.mail_from)[1]


def message_id(delivery_id: UUID, sender: Sender) -> str:
    """The same for each try of a delivery, so that a mail sent twice is seen as one."""
    return f"<{delivery_id}@{sender.address.rpartition('@')[2]}>"


def write(
    content: MailContent,
    addressee: Addressee,
    to: str,
    locale: str,
    sender: Sender,
    delivery_id: UUID,
    name: str = "",
) -> EmailMessage:
    """Write the mail to one address; InvalidAddress when it is none.

    `locale` "en" makes it English, any other French. `name`: in a candidate's own mail how they are called, in a school's the
    candidate whom it is about; empty where nobody is, or nobody knows any more.
    """
    if not is_address(to):
        raise InvalidAddress(INVALID if to else ABSENT)
    english = locale == "en"
    subject = _subject(content, addressee, english=english)
    message = EmailMessage(policy=SMTP)
    message["From"] = sender.mail_from
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(content.occurred_at)
    message["Message-ID"] = message_id(delivery_id, sender)
    message["Auto-Submitted"] = "auto-generated"
    method = _METHODS.get(content.kind)
    event = (
        ics.calendar(method, content.facts, content.occurred_at, sender.address, english=english) if method else None
    )
    body = _english if english else _french
    filling = body(content, addressee, _clean(name), method if event else None)
    filling |= {"subject": subject, "link": _link(content, sender) if addressee == "school" else ""}
    message.set_content(_templates.get_template("mail.txt").render(filling))
    message.add_alternative(_templates.get_template("mail.html").render(filling), subtype="html")
    if event is not None and method is not None:
        message.add_attachment(
            event,
            maintype="text",
            subtype="calendar",
            filename="examen.ics",
            params={"method": method, "charset": "UTF-8"},
        )
    message["Content-Language"] = "en" if english else "fr"  # at the end: a body that is set drops Content-*
    return message


def _link(content: MailContent, sender: Sender) -> str:
    """Where a school reads on."""
    subject = content.kind.partition(".")[0]
    page = _PAGES.get(subject, "")
    if subject == "mandate" and content.candidate_id:
        page = f"{page}/{quote(content.candidate_id, safe='')}"
    secret = f"#{content.word}" if content.word else ""
    return f"{sender.public_url.rstrip('/')}{page}{secret}" if sender.public_url else ""


def _subject(content: MailContent, addressee: Addressee, *, english: bool) -> str:
    """A school's names licence, day and centre; a candidate's only what happened."""
    subjects = _SCHOOL_SUBJECTS if addressee == "school" else _CANDIDATE_SUBJECTS
    subject = subjects.get(content.kind, ("ResaPermis", "ResaPermis"))[english]
    if addressee == "candidate":
        return subject
    about = []
    if "category" in content.facts:
        about.append(f"{'licence' if english else 'permis'} {content.facts['category']}")
    where = vocabulary.zone(content.facts.get("time_zone", ""))
    if where is not None and "starts_at" in content.facts:
        about.append(vocabulary.short_moment(datetime.fromisoformat(content.facts["starts_at"]), where))
    if "centre" in content.facts:
        about.append(content.facts["centre"])
    if not about:
        return subject
    return _CONTROL.sub(" ", f"{subject}{': ' if english else ' : '}{', '.join(about)}")


def _texts(content: MailContent, addressee: Addressee) -> tuple[str, str]:
    if addressee == "school":
        return content.text_fr, content.text_en
    fr, en = _CANDIDATE_TEXTS.get(content.kind, (content.text_fr, content.text_en))
    category = content.facts.get("category", "")
    if content.kind.startswith("mandate."):
        x_fr, x_en = (f" (permis {category})", f" (licence {category})") if category else ("", "")
    else:
        x_fr, x_en = slot_words(dict(content.facts))
    by_fr, by_en = _BY.get(content.facts.get("by", ""), ("", ""))
    return fr.format(x=x_fr, by=by_fr), en.format(x=x_en, by=by_en)


def _clean(name: str) -> str:
    return _CONTROL.sub(" ", name).strip()[:160]


def _french(content: MailContent, addressee: Addressee, name: str, method: ics.Method | None) -> dict[str, str]:
    own = addressee == "candidate"
    attached = {
        "PUBLISH": "Ouvrez le fichier joint pour ajouter l'examen à votre agenda.",
        "CANCEL": "Ouvrez le fichier joint pour retirer l'examen de votre agenda.",
    }
    return {
        "lang": "fr",
        "hello": f"Bonjour {name}," if name and own else "Bonjour,",
        "text": _texts(content, addressee)[0],
        "about": f"Candidat : {name}" if name and not own else "",
        "attached": attached[method] if method else "",
        "see": "Voir dans ResaPermis : ",
        "see_link": "Voir dans ResaPermis",
        "end": "ResaPermis. Ce message est automatique : n'y répondez pas.",
    }


def _english(content: MailContent, addressee: Addressee, name: str, method: ics.Method | None) -> dict[str, str]:
    own = addressee == "candidate"
    attached = {
        "PUBLISH": "Open the attached file to add the test to your calendar.",
        "CANCEL": "Open the attached file to take the test off your calendar.",
    }
    return {
        "lang": "en",
        "hello": f"Hello {name}," if name and own else "Hello,",
        "text": _texts(content, addressee)[1],
        "about": f"Candidate: {name}" if name and not own else "",
        "attached": attached[method] if method else "",
        "see": "See in ResaPermis: ",
        "see_link": "See in ResaPermis",
        "end": "ResaPermis. Automatic message, please do not reply.",
    }
