"""A disk that is full, under PostgreSQL's tables and under its log: refused for later, nothing acknowledged is lost, heals alone."""

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.engine import make_engine
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_testing.eventually import eventually
from resapermis_testing.postgres import Postgres, embedded_postgres

MEGABYTES = 160
LATER = {Code.CODE_UNAVAILABLE, Code.CODE_OVERLOADED}
"""Codes with which the gateway answers 503 and Retry-After."""


def _run(*command: str) -> int:
    return subprocess.run(command, check=False).returncode  # noqa: S603 - words of our own


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    assert _run("mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=0755", "tmpfs", str(place)) == 0
    yield place
    _run("umount", "--lazy", str(place))


@pytest.fixture
def postgres_there(small_disk: Path) -> Iterator[Postgres]:
    """PostgreSQL on that disk; its log of transactions takes 16 MB pieces."""
    with embedded_postgres(small_disk / "data") as server:
        yield server


def _fill(disk: Path) -> Path:
    """Take all that is free."""
    filler = disk / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
            file.flush()
    return filler


class Later(Exception):
    """The gateway answers 503 and Retry-After."""


async def _write(engine: AsyncEngine, number: int) -> None:
    try:
        async with transaction(engine) as tx:
            await tx.execute(sa.text("INSERT INTO kept VALUES (:n, repeat('x', 64000))"), {"n": number})
    except Failure as failure:
        if failure.code not in LATER:
            raise
        raise Later from failure


@pytest.mark.root
@pytest.mark.req("E15")
async def test_a_full_disk_refuses_for_later_forgets_nothing_acknowledged_and_heals_alone(
    postgres_there: Postgres, small_disk: Path
) -> None:
    engine = make_engine(postgres_there.url("postgres"))
    async with transaction(engine) as tx:
        # Stored as it is: neither squeezed nor so small that it stays in memory.
        await tx.execute(sa.text("CREATE TABLE kept (n int PRIMARY KEY, filling text NOT NULL)"))
        await tx.execute(sa.text("ALTER TABLE kept ALTER filling SET STORAGE EXTERNAL"))
    acknowledged: list[int] = []

    async def goes_through() -> bool:
        with contextlib.suppress(Later):
            await _write(engine, len(acknowledged))
            acknowledged.append(len(acknowledged))
            return True
        return False

    for _ in range(5):
        assert await goes_through()
    filler = await asyncio.to_thread(_fill, small_disk)
    tries = [await goes_through() for _ in range(600)]
    assert not all(tries)
    assert not await goes_through()
    filler.unlink()
    await eventually(goes_through, 30)
    async with transaction(engine) as tx:
        kept = {row.n for row in await tx.execute(sa.text("SELECT n FROM kept"))}
    assert kept >= set(acknowledged)
    await engine.dispose()
