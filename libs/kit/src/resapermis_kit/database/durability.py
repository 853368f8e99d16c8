"""Whether what is acknowledged is on a disk: asked before a service serves, of PostgreSQL and of NATS.

PostgreSQL with `synchronous_commit = off` answers a COMMIT before it is written: a power cut takes back what
people read as done. JetStream's default flushes every two minutes, and loses acknowledged messages so (Jepsen on NATS 2.12.1).
"""

import asyncio
import ssl

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.transaction import transaction
from resapermis_kit.tls.bus_monitor import PEER, monitored
from resapermis_kit.tls.certificates import Certificates


class NotDurable(Exception):
    """A store would forget what it acknowledged; the message names the setting to change."""


async def require_commits(engine: AsyncEngine) -> None:
    """NotDurable where this service's role commits without waiting for the disk."""
    async with transaction(engine) as tx:
        setting = (await tx.execute(sa.text("SHOW synchronous_commit"))).scalar_one()
    if setting == "off":
        raise NotDurable("PostgreSQL: set synchronous_commit = on for this role; commits are acknowledged unwritten")


async def require_synced(monitors: str, certificates: Certificates) -> None:
    """NotDurable where a NATS server does not write each message before its acknowledgement.

    `monitors`: URLs of the servers' monitoring ports, with commas; "" where they cannot be asked, which
    `resapermisctl invariants --nats-monitor` does then. A server that is away is asked again when the bus is joined.
    """
    context = certificates.client_context(PEER)
    for url in filter(None, monitors.split(",")):
        try:
            answer = await asyncio.to_thread(jetstream, url, context)
        except (OSError, ValueError):
            continue
        if not writes_first(answer):
            raise NotDurable("NATS: set jetstream { sync_interval: always }; messages are acknowledged unwritten")


def writes_first(answer: dict[str, dict[str, object]]) -> bool:
    """Whether a server writes each message before it acknowledges it, by its own account."""
    return bool(answer.get("config", {}).get("sync_always", False))


def jetstream(url: str, context: ssl.SSLContext) -> dict[str, dict[str, object]]:
    """A NATS server's own answer about its JetStream (`/jsz`); OSError or ValueError where it gives none."""
    found: dict[str, dict[str, object]] = monitored(url, "jsz?config=true", context)
    return found
