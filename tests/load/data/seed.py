"""Invented schools, slots, candidates, mandates, sessions and tokens, written by SQL where the services keep them.

Every id ends in the ten digits of its school's number, so that what one school does is what any other does but for
these digits (`same_statements` lives of it). Writing again what is there changes nothing.
"""

import base64
import dataclasses
import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert

from resapermis_kit.rpc.auth import Principal
from resapermis_mandate.domain import Identity
from resapermis_mandate.identities import Identities
from resapermis_vault.blind_index import BlindIndex
from resapermis_vault.keyset import Keyset
from resapermis_vault.person_key import new_person_key, row_of
from resapermis_vault.person_keys import PersonKeys
from resapermis_vault.secret import seal_secret

ACTIONS = (1, 2, 3, 4)
"""How many slots each of a school's actions takes, in order."""
LINES = sum(ACTIONS)
"""Slots and candidates of a school. Below the default R-BASKET of 12."""
BASKET_LIMIT = 12
FTE = Decimal(10)
"""Full-time trainers of a school: 45 slots a month, of which 27 on the 1st."""
DEPARTMENT, CATEGORY = "94", "B"
CENTRE = "centre-94"
LONGER_THAN_ANY_RUN = timedelta(hours=6)


@dataclass(frozen=True)
class School:
    """Everything a school needs to hold slots, derived from its number."""

    number: int

    @property
    def digits(self) -> str:
        """The end of all its ids."""
        return f"{self.number:010d}"

    def uuid(self, kind: int) -> UUID:
        """An id of ours: version 7, with the kind where randomness would stand."""
        return UUID(f"01900000-0000-7000-8{kind:03x}-00{self.digits}")

    @property
    def id(self) -> str:
        """RdvPermis' id."""
        return f"ecole-{self.digits}"

    @property
    def principal(self) -> Principal:
        """Its manager, signed in."""
        return Principal(str(self.uuid(1)), str(self.uuid(2)), self.id, ("school_manager",), "192.0.2.0/24")

    @property
    def cookie(self) -> str:
        """What the browser of its manager has."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.digits.encode()).digest()).rstrip(b"=").decode()

    @property
    def slots(self) -> list[str]:
        """Slots that nobody else asks for."""
        return [f"creneau-{place}-{self.digits}" for place in range(LINES)]

    @property
    def candidates(self) -> list[UUID]:
        """Its candidates, each with an active mandate."""
        return [self.uuid(0x100 + place) for place in range(LINES)]


@dataclass(frozen=True)
class Databases:
    """URLs of the databases that are seeded."""

    scheduling_rules: str
    mandate: str
    auth_gateway: str


async def write(
    schools: Sequence[School], databases: Databases, secrets: Path, issuer: str, contested: Sequence[str] = ()
) -> None:
    """Seed all three services; `secrets` has their keysets. `issuer`: of whom the tokens are; `contested`: slots beside those of each school."""
    now = datetime.now(UTC)
    await _fill(databases.scheduling_rules, _scheduling(schools, contested, now))
    await _fill(databases.mandate, _mandate(schools, Keyset.load(secrets / "keyset-mandate.json"), now))
    await _fill(databases.auth_gateway, _gateway(schools, secrets, issuer, now))


Rows = Iterable[Mapping[str, Any]]


async def _fill(url: str, tables: Iterator[tuple[str, Rows]]) -> None:
    """COPY rows beside each table and take over those that are new."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        for table, rows in tables:
            records = list(rows)
            columns = list(records[0])
            async with connection.transaction():
                await connection.execute(f'CREATE TEMP TABLE fresh (LIKE "{table}" INCLUDING DEFAULTS) ON COMMIT DROP')
                await connection.copy_records_to_table(
                    "fresh", records=[tuple(row.values()) for row in records], columns=columns
                )
                into, fresh = (sa.table(name, *map(sa.column, columns)) for name in (table, "fresh"))
                take_over = insert(into).from_select(columns, sa.select(*fresh.c)).on_conflict_do_nothing()
                await connection.execute(str(take_over.compile(dialect=postgresql.dialect())))
            await connection.execute(f'ANALYZE "{table}"')
    finally:
        await connection.close()


def _scheduling(schools: Sequence[School], contested: Sequence[str], now: datetime) -> Iterator[tuple[str, Rows]]:
    """A centre, the slots of next month as a poll brought them, and the schools as RdvPermis describes them."""
    yield "centre", [{"id": CENTRE, "name": "Créteil", "department": DEPARTMENT, "latitude": 48.79, "longitude": 2.45}]
    first = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=7, minute=0, second=0, microsecond=0)
    own = ((slot, place, school.number) for school in schools for place, slot in enumerate(school.slots))
    shared = ((slot, number % 27, number) for number, slot in enumerate(contested))
    yield (
        "slot",
        (
            {
                "id": slot,
                "centre_id": CENTRE,
                "department": DEPARTMENT,
                "category": CATEGORY,
                "kind": "CIRCULATION",
                "starts_at": first + timedelta(days=day, minutes=32 * (number % 15)),
                "ends_at": first + timedelta(days=day, minutes=32 * (number % 15) + 32),
                "published_at": now - timedelta(days=3),
                "status": "FREE",
                "seen_at": now,
            }
            for slot, day, number in chain(own, shared)
        ),
    )
    yield (
        "school",
        (
            {
                "id": school.id,
                "licence_number": "E 02 094 0001 0",
                "department": DEPARTMENT,
                "fte": FTE,
                "seen_at": now + LONGER_THAN_ANY_RUN,
            }
            for school in schools
        ),
    )


def _mandate(schools: Sequence[School], keyset: Keyset, now: datetime) -> Iterator[tuple[str, Rows]]:
    """Sealed candidates, and their mandates, which nobody needs to look after meanwhile."""
    identities = Identities(keyset, PersonKeys(keyset, time.monotonic), BlindIndex(keyset.index_keys))
    yield (
        "candidate",
        (
            dataclasses.asdict(
                identities.seal(
                    candidate, school.id, Identity("Essai", "Camille", f"94{school.digits}{place}", ""), now
                )
            )
            for school in schools
            for place, candidate in enumerate(school.candidates)
        ),
    )
    yield (
        "mandate",
        (
            {
                "id": school.uuid(0x200 + place),
                "candidate_id": candidate,
                "school_id": school.id,
                "category": CATEGORY,
                "gearbox": "manual",
                "state": "active",
                "since": now,
                "rdvpermis_code": "",
                "rdvpermis_candidate_id": f"candidat-{place}-{school.digits}",
                "rdvpermis_mandate_id": f"mandat-{place}-{school.digits}",
                "seen_at": now,
                "polls": 0,
            }
            for school in schools
            for place, candidate in enumerate(school.candidates)
        ),
    )


def _gateway(schools: Sequence[School], secrets: Path, issuer: str, now: datetime) -> Iterator[tuple[str, Rows]]:
    """An account, a session and a fresh access token for each school: people under one face's keyset, tokens under the other's."""
    people, egress = Keyset.load(secrets / "keyset-auth-gateway.json"), Keyset.load(secrets / "keyset-egress.json")
    yield (
        "account",
        (
            {
                "id": school.uuid(1),
                "issuer": issuer,
                "subject": school.digits,
                "school_id": school.id,
                "roles": ["school_manager"],
                "person_key": new_person_key(people, str(school.uuid(1)))[0],
                "profile": b"",
                "created_at": now,
                "signed_in_at": now,
            }
            for school in schools
        ),
    )
    yield (
        "session",
        (
            {
                "id": school.uuid(2),
                "cookie_hash": hashlib.sha256(school.cookie.encode()).digest(),
                "account_id": school.uuid(1),
                "school_id": school.id,
                "school_name": "École d'essai",
                "department": DEPARTMENT,
                "provider_sid": school.digits,
                "created_at": now,
                "seen_at": now,
            }
            for school in schools
        ),
    )
    ends = now + LONGER_THAN_ANY_RUN
    yield (
        "token",
        (
            {
                "id": school.uuid(3),
                "kind": "session",
                "session_id": school.uuid(2),
                "account_id": school.uuid(1),
                "school_id": school.id,
                "access": seal_secret(egress, f"access-{school.digits}", row=row_of("token", "access", school.uuid(3))),
                "access_expires_at": ends,
                "refresh": seal_secret(
                    egress, f"refresh-{school.digits}", row=row_of("token", "refresh", school.uuid(3))
                ),
                "refresh_expires_at": ends,
                "created_at": now,
            }
            for school in schools
        ),
    )
