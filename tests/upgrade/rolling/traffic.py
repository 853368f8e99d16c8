"""Whether the bus brings what was said: every event of a moment is published and handled, by whichever release runs then."""

import asyncio
import time
from collections.abc import Mapping

import asyncpg

from ctl.events import CONSUMES, SOURCES
from devstack.components import service_named

ARRIVED_SECONDS = 120.0
"""How long what was said at one moment may take, on a busy machine, while two releases run side by side."""
_UNPUBLISHED = "SELECT count(*) FROM outbox WHERE stream = $1 AND number IS NULL AND occurred_at < $2"


async def _heads(urls: Mapping[str, str], upto: object) -> tuple[dict[tuple[str, str], int], int]:
    """The newest number of each stream that somebody handles, and how many rows of before a moment have none yet."""
    heads: dict[tuple[str, str], int] = {}
    waiting = 0
    for source in SOURCES:
        connection = await asyncpg.connect(urls[service_named(source).database], timeout=10)
        try:
            for stream in ("events", "records"):
                heads[source, stream] = await connection.fetchval(
                    "SELECT coalesce(max(last_number), 0) FROM outbox_head WHERE stream = $1", stream
                )
                waiting += await connection.fetchval(_UNPUBLISHED, stream, upto)
        finally:
            await connection.close()
    return heads, waiting


async def _behind(urls: Mapping[str, str], heads: Mapping[tuple[str, str], int]) -> list[str]:
    found = []
    for consumer, streams in CONSUMES.items():
        connection = await asyncpg.connect(urls[service_named(consumer).database], timeout=10)
        try:
            rows = await connection.fetch("SELECT source, stream, position FROM inbox")
        finally:
            await connection.close()
        positions = {(row["source"], row["stream"]): row["position"] for row in rows}
        # What a release does not handle, it has no position in; that all is handled in the end is an invariant.
        found += [f"{consumer} of {one}" for one in streams if one in positions and positions[one] < heads[one]]
    return found


async def _now(url: str) -> object:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval("SELECT now()")
    finally:
        await connection.close()


def arrived(urls: Mapping[str, str]) -> float:
    """Wait until all that was said until now is handled by all who handle it; seconds. AssertionError with who is behind."""

    async def wait() -> float:
        since, upto = time.monotonic(), await _now(urls["basket"])
        heads, waiting = await _heads(urls, upto)
        while waiting:
            assert time.monotonic() - since < ARRIVED_SECONDS, f"{waiting} events are not published"
            await asyncio.sleep(0.1)
            heads, waiting = await _heads(urls, upto)
        while behind := await _behind(urls, heads):
            assert time.monotonic() - since < ARRIVED_SECONDS, f"behind: {', '.join(behind)}"
            await asyncio.sleep(0.1)
        return time.monotonic() - since

    return asyncio.run(wait())
