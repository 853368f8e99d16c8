"""What must hold of the bus: it writes each message before it acknowledges it."""

import asyncio
from collections.abc import Mapping, Sequence

from ctl.findings import Finding, of
from resapermis_kit.database import durability


async def read(monitors: str) -> Mapping[str, bool]:
    """Ask every server by its monitoring port; OSError when one does not answer."""
    urls = [url for url in monitors.split(",") if url]
    settings = await asyncio.gather(*(asyncio.to_thread(durability.jetstream, url) for url in urls))
    return {url: durability.writes_first(one) for url, one in zip(urls, settings, strict=True)}


def judge(servers: Mapping[str, bool]) -> Sequence[Finding]:
    """One finding where servers were asked, none where they were not."""
    if not servers:
        return []
    forgetful = [url for url, writes in servers.items() if not writes]
    return [of("bus_writes_before_it_acknowledges", forgetful, at_once=True)]
