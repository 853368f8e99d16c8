"""What must hold of the bus: it writes each message before it acknowledges it."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from ctl.findings import Finding, of
from resapermis_kit.database import durability
from resapermis_kit.tls import bus_monitor, policy


async def read(monitors: str, authorities: Path | None) -> Mapping[str, bool]:
    """Ask every server by its monitoring port, whose certificate one of `authorities` must have signed (PEM; None: one of the system's).

    OSError when one does not answer, or is not believed.
    """
    urls = [url for url in monitors.split(",") if url]
    if not urls:
        return {}
    context = _context(authorities)
    settings = await asyncio.gather(*(asyncio.to_thread(durability.jetstream, url, context) for url in urls))
    return {url: durability.writes_first(one) for url, one in zip(urls, settings, strict=True)}


def _context(authorities: Path | None) -> ssl.SSLContext:
    believed = authorities.read_text(encoding="ascii") if authorities is not None else None
    return policy.client_context(bus_monitor.PEER, believed)


def judge(servers: Mapping[str, bool]) -> Sequence[Finding]:
    """One finding where servers were asked, none where they were not."""
    if not servers:
        return []
    forgetful = [url for url, writes in servers.items() if not writes]
    return [of("bus_writes_before_it_acknowledges", forgetful, at_once=True)]
