"""A notice as one account sees it, a mail on its way, and how that may end. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

MANAGERS = frozenset({"school_admin", "school_manager"})
"""Roles that a school's own affairs are told to."""


class Audience(StrEnum):
    """Whom a delivery goes to: a school is spread into one delivery an account."""

    SCHOOL = "school"
    ACCOUNT = "account"
    CANDIDATE = "candidate"


class Outcome(StrEnum):
    """Where a delivery stands; all but waiting are final."""

    WAITING = "waiting"
    SPREAD = "spread"
    SENT = "sent"
    REFUSED = "refused"
    """The mail server will never take it for this recipient, or the address is none."""
    GONE = "gone"
    """Nobody is there to be told any more, or it is too late to matter."""
    DEAD = "dead"
    """Tried for a day."""


@dataclass(frozen=True)
class Kept:
    """A notice as one account sees it."""

    id: UUID
    kind: str
    level: str
    facts: Mapping[str, str]
    candidate_id: str
    object_id: str
    text_fr: str
    text_en: str
    occurred_at: datetime
    read_at: datetime | None


@dataclass(frozen=True)
class Due:
    """A delivery with its notice."""

    id: UUID
    audience: Audience
    recipient_id: str
    attempts: int
    created_at: datetime
    notice_id: UUID
    school_id: str
    kind: str
    facts: Mapping[str, str]
    candidate_id: str
    text_fr: str
    text_en: str
    occurred_at: datetime
    managers_only: bool
