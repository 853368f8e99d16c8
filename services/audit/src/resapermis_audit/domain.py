"""Entries of the journal as they are stored and read back. Pure."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

SECURITY_ACTIONS = (
    "access.denied",
    "session.start",
    "session.end",
    "session.prove",
    "token.grant",
    "token.refresh",
    "token.revoke",
    "token.expire",
    "grant.give",
    "grant.withdraw",
    "grant.end",
    "rdvpermis.call",
    "person.code",
    "person.first",
    "person.read",
    "person.invite",
    "person.accept",
    "person.suspend",
    "person.resume",
    "person.end",
)
"""What is about security, and what a security officer reads: of a school none of its people's acts; of the platform who was let in, by whom."""


@dataclass(frozen=True)
class NewEntry:
    """A record to be stored; fields as the table's columns, `content` sealed."""

    id: UUID
    leaf_data: bytes
    salt: bytes
    content: bytes
    occurred_at: datetime
    source: str
    action: str
    school_id: str
    candidate_id: str
    object_id: str


@dataclass(frozen=True)
class StoredEntry:
    """A record as read back: `salt` and sealed `content` are None once erased, `leaf_index` until it is in the tree."""

    id: UUID
    leaf_index: int | None
    leaf_data: bytes
    salt: bytes | None
    content: bytes | None


@dataclass(frozen=True)
class StoredCheckpoint:
    """A checkpoint as read back: how many leaves, and the signed note."""

    size: int
    note: str


def commitment(salt: bytes, content: bytes) -> bytes:
    """What the leaf holds of a record: SHA-256(salt || content). Reveals nothing once the salt is gone."""
    return sha256(salt + content).digest()


def sealing_row(name: str) -> str:
    """Name the row that a sealed value is bound to; `name` is a record's id, or the log's origin for its signing key."""
    return f"audit/{name}"
