"""Notices, the mails on their way about them, and how these may end. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

EVERYBODY = ""
"""In place of a school: a notice for all."""
INVITED = "person.invited"
"""The kind of notice whose mail has a link that opens something once: whoever sends it asks for the link's word."""
INFO, SUCCESS, WARNING, DANGER = "info", "success", "warning", "danger"
"""Levels of a notice."""


class Audience(StrEnum):
    """Whom a delivery goes to: a school is spread into one delivery an account."""

    SCHOOL = "school"
    ACCOUNT = "account"
    CANDIDATE = "candidate"


class DeliveryOutcome(StrEnum):
    """Where a delivery stands; all but waiting are final."""

    WAITING = "waiting"
    SPREAD = "spread"
    SENT = "sent"
    REFUSED = "refused"
    """The mail server will never take it for this recipient, or the address is none."""
    GONE = "gone"
    """Nobody is there to be written to any more, or it is too late to matter."""
    DEAD = "dead"
    """Tried for a day."""


@dataclass(frozen=True)
class Notice:
    """What a school (or everybody) reads in its inbox, and whether by mail too."""

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
class NewNotice:
    """A notice to be stored; fields as the table's columns, `facts` as JSON."""

    id: UUID
    event_id: UUID
    school_id: str
    kind: str
    level: str
    facts: str
    candidate_id: str
    object_id: str
    text_fr: str
    text_en: str
    occurred_at: datetime
    account_id: str
    managers_only: bool

    @classmethod
    def of(cls, notice: Notice, notice_id: UUID, event_id: UUID, occurred_at: datetime) -> "NewNotice":
        """`event_id`: what it is about, so that this makes one notice however often it is handled."""
        return cls(
            id=notice_id,
            event_id=event_id,
            school_id=notice.school_id,
            kind=notice.kind,
            level=notice.level,
            facts=json.dumps(notice.facts),
            candidate_id=notice.candidate_id,
            object_id=notice.object_id,
            text_fr=notice.text_fr,
            text_en=notice.text_en,
            occurred_at=occurred_at,
            account_id=notice.account_id,
            managers_only=notice.managers_only,
        )


@dataclass(frozen=True)
class StoredNotice:
    """A notice as stored, and when one account read it (None: not yet)."""

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
class Reader:
    """The account and school whose inbox is read."""

    school_id: str
    account_id: str
    manages: bool
    """Sees what is for managers alone."""


@dataclass(frozen=True)
class NewDelivery:
    """A mail to be queued; `recipient_id`: account or candidate id, empty for a school."""

    id: UUID
    notice_id: UUID
    audience: Audience
    recipient_id: str


@dataclass(frozen=True)
class DueDelivery:
    """A queued mail whose time has come, with its notice."""

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
    object_id: str = ""
