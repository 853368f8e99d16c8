"""The first administrator of the platform: a code that whoever installs it makes, and that counts once (ADR 45).

In the database, where alone it counts, its hash stands; the code itself is on the operator's terminal. In a cluster only the
hash is handed over, so that no log of a pod ever holds a code.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from ctl.addresses import UnknownAddress, given, variable
from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, Actor, Record
from resapermis_kit.database.engine import make_engine
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events.outbox import Outbox

DATABASE, SERVICE = "auth_gateway", "auth-gateway"
PAGE = "/premier-administrateur"
"""Of the web face, where the code is typed."""
LIVES = timedelta(hours=72)
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Thirty-two that nobody takes for another."""
GROUPS, GROUP = 5, 5
"""25 letters of 5 bits: more than the 112 from which a plain hash is enough (ASVS 6.5.2)."""
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('people', 0))")
_KEPT = sa.text(
    "SELECT EXISTS (SELECT 1 FROM person WHERE role = 'platform_admin' AND state IN ('active', 'suspended'))"
)
_ADD = sa.text(
    "INSERT INTO first_administrator_code (code_hash, made_at, ends_at) VALUES (:code_hash, :made_at, :ends_at) "
    "ON CONFLICT DO NOTHING RETURNING code_hash"
)


@dataclass(frozen=True)
class Code:
    """A code, and the hash that a database or a chart's values may hold."""

    text: str
    digest: bytes

    def as_json(self) -> dict[str, Any]:
        """For the operator's terminal, and nowhere else."""
        return {"code": self.text, "hash": self.digest.hex(), "page": PAGE}


def new_code() -> Code:
    """A fresh one, in groups that a person can read aloud."""
    letters = "".join(secrets.choice(LETTERS) for _ in range(GROUPS * GROUP))
    text = "-".join(letters[start : start + GROUP] for start in range(0, len(letters), GROUP))
    return Code(text, sha256(letters.encode()).digest())


def digest_of(text: str) -> bytes:
    """A hash as it is handed over in hexadecimal; ValueError for what is none."""
    found = bytes.fromhex(text)
    if len(found) != sha256().digest_size:
        raise ValueError("not the hash of a code")
    return found


def address(environment: Mapping[str, str]) -> str:
    """The one database that this asks, by its setting or the file that it names; UnknownAddress where neither is there."""
    url = given(environment, variable(DATABASE))
    if not url:
        msg = f"not set: {variable(DATABASE)} (or name a local stack's folder with --home)"
        raise UnknownAddress(msg)
    return url


async def let_in(url: str, digest: bytes, now: datetime) -> bool:
    """Let a code count for 72 hours, once; False, and nothing, where the platform has an administrator already.

    The same again changes nothing: a code that has run out is not revived. It is recorded, by whom the journal cannot know.
    """
    engine = make_engine(url, pool=1, name="resapermisctl")
    try:
        async with transaction(engine) as tx:
            await tx.execute(_LOCK)
            if (await tx.execute(_KEPT)).scalar_one():
                return False
            row = {"code_hash": digest, "made_at": now, "ends_at": now + LIVES}
            if (await tx.execute(_ADD, row)).scalar() is not None:
                await Outbox(SERVICE).add(tx, now, _record(now + LIVES))
        return True
    finally:
        await engine.dispose()


def _record(ends_at: datetime) -> Record:
    actor = Actor(kind=Actor.KIND_SYSTEM, id="resapermisctl")
    return Record(
        actor=actor,
        action="person.code",
        object_kind="code",
        outcome=OUTCOME_DONE,
        facts={"ends_at": ends_at.isoformat(timespec="seconds")},
    )
