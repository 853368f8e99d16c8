"""Candidates and mandates: values, states and what may follow what. Nothing here waits, reads a clock or stores."""

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from resapermis_persons.addresses import clean_address
from resapermis_persons.names import written_name

LONGEST_NAME, LONGEST_NEPH = 100, 32
USUAL_NEPH = re.compile(r"[0-9]{12}(?:[0-9]{2})?")
CATEGORY = re.compile(r"[A-D][12]?E?")
GEARBOXES = frozenset({"manual", "automatic"})
PURPOSES = frozenset(
    {"follow_candidate", "find_candidate", "show_basket", "show_booking", "show_notice"}
    | {"notify_candidate", "notify_school"}
)
"""Why personal data may be read (requirement D-13); anything else is refused."""


class State(enum.StrEnum):
    """States of a mandate (R-03); `may_follow` says which leads to which."""

    DRAFT = "draft"
    """Asked of RdvPermis, answer not known yet."""
    PENDING = "pending"
    """RdvPermis waits for the candidate."""
    ACTIVE = "active"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    REVOKED = "revoked"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


OPEN = frozenset({State.DRAFT, State.PENDING, State.ACTIVE})
FOLLOWS: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.PENDING, State.ACTIVE, State.REFUSED, State.CANCELLED}),
    State.PENDING: frozenset({State.ACTIVE, State.REFUSED, State.CANCELLED, State.EXPIRED, State.SUPERSEDED}),
    State.ACTIVE: frozenset({State.REVOKED, State.EXPIRED, State.SUPERSEDED, State.CANCELLED}),
}
AT_RDVPERMIS = {
    "": State.ACTIVE,
    "ACTIF": State.ACTIVE,
    "ACCEPTE": State.ACTIVE,
    "EN_ATTENTE": State.PENDING,
    "REFUSE": State.REFUSED,
    "REVOQUE": State.REVOKED,
    "TERMINE": State.REVOKED,
    "ANNULE": State.CANCELLED,
    "EXPIRE": State.EXPIRED,
}
"""RdvPermis' words; a mandate without a state is a mandate in force (the search lists those). [default]"""


@dataclass(frozen=True)
class Identity:
    """Who a candidate is. Lives in memory between opening and answering; never logged (no repr)."""

    last_name: str
    first_name: str
    neph: str
    email: str

    def __repr__(self) -> str:
        """Never the person."""
        return "Identity(…)"


@dataclass(frozen=True)
class SealedCandidate:
    """A candidate as stored: what is personal is sealed under the person's key. `wrapped_key` None: erased."""

    id: UUID
    school_id: str
    wrapped_key: bytes | None
    last_name: bytes
    first_name: bytes
    neph: bytes
    email: bytes
    neph_index: bytes
    created_at: datetime
    version: int
    """Counts the corrections, from 1."""


@dataclass(frozen=True)
class SealedName:
    """What a list shows of a candidate, as stored."""

    id: UUID
    wrapped_key: bytes | None
    last_name: bytes
    first_name: bytes


@dataclass(frozen=True)
class Mandate:
    """A school's right to act for a candidate in a category."""

    id: UUID
    candidate_id: UUID
    school_id: str
    category: str
    gearbox: str
    state: State
    since: datetime
    expires_at: datetime | None
    rdvpermis_code: str
    rdvpermis_candidate_id: str
    rdvpermis_mandate_id: str
    seen_at: datetime | None
    polls: int
    """How often RdvPermis was read since the state began."""


def clean_name(text: str) -> str:
    """A name in its one written form; ValueError when nothing is left, it is too long or has control characters."""
    found = written_name(text)
    if not found:
        msg = "is empty"
        raise ValueError(msg)
    if not found.isprintable():
        msg = "has characters that are not printed"
        raise ValueError(msg)
    if len(found) > LONGEST_NAME:
        msg = f"is longer than {LONGEST_NAME} characters"
        raise ValueError(msg)
    return found


def clean_email(text: str) -> str:
    """The one address in what was typed, or empty where nothing was; ValueError when no mail can go to it."""
    return clean_address(text) if text.strip() else ""


FIXED_BY: Mapping[str, frozenset[State]] = {
    "last_name": frozenset({State.ACTIVE}),
    "first_name": frozenset({State.ACTIVE}),
    "neph": OPEN,
}
"""Which states of a mandate fix which field of its candidate.

Until RdvPermis says yes nobody knows whether a name is right, so it can be corrected; from then on it is the person's. Under its
NEPH a mandate that is open is read at RdvPermis. The e-mail address is only where we write to, and never fixed.
"""


def fixed_by(fields: Iterable[str], mandates: Iterable[Mandate]) -> tuple[str, Mandate] | None:
    """The first of `fields` that one of the candidate's mandates fixes, and that mandate; None when all may change."""
    states = [(one, FIXED_BY.get(one, frozenset())) for one in fields]
    return next(((field, one) for one in mandates for field, fixing in states if one.state in fixing), None)


def neph_unusual(neph: str) -> bool:
    """Say whether a NEPH deserves a warning: not 12 or 14 digits. Never a refusal (rdvpermis-api.md)."""
    return not USUAL_NEPH.fullmatch(neph)


def may_follow(old: State, new: State) -> bool:
    """Say whether `new` may come after `old`."""
    return new in FOLLOWS.get(old, frozenset())


def next_poll(state: State, polls: int, now: datetime) -> datetime | None:
    """When to read RdvPermis again: soon while something is awaited, every 15 minutes while active (R-05), else never."""
    if state in {State.DRAFT, State.PENDING}:
        return now + timedelta(seconds=min(5 * 2**polls, 300))
    if state == State.ACTIVE:
        return now + timedelta(minutes=15)
    return None


def new_draft(
    mandate_id: UUID, candidate_id: UUID, school_id: str, category: str, gearbox: str, now: datetime
) -> Mandate:
    """A mandate about to be asked of RdvPermis."""
    return Mandate(mandate_id, candidate_id, school_id, category, gearbox, State.DRAFT, now, None, "", "", "", None, 0)
