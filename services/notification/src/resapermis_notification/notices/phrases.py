"""What may stand in a notice, and how fields of other services' events become that. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from resapermis_notification.notices import vocabulary

FACT_KEYS = frozenset(
    {"line_id", "group_id", "slot_id", "mandate_id", "starts_at", "ends_at", "time_zone", "centre", "category"}
    | {"department", "month", "reason", "rdvpermis_code", "expires_at", "by", "taken", "limit"}
    | {"outcome", "points", "kind", "search_id", "slots", "what", "trainer_id", "whose", "rules", "ours", "theirs"}
    | {"parameter", "old", "new", "valid_from"}
)
"""Every key that a notice's facts may have."""
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,79}")
_WORD = re.compile(r"[\w.:/+=|~-]{1,100}")
LONGEST_CENTRE_NAME = 120


@dataclass(frozen=True)
class NoticeTemplate:
    """The notice of a line's or mandate's state. {x} in a sentence: what it is about; {why}, {h}, {by}: filled in `lines`."""

    kind: str
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
    where = vocabulary.zone(facts.get("time_zone", ""))
    if where is not None and "starts_at" in facts:
        at = datetime.fromisoformat(facts["starts_at"])
        fr.append(vocabulary.moment_fr(at, where))
        en.append(vocabulary.moment_en(at, where))
    if "centre" in facts:
        fr.append(facts["centre"])
        en.append(facts["centre"])
    return ", ".join(fr) or "un créneau", ", ".join(en) or "a slot"


def deadline(facts: dict[str, str]) -> tuple[str, str]:
    """When it expires, at the centre where it is known, in Paris otherwise; which of them is written beside it."""
    if "expires_at" not in facts:
        return "l'échéance", "the deadline"
    name = facts.get("time_zone", "")
    where = vocabulary.zone(name) if name != "UTC" else None
    at = datetime.fromisoformat(facts["expires_at"])
    clock = ("heure du centre", "the centre's time")
    if where is None or name == vocabulary.PARIS:
        where, clock = vocabulary.PARIS_ZONE, ("heure de Paris", "Paris time")
    return f"{vocabulary.hour_fr(at, where)} ({clock[0]})", f"{vocabulary.hour_en(at, where)} ({clock[1]})"


def instant(event: Any, name: str) -> str:
    """A moment of an event as ISO text, UTC; empty where it has none."""
    stamp: Timestamp = getattr(event, name)
    if not event.HasField(name) or stamp.seconds <= 0:
        return ""  # a slot that no poll ever brought has no time
    return stamp.ToDatetime(UTC).isoformat(timespec="seconds")


def word(text: str) -> str:
    """An id or a short word; anything else is dropped, so that no sentence about a person passes as one."""
    return text if _WORD.fullmatch(text) else ""


def code(text: str) -> str:
    """A code of RdvPermis or ours; anything else is dropped."""
    return text if _CODE.fullmatch(text) else ""


def centre_name(text: str) -> str:
    """A centre's name on one line, at most LONGEST_CENTRE_NAME characters."""
    return " ".join(text.split())[:LONGEST_CENTRE_NAME]


def present(facts: dict[str, str]) -> dict[str, str]:
    """The facts whose value is not empty."""
    return {key: value for key, value in facts.items() if value}
