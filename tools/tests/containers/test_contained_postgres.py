"""A server that goes again is not the one that tests wait for, whatever it says on its way."""

import asyncio
from pathlib import Path

from resapermis_testing.sources.containers import serves

VERSION = b"server_version\x0018.1\0"
GOODBYE = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"


def message(kind: bytes, content: bytes) -> bytes:
    """As PostgreSQL frames it."""
    return kind + (len(content) + 4).to_bytes(4, "big") + content


async def test_a_server_that_says_goodbye_before_it_is_asked_does_not_serve(tmp_path: Path) -> None:
    left = asyncio.Event()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        signed_in, ready = message(b"R", bytes(4)), message(b"Z", b"I")
        writer.write(signed_in + message(b"S", VERSION) + ready + message(b"E", GOODBYE))
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    server = await asyncio.start_unix_server(greet, tmp_path / ".s.PGSQL.5432")
    try:
        assert not await serves({"host": str(tmp_path)})
        await left.wait()
    finally:
        server.close()
        await server.wait_closed()


async def test_a_server_that_is_not_there_does_not_serve(tmp_path: Path) -> None:
    assert not await serves({"host": str(tmp_path)})
