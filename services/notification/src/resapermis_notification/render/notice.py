"""A notice, the words that may stand in it, and how facts of other services become such words. Pure."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from resapermis_notification import words

INFO, SUCCESS, WARNING, DANGER = "info", "success", "warning", "danger"
FACT_WORDS = frozenset(
    {"line_id", "group_id", "slot_id", "mandate_id", "starts_at", "ends_at", "time_zone", "centre", "category"}
    | {"department", "month", "reason", "rdvpermis_code", "expires_at", "by", "taken", "limit"}
    | {"outcome", "points", "kind", "search_id", "slots", "what", "trainer_id", "whose", "rules", "ours", "theirs"}
    | {"parameter", "old", "new", "valid_from"}
)
"""Every key that a notice's facts may have."""
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,79}")
_WORD = re.compile(r"[\w.:/+=|~-]{1,100}")
LONGEST_PLACE = 120
EVERYBODY = ""
"""In place of a school: a notice for all."""


@dataclass(frozen=True)
class Notice:
    """What a school (or everybody) is told, and whether by mail too."""

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
    account_id: str = ""
    """The one account of the school that sees it, and is mailed; empty: whoever is of the school."""
    managers_only: bool = False
    """Neither shown nor mailed to the school's trainers."""


@dataclass(frozen=True)
class Kind:
    """How a line's or mandate's state is told. {x} in a sentence: what it is about; {why}, {h}, {by}: said in `lines`."""

    word: str
    level: str
    topic: str
    fr: str
    en: str
    mail_school: bool = False
    mail_candidate: bool = False


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


def hours(facts: dict[str, str]) -> tuple[str, str]:
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


def instant(event: Any, name: str) -> str:
    """A moment of a fact as text; empty where it has none."""
    stamp: Timestamp = getattr(event, name)
    if not event.HasField(name) or stamp.seconds <= 0:
        return ""  # a slot that no look ever brought has no time
    return stamp.ToDatetime(UTC).isoformat(timespec="seconds")


def word(text: str) -> str:
    """An id or a short word; anything else is dropped, so that no sentence about a person passes as one."""
    return text if _WORD.fullmatch(text) else ""


def code(text: str) -> str:
    """A code of RdvPermis or ours; anything else is dropped."""
    return text if _CODE.fullmatch(text) else ""


def place(text: str) -> str:
    """A centre's name on one line."""
    return " ".join(text.split())[:LONGEST_PLACE]


def kept(facts: dict[str, str]) -> dict[str, str]:
    """Facts that say something."""
    return {key: value for key, value in facts.items() if value}
