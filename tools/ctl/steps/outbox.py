"""After a restore: no source gives numbers again that a consumer has handled (docs/runbooks/invariants.md, RestoredToThePast).

A service finds that by itself from its own stream on the bus. Where the stream was lost as well, or databases were restored to
different moments, only the consumers know how far it had come: this asks them, in their databases. A service that then finds
nothing by itself does nothing about it either: so basket's data are doubted here, too.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from ctl.addresses import DATABASES, Addresses
from ctl.events import SOURCES
from devstack.components import service_named
from resapermis_basket.reconcile.queries import doubt_all
from resapermis_kit.clock import Clock, utc_now
from resapermis_kit.database.engine import make_engine
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events.recovery import raise_head
from resapermis_kit.events.streams import EVENTS, RECORDS

CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Raised:
    """A stream of a source whose next number is above `now`, the newest that any consumer handled; it was above `had`."""

    source: str
    stream: str
    had: int
    now: int

    def as_json(self) -> dict[str, Any]:
        """Every field."""
        return dict(vars(self))


async def raise_heads(addresses: Addresses, now: Clock = utc_now) -> list[Raised]:
    """Raise what is behind; each source in one transaction. While services are stopped: one that publishes meanwhile has its own numbers.

    OSError, asyncpg's errors or Failure where a database does not answer.
    """
    positions: dict[tuple[str, str], int] = {}
    for found in await asyncio.gather(*(_handled(addresses.databases[name]) for name in DATABASES)):
        for which, position in found.items():
            positions[which] = max(position, positions.get(which, 0))
    raised = []
    for source in SOURCES:
        engine = make_engine(addresses.databases[service_named(source).database], pool=1, name="resapermisctl")
        try:
            async with transaction(engine) as tx:
                for stream in (EVENTS, RECORDS):
                    newest = positions.get((source, stream), 0)
                    had = await raise_head(tx, stream, newest, now())
                    if had is not None:
                        raised.append(Raised(source, stream, had, newest))
        finally:
            await engine.dispose()
    return raised


async def doubt_basket(addresses: Addresses) -> int:
    """Have basket read every hold at RdvPermis, and reconcile every school with bookings, once it runs; return how many holds.

    What basket does by itself where it finds its own stream newer than its database. Errors as `raise_heads`.
    """
    engine = make_engine(addresses.databases["basket"], pool=1, name="resapermisctl")
    try:
        async with transaction(engine) as tx:
            return await doubt_all(tx)
    finally:
        await engine.dispose()


async def _handled(url: str) -> Mapping[tuple[str, str], int]:
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    try:
        rows = await connection.fetch("SELECT source, stream, position FROM inbox")
    finally:
        await connection.close()
    return {(row["source"], row["stream"]): row["position"] for row in rows}
