"""What the State knows: the seeded world, which never changes, and the truth, which does.

Ids are opaque strings. Departments stand in the wire form of three characters. Times are UTC-aware; exam hours are also
kept as local wall time of the centre, as RdvPermis writes them. The truth is plain data, so a snapshot is one JSON text.
"""

from dataclasses import dataclass, field
from datetime import date, datetime


class Refused(Exception):
    """RdvPermis refuses: `{"erreur": code}` with a status of 4xx."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Department:
    """A department with its zone and a point in its middle (degrees)."""

    code: str
    name: str
    latitude: float
    longitude: float
    zone: str


@dataclass(frozen=True, slots=True)
class Centre:
    """An exam centre of a department, with its coordinates."""

    id: str
    name: str
    department: str
    latitude: float
    longitude: float
    zone: str
    closed: bool


@dataclass(frozen=True, slots=True)
class School:
    """A driving school; `fte` declared trainers in full-time equivalents, None when nothing was declared."""

    id: str
    name: str
    department: str
    licence: str
    latitude: float
    longitude: float
    fte: float | None
    online: bool


@dataclass(frozen=True, slots=True)
class Employee:
    """Who signs in. `id` is the subject of tokens."""

    id: str
    username: str
    first_name: str
    last_name: str
    email: str
    role: str
    school: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate as seeded or added through control; `group` is the category of the active demand, None without one."""

    id: str
    neph: str
    first_name: str
    last_name: str
    email: str | None
    group: str | None
    obtained: tuple[str, ...] = ()
    penalty_days: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """One place at an exam. `starts`/`ends` local without zone; `starts_utc`, `published` UTC."""

    id: str
    centre: str
    department: str
    group: str
    kind: str
    examiner: str
    starts: datetime
    ends: datetime
    starts_utc: datetime
    published: datetime


@dataclass(slots=True)
class Mandate:
    """A candidate gives a school a category. `state`: EN_ATTENTE, ACCEPTE, REFUSE, TERMINE [default]."""

    id: str
    candidate: str
    school: str
    group: str
    state: str
    created: datetime
    link: str = ""


@dataclass(slots=True)
class Mail:
    """A mandate mail as sent, for checkers to read."""

    to: str
    subject: str
    text: str
    link: str
    mandate: str
    at: datetime
    delivered: bool = False


@dataclass(slots=True)
class Basket:
    """Held slots of one school; `lines` maps slot id to candidate id or None."""

    id: str
    school: str
    employee: str
    created: datetime
    expires: datetime
    lines: dict[str, str | None] = field(default_factory=dict)


@dataclass(slots=True)
class Exam:
    """A booking. `state`: PROGRAMME, ANNULE, REUSSI, ECHOUE, ABSENT [default]."""

    id: str
    slot: str
    school: str
    candidate: str | None
    state: str
    booked: datetime
    locked: bool = False


@dataclass(slots=True)
class Penalty:
    """A candidate may not be booked until then."""

    until: datetime
    reason: str
    group: str


@dataclass(slots=True)
class Result:
    """How an exam went, once published: passed or not, points of 31."""

    exam: str
    group: str
    passed: bool
    points: int
    at: datetime


@dataclass(slots=True)
class Code:
    """An authorization code, for one use within a minute."""

    client: str
    redirect_uri: str
    employee: str
    scope: str
    nonce: str
    challenge: str
    session: str
    auth_time: datetime
    expires: datetime
    grant: str = ""


@dataclass(slots=True)
class Grant:
    """What one sign-in gave a client: the family of its refresh tokens."""

    id: str
    employee: str
    client: str
    scope: str
    session: str
    auth_time: datetime
    nonce: str
    offline: bool
    revoked: bool = False


@dataclass(slots=True)
class Refresh:
    """One refresh token of a family; used once, then only proof of a theft."""

    grant: str
    expires: datetime
    used: bool = False


@dataclass(slots=True)
class Access:
    """One access token; `scope` as granted."""

    grant: str
    employee: str
    scope: str
    expires: datetime


@dataclass(slots=True)
class Session:
    """A browser that signed in; ends at `expires` or by sign-out."""

    id: str
    employee: str
    auth_time: datetime
    expires: datetime


@dataclass(slots=True)
class Truth:
    """All that changes; written to the state file as it is."""

    seeded_on: date
    counter: int = 0
    mandates: dict[str, Mandate] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    baskets: dict[str, Basket] = field(default_factory=dict)
    exams: dict[str, Exam] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    extra_slots: dict[str, Slot] = field(default_factory=dict)
    extra_candidates: dict[str, Candidate] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    penalties: dict[str, list[Penalty]] = field(default_factory=dict)
    results: dict[str, list[Result]] = field(default_factory=dict)
    replacements: dict[str, int] = field(default_factory=dict)
    """`school|group|2026-12` → replacements made."""
    favourites: dict[str, dict[str, int]] = field(default_factory=dict)
    """`employee|group` → centre id → priority."""
    declared: dict[str, float] = field(default_factory=dict)
    """School id → trainers declared since the seed."""
    nameless_schools: set[str] = field(default_factory=set)
    """Schools that may book without a candidate."""
    codes: dict[str, Code] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    refreshes: dict[str, Refresh] = field(default_factory=dict)
    accesses: dict[str, Access] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    keys: list[dict[str, str]] = field(default_factory=list)
    """Private JWKs, newest first."""
    clock_offset_seconds: float = 0.0
    clock_frozen_at: datetime | None = None
