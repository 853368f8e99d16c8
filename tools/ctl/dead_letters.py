"""Dead letters: events that a consumer set aside after repeated failure, in the consumer's own database (ADR 3)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from ctl.addresses import DATABASES, Addresses

CONNECT_SECONDS = 10.0
_LETTERS = (
    "SELECT id::text, source, type, error, octet_length(payload), failed_at FROM dead_letter ORDER BY failed_at, id"
)


@dataclass(frozen=True)
class Letter:
    """An event that was set aside. Its payload stays where it is: it may name a candidate's id, and a terminal keeps what it shows."""

    consumer: str
    """The database it was set aside in."""
    id: str
    source: str
    type: str
    error: str
    """The type of the exception that the last attempt ended in."""
    payload_bytes: int
    failed_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Every field, the moment in ISO 8601."""
        return vars(self) | {"failed_at": self.failed_at.isoformat()}


async def read(addresses: Addresses) -> Sequence[Letter]:
    """All of them, by consumer, oldest first. OSError and asyncpg's errors where a database does not answer."""
    found = await asyncio.gather(*(_of(name, addresses.databases[name]) for name in DATABASES))
    return [letter for letters in found for letter in letters]


async def _of(consumer: str, url: str) -> Sequence[Letter]:
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    try:
        return [Letter(consumer, *row) for row in await connection.fetch(_LETTERS)]
    finally:
        await connection.close()
